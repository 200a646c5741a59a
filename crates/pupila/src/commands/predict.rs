//! `pupila predict`: classes for images of which nothing is known.

use super::study_table::shortened;
use super::{in_pool, tell, tell_data};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::output::{Output, percent};
use pupila::dataset::shown;
use pupila::{Classifier, Judging, predictions_csv, write_whole};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::PathBuf;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The name of standard input.
const STDIN: &str = "-";

/// What is to be classified.
struct Given {
    paths: Vec<PathBuf>,
    /// The image of standard input, which is a file for as long as this is.
    image: Option<PathBuf>,
}

impl Given {
    /// What was typed, with standard input in the place of `-`.
    fn of(typed: &[PathBuf]) -> Result<Given, Failure> {
        let mut given = Given { paths: Vec::new(), image: None };
        let mut read = false;
        for path in typed {
            if path.as_os_str() != STDIN {
                given.paths.push(path.clone());
            } else if !std::mem::replace(&mut read, true) {
                let mut content = Vec::new();
                std::io::stdin().read_to_end(&mut content).map_err(|error| {
                    Failure::Work(anyhow::Error::new(error).context("cannot read standard input"))
                })?;
                given.take(&content)?;
            }
        }
        Ok(given)
    }

    /// A list of paths, a line each or with zeros between them (`find -print0`), or one image.
    fn take(&mut self, content: &[u8]) -> Result<(), Failure> {
        if let Some(extension) = extension(content) {
            let name = format!("pupila-stdin-{}.{extension}", std::process::id());
            let path = std::env::temp_dir().join(name);
            // Known before it is written, so that it is removed whatever happens.
            self.image = Some(path.clone());
            let written = File::options().write(true).create_new(true).open(&path);
            written.and_then(|mut file| file.write_all(content)).map_err(Failure::writing(&path))?;
            self.paths.push(path);
            return Ok(());
        }
        let separator = if content.contains(&0) { '\0' } else { '\n' };
        let Ok(text) = std::str::from_utf8(content) else {
            return Err(Failure::wrong(
                "standard input is neither a list of paths nor an image of a known kind",
            ));
        };
        let before = self.paths.len();
        let lines =
            text.split(separator).map(|line| line.trim_end_matches('\r')).filter(|line| !line.is_empty());
        self.paths.extend(lines.map(PathBuf::from));
        if self.paths.len() == before {
            return Err(Failure::wrong(
                "standard input is empty: `-` reads a list of paths, a line each, or one image, such as find photos -name '*.jpg' | pupila predict RUN -",
            ));
        }
        Ok(())
    }
}

impl Drop for Given {
    fn drop(&mut self) {
        if let Some(image) = &self.image {
            let _ = fs::remove_file(image);
        }
    }
}

/// How answers stand on a terminal: the classes beside the path, or below it where there is no room for them. To a file or a program
/// names and paths go whole, but for what would break a line.
struct Layout {
    paths: usize,
    /// The classes' names as they are shown, in the order of the logits.
    names: Vec<String>,
    widest: usize,
    below: bool,
    limit: usize,
}

impl Layout {
    /// What a percentage takes, with a space before it.
    const PERCENT: usize = 8;
    /// Between columns.
    const GAP: usize = 3;
    /// Names are not shortened below this.
    const SHORTEST: usize = 12;

    fn new(limit: Option<usize>, paths: &[String], classes: &[String], columns: usize) -> Layout {
        let limit = limit.unwrap_or(usize::MAX);
        let longest = paths.iter().map(|path| shown(path).width()).max().unwrap_or(0);
        let paths = longest.min((limit / 2).max(Self::SHORTEST));
        let taken = paths + 2 + columns * Self::PERCENT + columns.saturating_sub(1) * Self::GAP;
        let room = limit.saturating_sub(taken) / columns.max(1);
        let whole = classes.iter().map(|class| shown(class).width()).max().unwrap_or(0);
        let below = room < whole.min(Self::SHORTEST);
        let room = if below { limit.saturating_sub(Self::GAP + Self::PERCENT) } else { room };
        let names = shortened(classes, room);
        let widest = names.iter().map(|name| name.width()).max().unwrap_or(0);
        // By itself in a line a path may be as long as that.
        Layout { paths: if below { longest.min(limit) } else { paths }, names, widest, below, limit }
    }

    fn lines(&self, path: &str, top: &[(&str, f32)], classes: &[String]) -> Vec<String> {
        let path = end_of(&shown(path), self.paths);
        let cell = |(class, p): &(&str, f32)| {
            let place = classes.iter().position(|name| name == class).unwrap_or(0);
            let name = &self.names[place];
            let pad = " ".repeat(self.widest.saturating_sub(name.width()));
            format!("{name}{pad} {:>7}", percent(f64::from(*p)))
        };
        let cells: Vec<String> = top.iter().map(cell).collect();
        if self.below {
            return [path].into_iter().chain(cells.iter().map(|cell| format!("   {cell}"))).collect();
        }
        let pad = " ".repeat(self.paths.min(self.limit).saturating_sub(path.width()));
        vec![format!("{path}{pad}  {}", cells.join("   "))]
    }
}

