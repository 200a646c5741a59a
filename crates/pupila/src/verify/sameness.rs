//! Whether two run folders hold the same run: every byte of every file, but for what comes from the clock, the machine and the place. Those
//! fields are named here and nowhere else.

use pupila_run::{RunFolder, without_heading};
use pupila_trackers::{BoardEvent, read_board};
use serde_json::Value;
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Fields of `summary.json` that come from the clock or the machine.
const SUMMARY: &[&str] = &["timing", "images", "peak_rss_bytes", "engine_bytes", "threads", "version"];
/// Those of `environment.json`.
const ENVIRONMENT: &[&str] = &[
    "version",
    "arguments",
    "os",
    "architecture",
    "processor",
    "cores",
    "threads",
    "instruction_set",
    "data.path",
    "data.given",
];
/// Those of the lines of `metrics.jsonl`. `values.system/` are all whose names begin so.
const METRICS: &[&str] = &[
    "time",
    "run",
    "tags",
    "group",
    "data.path",
    "data.name",
    "values.train/images_per_s",
    "values.system/",
];
/// Tags of TensorBoard's event file whose values come from the clock or the machine: all that begin so. Every event's wall time does.
const BOARD: &[&str] = &["train/images_per_s", "system/", "_hparams_/"];
/// The section of `report.html` that says where the time went, and the rows of its environment.
const PAGE_SECTION: &str = "<section id=\"time\">";
const PAGE_ROWS: &[&str] = &[
    "data",
    "Pupila version",
    "command line",
    "processor",
    "cores",
    "threads",
    "instruction set",
    "system",
    "architecture",
    "most memory in use",
];
/// The name of a run on its page: that of its folder, which may be called otherwise since.
const PAGE_NAMES: &[&str] = &["title", "h1"];
/// Files that are compared byte by byte; paths of images in them begin with the data's, which may be elsewhere.
const PLAIN: &[&str] = &[
    RunFolder::MODEL,
    RunFolder::RECIPE,
    RunFolder::PREDICTIONS,
    RunFolder::LEAKS,
    RunFolder::REPORT,
    RunFolder::CONFUSION,
];

/// Where two runs differ.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The file.
    pub file: String,
    /// Where in it: a line with its epoch and step, a field, a byte.
    pub place: String,
    /// What is there, and what should be.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if !self.place.is_empty() {
            write!(f, ", {}", self.place)?;
        }
        write!(f, ": {}", self.what)
    }
}

/// A run folder and the path of its data as it was typed, with which paths of images begin.
#[derive(Debug, Clone)]
pub struct Side {
    /// The folder.
    pub folder: PathBuf,
    /// The data.
    pub data: String,
}

/// Where in a file a difference is, and what it is.
type Found = Option<(String, String)>;

/// Compares a run with what it should be: the first difference of each file, and the files that were compared.
///
/// # Errors
/// A file cannot be read.
pub fn differences(found: &Side, expected: &Side) -> io::Result<(Vec<Difference>, Vec<String>)> {
    compared(found, expected, false)
}

/// The same of a run that may have been trained on (`is_longer`): how often it looks into the network depends on how many epochs it was asked for,
/// and it keeps the look at the end that it had first. So of looks those are compared that a run which is asked for all epochs at once takes too.
pub(super) fn compared(
    found: &Side,
    expected: &Side,
    is_longer: bool,
) -> io::Result<(Vec<Difference>, Vec<String>)> {
    let mut differences = Vec::new();
    let mut files = Vec::new();
    let mut compare = |file: &str, difference: &dyn Fn(&[u8], &[u8]) -> Found| {
        let read = |side: &Side| match read_file(&side.folder.join(file)) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => {
                Err(io::Error::new(error.kind(), format!("{}: {error}", side.folder.join(file).display())))
            }
        };
        let found = match (read(found)?, read(expected)?) {
            (None, None) => return Ok(()),
            (Some(_), None) => Some((String::new(), "there is none when the run is run again".to_owned())),
            (None, Some(_)) => Some((String::new(), "is missing".to_owned())),
            (Some(a), Some(b)) => difference(&a, &b),
        };
        files.push(file.to_owned());
        differences.extend(found.map(|(place, what)| Difference { file: file.to_owned(), place, what }));
        Ok::<(), io::Error>(())
    };
    let [a, b] = [found, expected].map(|side| side.data.clone());
    // As the paths are in the files.
    let shown = |found: Found| {
        found.map(|(place, what)| (place, what.replace("DATA/", &format!("{}/", a.trim_end_matches('/')))))
    };
    compare(RunFolder::METRICS, &|x, y| match is_longer {
        true => {
            let [x, y] = in_both(x, y);
            of_lines(x.as_bytes(), y.as_bytes())
        }
        false => of_lines(x, y),
    })?;
    compare(RunFolder::TRAINED, &|x, y| {
        let [x, y] = [x, y].map(String::from_utf8_lossy);
        of_bytes(without_heading(&x).as_bytes(), without_heading(&y).as_bytes())
    })?;
    for file in PLAIN {
        compare(file, &|x, y| shown(of_bytes(&without_root(x, &a), &without_root(y, &b))))?;
    }
    compare(RunFolder::SUMMARY, &|x, y| shown(of_json(&without_root(x, &a), &without_root(y, &b), SUMMARY)))?;
    compare(RunFolder::ENVIRONMENT, &|x, y| of_json(x, y, ENVIRONMENT))?;
    compare(RunFolder::PAGE, &|x, y| {
        shown(of_bytes(&without_times(&without_root(x, &a)), &without_times(&without_root(y, &b))))
    })?;
    let boards = [found, expected].map(|side| read_board(&side.folder));
    let [found, expected] = boards;
    let (mut found, mut expected) = (found?, expected?);
    if is_longer {
        let places = |events: &[BoardEvent]| -> HashSet<(i64, String)> {
            events.iter().map(|event| (event.step, event.tag.clone())).collect()
        };
        let tags = |events: &[BoardEvent]| -> HashSet<String> {
            events.iter().map(|event| event.tag.clone()).collect()
        };
        let ([of_found, of_expected], [known, wanted]) =
            ([places(&found), places(&expected)], [tags(&found), tags(&expected)]);
        // A tag that is not written at any step was added by somebody, or taken out.
        found.retain(|event| {
            of_expected.contains(&(event.step, event.tag.clone())) || !wanted.contains(&event.tag)
        });
        expected.retain(|event| {
            of_found.contains(&(event.step, event.tag.clone())) || !known.contains(&event.tag)
        });
    }
    if let Some((place, what)) = of_boards(&found, &expected) {
        differences.push(Difference { file: "events.out.tfevents".into(), place, what });
    }
    files.push("events.out.tfevents".into());
    Ok((differences, files))
}

