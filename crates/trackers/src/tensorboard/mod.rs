//! TensorBoard: events to an event file that `tensorboard --logdir` reads. Each kind of summary has a file of its own.

mod graph;
mod histogram;
mod hparams;
mod image;
mod layout;
mod pr_curve;
mod proto;
mod reading;
mod record;
mod scalars;
mod text;
mod writer;

pub use reading::{BoardEvent, read_board};

use crate::{Event, Tracker};
use proto::{Metadata, PluginData, Summary, Tensor, Value};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::io;
use std::path::Path;

/// Writes events to an event file in a folder.
#[derive(Debug)]
pub struct TensorBoard {
    writer: writer::Writer,
    /// Tags whose plugin was said: only the first event of a tag needs to.
    known: HashSet<String>,
    /// Tags of the columns of results in the HPARAMS tab.
    results: Vec<String>,
}

/// How far an event file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardPosition {
    /// Its name in the folder.
    pub file: String,
    /// Its bytes.
    pub bytes: u64,
    /// Other event files of the folder, which come before it.
    pub earlier: Vec<String>,
    /// Tags whose plugin was said, in order.
    known: Vec<String>,
}

impl TensorBoard {
    /// Goes on with an event file of `folder`; what is behind the position is cut off.
    ///
    /// # Errors
    /// The file is not there, is shorter, or cannot be written.
    pub fn go_on(folder: &Path, results: Vec<String>, at: &BoardPosition) -> io::Result<Self> {
        let writer = writer::Writer::cut(folder, &at.file, at.bytes, at.earlier.clone())?;
        Ok(TensorBoard { writer, known: at.known.iter().cloned().collect(), results })
    }

    /// A new event file in `folder`. `results` are the tags of scalars by which runs are compared.
    ///
    /// # Errors
    /// The file cannot be made.
    pub fn create(folder: &Path, results: Vec<String>) -> io::Result<Self> {
        let writer = writer::Writer::create(folder, crate::now())?;
        Ok(TensorBoard { writer, known: HashSet::new(), results })
    }

    fn write(&mut self, wall_time: f64, step: u64, mut value: Vec<Value>) -> io::Result<()> {
        for value in &mut value {
            value.tag = shown(std::mem::take(&mut value.tag));
            if value.metadata.is_some() && !self.known.insert(value.tag.clone()) {
                value.metadata = None;
            }
        }
        let summary = Some(Summary { value });
        self.writer.write(&proto::Event { wall_time, step: step as i64, summary, ..proto::Event::default() })
    }
}

impl Tracker for TensorBoard {
    fn name(&self) -> &'static str {
        "the TensorBoard event file"
    }

    fn position(&self) -> Option<BoardPosition> {
        let (file, bytes, earlier) = self.writer.position();
        let mut known: Vec<String> = self.known.iter().cloned().collect();
        known.sort();
        Some(BoardPosition { file: file.to_owned(), bytes, earlier: earlier.to_vec(), known })
    }

    fn record(&mut self, time: f64, event: &Event) -> io::Result<()> {
        match event {
            Event::Start(run) => {
                let results: Vec<String> = self.results.iter().cloned().map(shown).collect();
                let values = hparams::start(run, &results, time);
                self.write(time, 0, values)
            }
            Event::Scalars { step, values, .. } | Event::Steps { step, values, .. } => {
                self.write(time, *step, scalars::values(values))
            }
            Event::Result { step, values, .. } => {
                // The others are in the curves of the validation already: a chart of one point each, before all others.
                let compared = values.iter().filter(|(tag, _)| self.results.contains(tag)).cloned();
                let compared: Vec<_> = compared.collect();
                self.write(time, *step, scalars::values(&compared))
            }
            Event::Finding { kind, step, message, suggestion, .. } => {
                let markdown = format!("{message}\n\n*Try:* {suggestion}");
                self.write(time, *step, vec![text::value(&format!("diagnosis/{kind}"), &markdown)])
            }
            Event::System { sample, values } => self.write(time, *sample, scalars::values(values)),
            Event::Image { tag, step, image } => self.write(time, *step, vec![image::value(tag, image)?]),
            Event::Text { tag, step, markdown } => self.write(time, *step, vec![text::value(tag, markdown)]),
            Event::Histogram { tag, step, histogram } => {
                self.write(time, *step, vec![histogram::value(tag, histogram)])
            }
            Event::PrCurve { tag, step, curve } => self.write(time, *step, vec![pr_curve::value(tag, curve)]),
            Event::Graph(nodes) => {
                let graph_def = Some(graph::graph_def(nodes));
                self.writer.write(&proto::Event { wall_time: time, graph_def, ..proto::Event::default() })
            }
            Event::Layout(charts) => self.write(time, 0, vec![layout::value(charts)]),
            Event::End { end, .. } => self.write(time, 0, vec![hparams::end(*end, time)]),
            // Files stay where they are.
            Event::Artifact { .. } | Event::Model { .. } => Ok(()),
        }
    }
}

