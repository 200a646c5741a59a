//! `predictions.csv`: the judged images, one a line.

use crate::RunFolder;
use crate::error::{RunFileError, damaged};
use pupila_metrics::{Predictions, PredictionsError};
use std::fmt::Write as _;
use std::io::Read;
use std::path::Path;

/// A `predictions.csv` of labelled images.
#[derive(Debug)]
pub struct PredictionsFile {
    /// The classes, in the order of the columns.
    pub classes: Vec<String>,
    /// The paths of the images.
    pub paths: Vec<String>,
    /// The group of each image, such as its patient, empty where it has none; `None` where no groups are known.
    pub groups: Option<Vec<String>>,
    /// Their labels and probabilities.
    pub predictions: Predictions,
}

/// Whether a file may be written over by predictions: it is not there, no file, empty, or holds predictions already that are no run's own.
pub fn may_hold_predictions(path: &Path) -> bool {
    if is_of_a_run(path) {
        return false;
    }
    let is_file = std::fs::metadata(path).is_ok_and(|there| there.is_file() && there.len() > 0);
    let begins = || {
        let mut start = vec![0; FIXED.join(",").len()];
        let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
        read.is_ok() && start == FIXED.join(",").as_bytes()
    };
    !is_file || begins()
}

/// Whether a file is in a run folder, whose files are its records.
pub fn is_of_a_run(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    path.is_file() && folder.join(RunFolder::SUMMARY).is_file()
}

/// The columns before those of the classes.
const FIXED: [&str; 4] = ["path", "label", "predicted", "correct"];
/// The column of groups, which is there where groups are known.
const GROUP: &str = "group";
/// Stands before a class's column where its name alone would be that of another column.
const CLASS: &str = "class:";

/// The name of a class's column.
fn column(class: &str) -> String {
    let taken = FIXED.contains(&class) || class == GROUP || class.starts_with(CLASS);
    if taken { format!("{CLASS}{class}") } else { class.to_owned() }
}

/// `predictions.csv`: path, label, predicted, correct, the group where groups are known, then a probability for each class.
///
/// `paths` and `groups` belong to the rows of `predictions`; without labels the columns `label` and `correct` are empty. A class
/// with the name of another column has `class:` before it, in the header alone.
pub fn predictions_csv(
    classes: &[String],
    paths: &[String],
    groups: Option<&[String]>,
    labelled: bool,
    predictions: &Predictions,
) -> String {
    let mut text = FIXED.join(",");
    if groups.is_some() {
        text.push(',');
        text += GROUP;
    }
    for class in classes {
        text.push(',');
        text += &field(&column(class));
    }
    text.push('\n');
    let rows =
        paths.iter().zip(predictions.rows()).zip(predictions.targets().iter().zip(predictions.predicted()));
    for (place, ((path, probabilities), (&label, predicted))) in rows.enumerate() {
        let class = |id: u32| field(classes.get(id as usize).map_or("", String::as_str));
        let (label, correct) = match labelled {
            true => (class(label), if label == predicted { "1" } else { "0" }),
            false => (String::new(), ""),
        };
        text += &format!("{},{label},{},{correct}", field(path), class(predicted));
        if let Some(groups) = groups {
            text.push(',');
            text += &field(groups.get(place).map_or("", String::as_str));
        }
        for p in probabilities {
            // The shortest digits that read back as the same f32.
            let _ = write!(text, ",{p}");
        }
        text.push('\n');
    }
    text
}

