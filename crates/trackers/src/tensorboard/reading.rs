//! Event files read back, to compare what two runs have recorded.

use super::proto;
use super::record::masked_crc;
use super::writer::NAMES;
use prost::Message;
use std::io;
use std::path::{Path, PathBuf};

/// A value of an event, without the time at which it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardEvent {
    /// Its step.
    pub step: i64,
    /// Its tag; `graph` and `version` where it has none.
    pub tag: String,
    /// The rest of it, as it is in the file.
    pub value: Vec<u8>,
}

/// The values of all event files of a folder, in the order in which TensorBoard reads them; of several files the first version alone.
///
/// # Errors
/// A file cannot be read, or a record of it is damaged: said with its place.
pub fn read_board(folder: &Path) -> io::Result<Vec<BoardEvent>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(NAMES)))
        .collect();
    paths.sort();
    let mut events = Vec::new();
    for path in paths {
        read(&path, &mut events)?;
    }
    Ok(events)
}

fn read(path: &Path, events: &mut Vec<BoardEvent>) -> io::Result<()> {
    let bytes = std::fs::read(path)?;
    let (mut at, mut rest) = (0, &bytes[..]);
    while !rest.is_empty() {
        let damaged = || io::Error::other(format!("{}: the record at byte {at} is damaged", path.display()));
        let data = data(rest).ok_or_else(damaged)?;
        let event = proto::Event::decode(data).map_err(|_| damaged())?;
        let mut push =
            |tag: &str, value| events.push(BoardEvent { step: event.step, tag: tag.to_owned(), value });
        if let Some(version) = &event.file_version {
            push("version", version.clone().into_bytes());
        }
        if let Some(graph) = &event.graph_def {
            push("graph", graph.clone());
        }
        for value in event.summary.iter().flat_map(|summary| &summary.value) {
            push(&value.tag, value.encode_to_vec());
        }
        let length = data.len() + 16;
        (at, rest) = (at + length, &rest[length..]);
    }
    Ok(())
}

/// The data of the first record, if it is whole.
fn data(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let (check, rest) = rest.split_first_chunk::<4>()?;
    if masked_crc(length).to_le_bytes() != *check {
        return None;
    }
    let (data, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    (masked_crc(data).to_le_bytes() == *rest.first_chunk::<4>()?).then_some(data)
}