/// A tag as TensorBoard is told it. Groups of tags are sorted by name and the first ones open: the single points of the best epoch, `best/`,
/// would hide the curves, so they stand behind `val/`.
fn shown(tag: String) -> String {
    if tag.starts_with("best/") { format!("val_{tag}") } else { tag }
}

/// A value that a plugin shows.
fn plugin(tag: &str, plugin: &str, content: Vec<u8>, tensor: Tensor) -> Value {
    let plugin_data = Some(PluginData { plugin_name: plugin.to_owned(), content });
    // Images are blobs; all others are tensors.
    let data_class = if plugin == "images" { 3 } else { 2 };
    let metadata = Some(Metadata { plugin_data, data_class, ..Metadata::default() });
    Value { tag: tag.to_owned(), tensor: Some(tensor), metadata, ..Value::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    /// The events of all files of a folder, with every checksum checked by length alone; the checksums themselves are
    /// TensorBoard's to judge, in `interop`.
    fn read(folder: &Path) -> Vec<proto::Event> {
        let mut paths: Vec<_> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        let mut events = Vec::new();
        for path in paths {
            let bytes = std::fs::read(path).unwrap();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
                events.push(proto::Event::decode(&rest[12..12 + length]).unwrap());
                rest = &rest[16 + length..];
            }
        }
        events
    }

    #[test]
    fn values_and_steps_come_back_and_a_plugin_is_named_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::create(folder.path(), vec!["best/accuracy".into()]).unwrap();
        let scalars =
            |step, value| Event::Scalars { epoch: 1, step, values: vec![("val/loss".into(), value)] };
        let text = |step| Event::Text { tag: "notes".into(), step, markdown: "*a*".into() };
        for event in [scalars(3, 0.5), text(3), scalars(6, f64::NAN), text(6)] {
            board.record(1.5, &event).unwrap();
        }
        let events = read(folder.path());
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!(events.iter().map(|e| e.step).collect::<Vec<_>>(), [0, 3, 3, 6, 6]);
        let value = |i: usize| &events[i].summary.as_ref().unwrap().value[0];
        assert_eq!(value(1).simple_value, Some(0.5));
        assert!(value(3).simple_value.unwrap().is_nan());
        assert!(value(2).metadata.is_some() && value(4).metadata.is_none());
        assert_eq!(value(4).tensor.as_ref().unwrap().string_val, [b"*a*"]);
    }

    #[test]
    fn of_the_result_only_what_runs_are_compared_by_is_a_chart() {
        let folder = tempfile::tempdir().unwrap();
        let mut board = TensorBoard::create(folder.path(), vec!["best/accuracy".into()]).unwrap();
        let values = vec![("best/epoch".into(), 2.0), ("best/accuracy".into(), 0.5)];
        board.record(1.5, &Event::Result { epoch: 2, step: 16, values }).unwrap();
        let events = read(folder.path());
        let written = &events[1].summary.as_ref().unwrap().value;
        assert_eq!(written.iter().map(|value| value.tag.as_str()).collect::<Vec<_>>(), ["val_best/accuracy"]);
    }

    #[test]
    fn two_writers_never_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let make = || TensorBoard::create(folder.path(), Vec::new()).unwrap();
        let _two = (make(), make());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