/// The bytes of a file, and of nothing else: a pipe would be waited for.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("is no file"));
    }
    fs::read(path)
}

/// The text without the path of the data before the paths of images.
fn without_root(bytes: &[u8], data: &str) -> Vec<u8> {
    let root = data.trim_end_matches('/').to_owned() + "/";
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    // A page's second line.
    let text = text.replace(&format!("trained on {data}<"), "trained on DATA<");
    let mut without = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(&root) {
        // Where a path begins: not `mydata/` for `data/`, nor the word in a section's name.
        let begins = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || "._-/\\".contains(c));
        without.push_str(&rest[..at]);
        without.push_str(if begins { "DATA/" } else { &root });
        rest = &rest[at + root.len()..];
    }
    without.push_str(rest);
    without.into_bytes()
}

/// A page without where the time went and what it was run on.
fn without_times(page: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(page).into_owned();
    if let Some(at) = text.find(PAGE_SECTION)
        && let Some(end) = text[at..].find("</section>")
    {
        text.replace_range(at..at + end, "");
    }
    for name in PAGE_NAMES {
        let (start, end) = (format!("<{name}>"), format!("</{name}>"));
        if let Some(at) = text.find(&start)
            && let Some(length) = text[at..].find(&end)
        {
            text.replace_range(at..at + length, "");
        }
    }
    for row in PAGE_ROWS {
        let start = format!("<tr><td>{row}</td>");
        while let Some(at) = text.find(&start) {
            let Some(end) = text[at..].find("</tr>") else { break };
            text.replace_range(at..at + end + "</tr>".len(), "");
        }
    }
    text.into_bytes()
}

fn of_bytes(found: &[u8], expected: &[u8]) -> Found {
    if found == expected {
        return None;
    }
    let at = found.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(found.len().min(expected.len()));
    let line = |bytes: &[u8]| {
        let text = std::str::from_utf8(bytes).ok()?;
        let number = text.as_bytes()[..at.min(text.len())].iter().filter(|&&byte| byte == b'\n').count();
        Some((number + 1, text.lines().nth(number).unwrap_or_default().chars().take(200).collect::<String>()))
    };
    Some(match (line(found), line(expected)) {
        (Some((number, a)), Some((_, b))) => (format!("line {number}"), format!("{a:?} instead of {b:?}")),
        _ => (
            format!("byte {at}"),
            match (found.len(), expected.len()) {
                (a, b) if a == b => "another value".to_owned(),
                (a, b) => format!("another value; the file has {a} bytes, and should have {b}"),
            },
        ),
    })
}

/// Removes fields, such as `data.path`; of a name that ends in `/` all that begin so.
fn remove(value: &mut Value, fields: &[&str]) {
    for field in fields {
        // Tags have no point, but `values.` before them.
        let (inside, name) =
            field.split_once('.').map_or((None, *field), |(inside, name)| (Some(inside), name));
        let object = match inside {
            Some(inside) => value.get_mut(inside),
            None => Some(&mut *value),
        };
        let Some(object) = object.and_then(Value::as_object_mut) else { continue };
        if name.ends_with('/') {
            object.retain(|key, _| !key.starts_with(name));
        } else {
            object.remove(name);
        }
    }
}

