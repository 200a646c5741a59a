//! What of the data was taken for what, and pictures that could not be taken.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use pupila_image::UnreadKind;

use crate::shown::shown;

/// What of the data was taken for what, to be said in one line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Taken {
    /// What was taken, such as `splits training_set -> train, test_set -> test`.
    pub what: Vec<String>,
    /// The keys of a recipe that say it otherwise.
    pub keys: Vec<&'static str>,
}

impl Taken {
    pub(crate) fn new(what: String, keys: &[&'static str]) -> Taken {
        Taken { what: vec![what], keys: keys.to_vec() }
    }

    /// Adds the names of the classes, the first of many.
    pub(crate) fn with_classes(mut self, classes: &[String]) -> Taken {
        const SHOWN: usize = 8;
        if !classes.is_empty() {
            let shown: Vec<String> = classes.iter().take(SHOWN).map(|class| one_line(class)).collect();
            let more = classes.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            self.what.push(format!("classes {}{more}", shown.join(", ")));
        }
        self
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.what.join("; ")))?;
        match self.keys[..] {
            [] => Ok(()),
            [key] => write!(f, " ({key} says it otherwise)"),
            _ => write!(f, " ({} say it otherwise)", self.keys.join(", ")),
        }
    }
}

/// A name without what would break a line, and not too long for one.
fn one_line(name: &str) -> String {
    const LONGEST: usize = 40;
    let plain = shown(name);
    match plain.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &plain[..end]),
        None => plain,
    }
}

/// Pictures, by their names, of a kind that is not read here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherPictures {
    /// Their extension, in lower case and without the dot.
    pub extension: String,
    /// The class folder that they are in; none where they are in no class folder, or where there are no classes.
    pub class: Option<String>,
    /// How many.
    pub count: usize,
}

/// How to convert pictures of a kind below a folder, as a command line. Each is written beside the one that it is made of,
/// under its whole name and a new ending, so that nothing is written over.
pub fn conversion(extension: &str, folder: &Path) -> String {
    let to_png = UnreadKind::of_extension(extension).is_some_and(|kind| kind.to_png);
    let to = if to_png { "png" } else { "jpg" };
    let folder = folder.display().to_string().replace('\'', "'\\''");
    format!("find '{folder}' -iname '*.{extension}' -exec magick {{}} {{}}.{to} \\;")
}

/// How many pictures there are of each extension and class: `3 .heic (cats 2, dogs 1), 1 .avif`.
pub fn list_pictures(pictures: &[OtherPictures]) -> String {
    let mut by_extension: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for OtherPictures { extension, class, count } in pictures {
        let entry = by_extension.entry(extension).or_default();
        entry.0 += count;
        entry.1.extend(class.iter().map(|class| format!("{} {count}", shown(class))));
    }
    const SHOWN: usize = 10;
    let one = |(extension, (count, classes)): (&str, (usize, Vec<String>))| {
        let more = classes.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more classes") } else { String::new() };
        let shown = classes.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
        if classes.is_empty() {
            format!("{count} .{extension}")
        } else {
            format!("{count} .{extension} ({shown}{more})")
        }
    };
    by_extension.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

/// The counts of one folder, by extension.
pub(crate) type Tally = BTreeMap<String, usize>;

/// Adds a folder's counts to those of a scan.
pub(crate) fn add_pictures(all: &mut Vec<OtherPictures>, tally: &Tally, class: Option<&str>) {
    for (extension, count) in tally {
        let same =
            |other: &&mut OtherPictures| other.extension == *extension && other.class.as_deref() == class;
        match all.iter_mut().find(same) {
            Some(other) => other.count += count,
            None => all.push(OtherPictures {
                extension: extension.clone(),
                class: class.map(str::to_owned),
                count: *count,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_stands_in_one_line() {
        let classes: Vec<String> = (0..10).map(|i| format!("c\n{i}")).collect();
        let taken = Taken::new("splits Train Set -> train".to_owned(), &["data.train", "data.test"]);
        let text = taken.with_classes(&classes).to_string();
        assert_eq!(
            text,
            "splits Train Set -> train; classes c\\n0, c\\n1, c\\n2, c\\n3, c\\n4, c\\n5, c\\n6, c\\n7 and 2 more \
             (data.train, data.test say it otherwise)"
        );
        assert_eq!(Taken::default().to_string(), "");
    }

    #[test]
    fn pictures_are_counted_by_extension_and_class() {
        let mut all = Vec::new();
        let tally =
            |pairs: &[(&str, usize)]| pairs.iter().map(|&(e, n)| (e.to_owned(), n)).collect::<Tally>();
        add_pictures(&mut all, &tally(&[("heic", 2), ("avif", 1)]), Some("cats"));
        add_pictures(&mut all, &tally(&[("heic", 1)]), Some("dogs"));
        add_pictures(&mut all, &tally(&[("heic", 4)]), Some("cats"));
        assert_eq!(list_pictures(&all), "1 .avif (cats 1), 7 .heic (cats 6, dogs 1)");
        assert_eq!(
            conversion("heic", Path::new("my data")),
            "find 'my data' -iname '*.heic' -exec magick {} {}.jpg \\;"
        );
        assert!(conversion("dcm", Path::new("d")).contains("{}.png"));
    }
}
