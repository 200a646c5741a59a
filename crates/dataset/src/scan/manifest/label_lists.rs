//! Lists without a header, of a file and its class on each line, as `Abyssinian_100 1` or `1025794 707-320`: tables of which the columns have
//! no names.

use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::lists::{lines_of, name_in, unquoted};
use super::table::{Table, text_of};
use crate::files;

/// Whether a file is a text by its name.
pub(super) fn is_text(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| ["txt", "lst"].iter().any(|known| extension.eq_ignore_ascii_case(known)))
}

/// The texts directly in a folder.
pub(super) fn texts_of(folder: &Path) -> Vec<PathBuf> {
    let entries = files::entries(folder).into_iter().flatten().flatten();
    let mut texts: Vec<PathBuf> =
        entries.filter(|entry| !entry.is_folder && is_text(&entry.path)).map(|entry| entry.path).collect();
    texts.sort_unstable();
    texts
}

/// A text as a table; `None` where some line is a name alone. The first column is `path`. Where one other can be the class, it is `label`; else
/// they are called `column2` and so on. Behind a space everything is the class, of however many words, unless all of it is numbers: spaces also stand in names.
pub(super) fn table(path: &Path, bytes: &[u8]) -> Option<Table> {
    let (text, _) = text_of(bytes).ok()?;
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<(u64, &str)> = lines_of(&text).collect();
    let separator = ['\t', ','].into_iter().find(|&of| lines.iter().all(|(_, line)| line.contains(of)));
    let parted = |line: &str| -> (String, Vec<String>) {
        match separator {
            Some(of) => {
                let mut fields = line.split(of).map(|field| unquoted(field.trim()).to_owned());
                (fields.next().unwrap_or_default(), fields.collect())
            }
            None => {
                let name = name_in(line);
                (
                    unquoted(name).to_owned(),
                    line[name.len()..].split_whitespace().map(str::to_owned).collect(),
                )
            }
        }
    };
    let mut rows: Vec<(u64, String, Vec<String>)> = Vec::with_capacity(lines.len());
    for (at, line) in lines {
        let (name, fields) = parted(line);
        if fields.iter().all(String::is_empty) {
            return None;
        }
        rows.push((at, name, fields));
    }
    let count = rows.first()?.2.len();
    let is_number = |field: &String| field.parse::<f64>().is_ok();
    let alike = rows.iter().all(|(.., fields)| fields.len() == count);
    if !alike && separator.is_some() {
        return None;
    }
    let in_words = separator.is_none() && !rows.iter().all(|(.., fields)| fields.iter().all(is_number));
    if in_words || !alike {
        rows.iter_mut().for_each(|(.., fields)| *fields = vec![fields.join(" ")]);
    }
    let count = rows.first()?.2.len();
    let is_words = |at: &usize| rows.iter().any(|(.., fields)| !is_number(&fields[*at]));
    let words: Vec<usize> = (0..count).filter(is_words).collect();
    let label = match (count, &words[..]) {
        (1, _) => Some(0),
        (_, [only]) => Some(*only),
        _ => None,
    };
    let name = |at: usize| if label == Some(at) { "label".to_owned() } else { format!("column{}", at + 2) };
    let header = std::iter::once("path".to_owned()).chain((0..count).map(name)).collect();
    let record = |(line, name, fields): (u64, String, Vec<String>)| {
        (line, StringRecord::from_iter(std::iter::once(name).chain(fields)))
    };
    Some(Table::of(path, header, rows.into_iter().map(record).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_behind_a_name_is_its_class_where_it_can_be_one_thing() {
        let of = |text: &str| {
            let table = table(Path::new("train.txt"), text.as_bytes())?;
            let rows = table.rows.iter().map(|(_, row)| row.iter().collect::<Vec<_>>().join("|"));
            Some((table.header.join(","), rows.collect::<Vec<_>>().join("; ")))
        };
        let some = |header: &str, rows: &str| Some((header.to_owned(), rows.to_owned()));
        assert_eq!(
            of("1025794 707-320\n1340192 727-200\n"),
            some("path,label", "1025794|707-320; 1340192|727-200")
        );
        assert_eq!(of("1 Boeing 707\n2 Boeing 727\n"), some("path,label", "1|Boeing 707; 2|Boeing 727"));
        assert_eq!(of("1 A\n2 Boeing 727\n"), some("path,label", "1|A; 2|Boeing 727"));
        assert_eq!(of("#a\na_1 1 1\na_2 2 1\n"), some("path,column2,column3", "a_1|1|1; a_2|2|1"));
        assert_eq!(
            of("v_0.JPEG\tn03444034\t0\t32\nv_1.JPEG\tn04067472\t5\t6\n"),
            some("path,label,column3,column4", "v_0.JPEG|n03444034|0|32; v_1.JPEG|n04067472|5|6")
        );
        assert_eq!(of("\"a 1.jpg\",\"x\"\n\"b 2.jpg\",\"y\"\n"), some("path,label", "a 1.jpg|x; b 2.jpg|y"));
        assert_eq!(of("a b.jpg 1\nc d.jpg 2\n"), some("path,label", "a b.jpg|1; c d.jpg|2"));
        for no in ["", "a\nb\n", "a 1\nb\n", "a\tb\tc\na\tb\n", "a.jpg\nb.jpg\n"] {
            assert_eq!(of(no), None, "{no:?}");
        }
    }
}