fn of_json(found: &[u8], expected: &[u8], fields: &[&str]) -> Found {
    let parsed = |bytes: &[u8]| {
        serde_json::from_slice::<Value>(bytes).map(|mut value| {
            remove(&mut value, fields);
            value
        })
    };
    match (parsed(found), parsed(expected)) {
        (Ok(a), Ok(b)) => first(&a, &b, String::new()),
        _ => of_bytes(found, expected),
    }
}

/// The first place at which two values differ, and how.
fn first(a: &Value, b: &Value, place: String) -> Found {
    match (a, b) {
        (Value::Object(x), Value::Object(y)) => {
            let keys = y.keys().chain(x.keys().filter(|key| !y.contains_key(*key)));
            let inside = |key: &String| if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            keys.into_iter().find_map(|key| match (x.get(key), y.get(key)) {
                (Some(x), Some(y)) => first(x, y, inside(key)),
                (Some(x), None) => Some((inside(key), format!("{x}, and should not be there"))),
                (None, Some(y)) => Some((inside(key), format!("missing, and should be {y}"))),
                (None, None) => None,
            })
        }
        (Value::Array(x), Value::Array(y)) if x.len() == y.len() => {
            x.iter().zip(y).enumerate().find_map(|(at, (x, y))| first(x, y, format!("{place}[{at}]")))
        }
        _ if a == b => None,
        _ => Some((place, format!("{a} instead of {b}"))),
    }
}

fn of_lines(found: &[u8], expected: &[u8]) -> Found {
    let [found, expected] = [found, expected].map(String::from_utf8_lossy);
    let (mut a, mut b) = (found.lines(), expected.lines());
    for number in 1.. {
        let (x, y) = match (a.next(), b.next()) {
            (None, None) => return None,
            (Some(_), None) => return Some((format!("line {number}"), "one line too many".into())),
            (None, Some(y)) => {
                return Some((format!("line {number}"), format!("missing, and should be {y}")));
            }
            (Some(x), Some(y)) => (x, y),
        };
        let Some((place, what)) = of_json(x.as_bytes(), y.as_bytes(), METRICS) else { continue };
        let line: Value = serde_json::from_str(y).unwrap_or_default();
        let mut at = format!("line {number}");
        for name in ["epoch", "step"] {
            if let Some(value) = line.get(name) {
                at += &format!(", {name} {value}");
            }
        }
        return Some((format!("{at}: {place}"), what));
    }
    None
}

/// Lines of `metrics.jsonl` without those of looks at the gradient that only one of them has.
fn in_both(found: &[u8], expected: &[u8]) -> [String; 2] {
    let texts = [found, expected].map(String::from_utf8_lossy);
    // The step of a line that has a look's value and no other.
    let look = |line: &str| -> Option<u64> {
        let line: Value = serde_json::from_str(line).ok()?;
        let values = line.get("values")?.as_object()?;
        (values.len() == 1 && values.contains_key(LOOK)).then(|| line.get("step")?.as_u64())?
    };
    let steps = [0, 1].map(|of: usize| texts[of].lines().filter_map(look).collect::<HashSet<u64>>());
    [0, 1].map(|of: usize| {
        let stays = |line: &&str| look(line).is_none_or(|step| steps[1 - of].contains(&step));
        texts[of].lines().filter(stays).flat_map(|line| [line, "\n"]).collect()
    })
}

/// What a look at the gradient records at a step.
const LOOK: &str = "gradient/norm";

fn of_boards(found: &[BoardEvent], expected: &[BoardEvent]) -> Found {
    let is_timed = |tag: &str| BOARD.iter().any(|of| tag.starts_with(of));
    if found.is_empty() && !expected.is_empty() {
        return Some((String::new(), "is missing".to_owned()));
    }
    for (number, (a, b)) in found.iter().zip(expected).enumerate() {
        let place = format!("event {number}, step {}: {}", b.step, b.tag);
        if (a.step, &a.tag) != (b.step, &b.tag) {
            return Some((place, format!("{} of step {} stands there", a.tag, a.step)));
        }
        if !is_timed(&a.tag) && a.value != b.value {
            return Some((place, "another value".into()));
        }
    }
    (found.len() != expected.len()).then(|| {
        (
            format!("event {}", found.len().min(expected.len())),
            format!("{} values instead of {}", found.len(), expected.len()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::without_root;

    #[test]
    fn paths_alone_lose_their_root() {
        let said = |text: &str, root: &str| String::from_utf8(without_root(text.as_bytes(), root)).unwrap();
        assert_eq!(
            said("data/a.jpg,nevus\n\"data/b c.jpg\",x", "data"),
            "DATA/a.jpg,nevus\n\"DATA/b c.jpg\",x"
        );
        assert_eq!(said("[data]\nmydata/a.jpg x/data/b.jpg", "data/"), "[data]\nmydata/a.jpg x/data/b.jpg");
        assert_eq!(said("0.5,./a.jpg", "."), "0.5,DATA/a.jpg");
        assert_eq!(said("/tmp/x/a.jpg", "/tmp/x"), "DATA/a.jpg");
    }
}