/// The end of a path, by which an image is known, in so many columns.
fn end_of(path: &str, width: usize) -> String {
    if path.width() <= width {
        return path.to_owned();
    }
    let mut used = 1;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    let end: Vec<char> = path.chars().rev().take_while(fits).collect();
    ['…'].into_iter().chain(end.into_iter().rev()).collect()
}

/// The extension of an image by its first bytes; none for what is no image.
fn extension(content: &[u8]) -> Option<&'static str> {
    const KINDS: [(&[u8], &str); 7] = [
        (b"\xff\xd8\xff", "jpg"),
        (b"\x89PNG", "png"),
        (b"GIF8", "gif"),
        (b"BM", "bmp"),
        (b"RIFF", "webp"),
        (b"II*\0", "tif"),
        (b"MM\0*", "tif"),
    ];
    // A path may begin with BM or RIFF; an image holds zeros or bytes that are no text.
    let is_text = std::str::from_utf8(content).is_ok_and(|text| !text.contains('\0'));
    KINDS.iter().find(|(magic, _)| !is_text && content.starts_with(magic)).map(|(_, extension)| *extension)
}

pub(crate) fn run(arguments: &cli::Predict) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let stop = listen();
    in_pool(arguments.threads.count(), || {
        let judging = Judging::new().stop_signal(&stop).views(cli::views(arguments.tta));
        predict(arguments, output, judging)
    })
}

fn predict(arguments: &cli::Predict, output: Output, judging: Judging) -> Result<(), Failure> {
    tell::check_csv(arguments.csv.as_deref())?;
    let mut model = Classifier::open(&arguments.run)?;
    model.lacks().iter().for_each(|lack| output.warn(lack));
    tell::controls(output, &model.negative_controls());
    let given = Given::of(&arguments.images)?;
    let (judging, bar) = tell::reading(judging);
    let answers = model.predict_files(&given.paths, &judging);
    bar.finish_and_clear();
    let mut answers = answers?;
    if let Some(image) = &given.image {
        let image = image.to_string_lossy();
        answers.paths.iter_mut().filter(|path| **path == image).for_each(|path| *path = STDIN.to_owned());
    }
    let classes = model.classes();
    if let Some(path) = &arguments.csv {
        write_whole(
            path,
            predictions_csv(classes, &answers.paths, None, false, &answers.predictions).as_bytes(),
        )
        .map_err(Failure::writing(path))?;
    }

    let columns = usize::from(arguments.top).min(classes.len());
    let layout = Layout::new(output.limit(), &answers.paths, classes, columns);
    let mut objects = Vec::new();
    for (path, answer) in answers.iter() {
        let top = answer.top(usize::from(arguments.top));
        if !arguments.json.json {
            layout.lines(path, &top, classes).iter().for_each(|line| output.say(line));
        }
        let top: Vec<Value> =
            top.iter().map(|(class, p)| json!({ "class": class, "probability": p })).collect();
        objects.push(json!({ "path": path, "predicted": answer.class(), "top": top }));
    }
    tell_data::views(output, judging.views);
    let dataset = &answers.images.dataset;
    tell::beside(output, dataset, arguments.images.first().map_or(&dataset.root, |path| path));
    output.object(&json!({
        "run": arguments.run.to_string_lossy(),
        "tta": judging.views.name(),
        "classes": classes,
        "predictions": objects,
        "skipped_images": pupila::train::skipped_images(&dataset.skipped),
        "other_pictures": pupila::train::other_pictures_of(&dataset.other_pictures),
    }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let long = format!("{}_one", "a_class_of_ninety_characters".repeat(3));
        let classes = [long.clone(), "line\nbreak".to_owned(), "tab\tname".to_owned(), "cat".to_owned()];
        let top: Vec<(&str, f32)> = classes.iter().map(|class| (class.as_str(), 0.25)).collect();
        let path = format!("/photographs/{}/1.jpg", "folder".repeat(20));
        for limit in [40, 72, 100, 200] {
            for columns in 1..=4 {
                let layout = Layout::new(Some(limit), std::slice::from_ref(&path), &classes, columns);
                for line in layout.lines(&path, &top[..columns], &classes) {
                    assert!(line.width() <= limit && !line.contains(['\n', '\t']), "{limit}: {line}");
                }
            }
        }
        let layout = Layout::new(None, std::slice::from_ref(&path), &classes, 2);
        let lines = layout.lines(&path, &top[..2], &classes);
        assert!(lines.len() == 1 && lines[0].contains(&path) && lines[0].contains(&long), "{lines:?}");
    }
}