/// A CSV field, quoted where it must be (RFC 4180).
pub(crate) fn field(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

impl PredictionsFile {
    /// Reads what [`predictions_csv`] wrote of labelled images, with `known` classes, of which the summary may tell the number.
    pub(crate) fn read(path: &Path, text: &str, known: usize) -> Result<PredictionsFile, RunFileError> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let mut records = reader.records();
        let wrong = |error: csv::Error| damaged(path, error.position().map(csv::Position::line), error);
        let header = records.next().transpose().map_err(wrong)?.unwrap_or_default();
        let fixed: Vec<&str> = header.iter().take(FIXED.len()).collect();
        // Earlier versions wrote a class named `group` as it is: the number of columns tells.
        let grouped = header.get(FIXED.len()) == Some(GROUP) && header.len() != FIXED.len() + known;
        let before = FIXED.len() + usize::from(grouped);
        if fixed != FIXED || header.len() < before + 1 {
            let message = "must begin with path,label,predicted,correct and a column for each class";
            return Err(damaged(path, Some(1), message));
        }
        let named = |column: &str| column.strip_prefix(CLASS).unwrap_or(column).to_owned();
        let classes: Vec<String> = header.iter().skip(before).map(named).collect();
        let mut predictions = Predictions::new(classes.len());
        let (mut paths, mut groups, mut row) = (Vec::new(), Vec::new(), Vec::new());
        for record in records {
            let record = record.map_err(wrong)?;
            let line = record.position().map(csv::Position::line);
            let label = &record[1];
            let target = classes.iter().position(|class| class == label).ok_or_else(|| {
                damaged(
                    path,
                    line,
                    format_args!("the label `{label}` is none of the classes in the first line"),
                )
            })?;
            row.clear();
            for field in record.iter().skip(before) {
                row.push(
                    field
                        .parse::<f32>()
                        .map_err(|_| damaged(path, line, format_args!("`{field}` is no number")))?,
                );
            }
            let added = predictions.push_probabilities(&row, &[target as u32]);
            added.map_err(|error: PredictionsError| damaged(path, line, error))?;
            let predicted = pupila_metrics::argmax(&row) as usize;
            if record[2] != classes[predicted] {
                let (said, most) = (&record[2], &classes[predicted]);
                let message =
                    format_args!("`{said}` is predicted, and the highest probability is that of `{most}`");
                return Err(damaged(path, line, message));
            }
            if record[3] != *if predicted == target { "1" } else { "0" } {
                let message =
                    format_args!("correct is `{}`, which predicted and label do not say", &record[3]);
                return Err(damaged(path, line, message));
            }
            paths.push(record[0].to_owned());
            groups.extend(grouped.then(|| record[FIXED.len()].to_owned()));
        }
        if paths.is_empty() {
            return Err(damaged(path, None, "holds no image"));
        }
        Ok(PredictionsFile { classes, paths, groups: grouped.then_some(groups), predictions })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_fields_are_quoted_where_they_must_be() {
        let mut predictions = Predictions::new(2);
        predictions.push_probabilities(&[0.25, 0.75, 1.0, 0.0], &[0, 0]).unwrap();
        let classes = ["a,b".to_owned(), "c".to_owned()];
        let paths = ["x \"1\".png".to_owned(), "y.png".to_owned()];
        let text = predictions_csv(&classes, &paths, None, true, &predictions);
        let expected = "path,label,predicted,correct,\"a,b\",c\n\"x \"\"1\"\".png\",\"a,b\",c,0,0.25,0.75\ny.png,\"a,b\",\"a,b\",1,1,0\n";
        assert_eq!(text, expected);
        assert!(predictions_csv(&classes, &paths, None, false, &predictions).contains("y.png,,\"a,b\",,1,0"));
    }

    #[test]
    fn what_was_written_is_read_back_to_the_bit() {
        let classes = ["a,b".to_owned(), "c \"d\"\n".to_owned(), "e".to_owned()];
        let mut written = Predictions::new(3);
        written.push_logits(&[0.1, 2.0, -3.0, 1e-3, 0.0, 12.0], &[1, 2]).unwrap();
        let paths = ["x,y.png".to_owned(), "z.png".to_owned()];
        let text = predictions_csv(&classes, &paths, None, true, &written);
        let read = PredictionsFile::read(Path::new("p.csv"), &text, 3).unwrap();
        assert_eq!((&read.classes[..], &read.paths[..]), (&classes[..], &paths[..]));
        let read = read.predictions;
        assert_eq!((read.probabilities(), read.targets()), (written.probabilities(), written.targets()));
        assert_eq!(read.confusion(), written.confusion());
    }

    #[test]
    fn no_class_takes_the_column_of_something_else() {
        for names in [
            ["path", "label"],
            ["correct", "predicted"],
            ["group", "b"],
            ["class:a", "class:"],
            ["a", "group"],
        ] {
            let classes = names.map(str::to_owned);
            let mut written = Predictions::new(2);
            written.push_probabilities(&[0.25, 0.75, 0.5, 0.5], &[0, 1]).unwrap();
            let paths = ["x.png".to_owned(), "y.png".to_owned()];
            let of = ["p,1".to_owned(), String::new()];
            for groups in [None, Some(&of[..])] {
                let text = predictions_csv(&classes, &paths, groups, true, &written);
                let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
                for (place, name) in header.iter().enumerate() {
                    assert!(!header[..place].contains(name), "{text}");
                }
                let read = PredictionsFile::read(Path::new("p.csv"), &text, 2).unwrap();
                assert_eq!((&read.classes[..], read.groups.as_deref()), (&classes[..], groups));
            }
        }
        // As it was written before: a class named `group`, no groups.
        let old = "path,label,predicted,correct,group,b\nx,b,group,0,0.75,0.25\n";
        let read = PredictionsFile::read(Path::new("p.csv"), old, 2).unwrap();
        assert_eq!((read.classes, read.groups), (vec!["group".to_owned(), "b".to_owned()], None));
    }

    #[test]
    fn damage_is_named_with_its_line() {
        let error = |text: &str| PredictionsFile::read(Path::new("p.csv"), text, 2).unwrap_err().to_string();
        let header = "path,label,predicted,correct,a,b\n";
        for (rest, said) in [
            ("x,a,a,1,0.5,0.5\ny,c,a,0,0.5,0.5\n", "p.csv, line 3: the label `c` is none of the classes"),
            ("x,a,a,1,half,0.5\n", "p.csv, line 2: `half` is no number"),
            ("x,a,a,1,1.5,0.5\n", "p.csv, line 2: sample 0 of the batch has 1.5 for class 0"),
            ("x,a,a,1,0.5\n", "p.csv, line 2: "),
            (
                "x,a,b,0,0.5,0.5\n",
                "p.csv, line 2: `b` is predicted, and the highest probability is that of `a`",
            ),
            ("x,a,a,7,0.5,0.5\n", "p.csv, line 2: correct is `7`"),
            ("", "p.csv: holds no image"),
        ] {
            let said_instead = error(&format!("{header}{rest}"));
            assert!(said_instead.starts_with(said), "{said_instead}");
        }
        assert!(error("").starts_with("p.csv, line 1: must begin with path,label"));
    }
}
