//! What says of which split the images of a folder or of a table are, besides the columns of that table: tables that are called after a split and name
//! some of them, and the folders that they are in.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::Wanted;
use super::beside::tables_of;
use super::columns::path_only;
use super::files::{Finder, Row};
use super::label_lists::{is_text, texts_of};
use super::split_values::meaning;
use super::splits::{HOW_NONE, SplitColumn, find, odd, split_asked};
use super::table::{Table, text_of};
use crate::files;
use crate::scan::{Listed, Listing, split_of};
use crate::shown_path;
use crate::suggest::in_a_shell;
use crate::{Layout, Notice, ScanError, Split};

/// Such tables, each with its split.
pub(in crate::scan) type Lists = Vec<(Split, PathBuf)>;

impl Listing {
    /// Gives images the split that a list has them in. Where there is a list to train on, what is in none is left out; else it is
    /// trained on. Nothing changes where no list names an image of this listing, or where the images have splits.
    pub(in crate::scan) fn part(
        &mut self,
        root: &Path,
        lists: &[(Split, PathBuf)],
        wanted: &Wanted<'_>,
    ) -> Result<(), ScanError> {
        let is_free = |split: Option<Split>| matches!(split, None | Some(Split::Train));
        if lists.is_empty() || wanted.layout.reads_no_split() {
            return Ok(());
        }
        let mut said: HashMap<PathBuf, (Split, &Path)> = HashMap::new();
        let lists = without_unions(lists);
        let mut missing: HashMap<&Path, usize> = HashMap::new();
        for (split, path) in &lists {
            let Names { files, lost } = listed(root, (*split, path), wanted)?;
            missing.insert(path, lost);
            for file in files {
                let other = said.insert(file.clone(), (*split, path));
                if let Some((_, other)) = other.filter(|(other, _)| other != split) {
                    let name = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
                    let reason = format!(
                        "{} is in {} too: say which lists are of one division, such as by --set 'data.lists=[{}]', or read none of them: --set \
                         data.split_column=none",
                        shown_path(&file),
                        name(other),
                        of_one_division(path, &lists)
                    );
                    let lines = vec![crate::BadLine { line: 1, reason }];
                    return Err(ScanError::Manifest { path: path.clone(), lines });
                }
            }
        }
        let of = |path: &Path, split| said.get(path).filter(|_| is_free(split)).map(|(split, _)| *split);
        let moves = |file: &Listed| of(&file.path, file.split).is_some_and(|split| Some(split) != file.split);
        // What lists all images to train on says nothing new.
        let trains = |file: &Listed| of(&file.path, file.split).or(file.split) == Some(Split::Train);
        if !self.files.iter().any(moves) || self.files.iter().all(trains) {
            return Ok(());
        }
        let rest = match lists.iter().any(|(split, _)| *split == Split::Train) {
            true => None,
            false => Some(Split::Train),
        };
        let before = self.files.len();
        for file in self.files.iter_mut().filter(|file| is_free(file.split)) {
            file.split = of(&file.path, file.split).or(file.split).or(rest);
        }
        self.files.retain(|file| file.split.is_some());
        let unlisted = before - self.files.len();
        for (split, path) in &lists {
            let n = self
                .files
                .iter()
                .filter(|file| said.get(&file.path).is_some_and(|(_, of)| of == path))
                .count();
            if n > 0 {
                let name = path.strip_prefix(root).unwrap_or(path).display();
                let lost = match missing.get(path.as_path()) {
                    None | Some(0) => String::new(),
                    Some(lost) => format!(" ({lost} more are not there)"),
                };
                self.taken.what.push(format!("the {n} images that {name} lists -> {split}{lost}"));
            }
        }
        if unlisted > 0 {
            let s = if unlisted == 1 { "" } else { "s" };
            self.taken.what.push(format!("{unlisted} image{s} that no list has left out"));
        }
        Ok(())
    }
}

impl Listing {
    /// Gives the images of tables that say no splits those of the folders that they are in, as `train/1.png` and `test/2.png`, where each is in a
    /// folder that is called after one, and some are trained on. Where a few are, it is told.
    pub(super) fn part_by_folders(&mut self, root: &Path, wanted: &Wanted<'_>) {
        if wanted.layout.reads_no_split() || self.files.iter().any(|file| file.split.is_some()) {
            return;
        }
        let mut names: BTreeMap<Split, BTreeSet<String>> = BTreeMap::new();
        let mut of_folder = |file: &Listed| {
            let below = file.path.strip_prefix(root).unwrap_or(&file.path).parent()?;
            // A train is also a thing to classify.
            let mut named = below.iter().filter_map(|part| part.to_str()).filter(|part| *part != file.class);
            let (name, split) = named.find_map(|part| Some((part, split_of(part)?)))?;
            names.entry(split).or_default().insert(name.to_owned());
            Some(split)
        };
        let splits: Vec<Option<Split>> = self.files.iter().map(&mut of_folder).collect();
        let said = |split: &Split, names: &BTreeSet<String>| {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            format!("{} -> {split}", names.join(" + "))
        };
        let all: Vec<String> = names.iter().map(|(split, names)| said(split, names)).collect();
        let trains = names.contains_key(&Split::Train);
        // All in one folder says nothing.
        if names.len() + usize::from(splits.contains(&None)) < 2 {
            return;
        }
        if splits.contains(&None) || !trains {
            let images =
                splits.iter().filter(|split| matches!(split, Some(Split::Val | Split::Test))).count();
            if images > 0 {
                let folders = all.join(", ");
                self.beside.notices.push(Notice::FoldersLikeSplits { folders, images, trains });
            }
            return;
        }
        self.files.iter_mut().zip(splits).for_each(|(file, split)| file.split = split);
        self.taken.what.push(format!("the folders of the files the splits, {}{HOW_NONE}", all.join(", ")));
    }
}

impl Listing {
    /// Gives the images of class folders the splits that a column of a table beside them says, where neither folders nor lists say any. Where it
    /// has a training set, what it does not name is left out; else it is trained on.
    pub(in crate::scan) fn part_by_column(
        &mut self,
        root: &Path,
        path: Option<&Path>,
        wanted: &Wanted<'_>,
    ) -> Result<(), ScanError> {
        let Some(path) = path else { return Ok(()) };
        let are_parted = self.files.iter().any(|file| file.split.is_some());
        let (mut table, layout) = (Table::read(path)?, wanted.layout);
        let finder = Finder::new(root, path.parent().unwrap_or(root), layout)?;
        finder.find_path(&mut table, layout);
        let (Some(names), Some(column)) = (path_only(&table, layout), parting_column(&table, layout)) else {
            return Ok(());
        };
        let mut bad = Vec::new();
        if let SplitColumn::Named(column) = &column {
            bad.extend(odd(&table, *column, layout));
        }
        let mut rows: Vec<(u64, &str, Option<Split>)> = Vec::with_capacity(table.rows.len());
        for (line, record) in &table.rows {
            let field = |column: usize| record.get(column).unwrap_or_default();
            // What says nothing is told once, above.
            let named = |value: &str| Ok(meaning(value, layout).flatten());
            match column.split(&table.header, field, named) {
                Ok(split) => rows.push((*line, field(names), split)),
                Err(reason) => bad.push(crate::BadLine { line: *line, reason }),
            }
        }
        let asked: Vec<Row<'_>> = rows.iter().map(|&(_, name, split)| Row { name, split }).collect();
        let mut said: HashMap<PathBuf, Option<Split>> = HashMap::new();
        for ((line, _, split), found) in rows.iter().zip(finder.resolve(&asked, None).paths) {
            let reason = match found {
                Ok(file) => match said.insert(file.clone(), *split) {
                    Some(other) if other != *split => {
                        format!("{} is of another split on a line before", shown_path(&file))
                    }
                    _ => continue,
                },
                Err(reason) => reason,
            };
            bad.push(crate::BadLine { line: *line, reason });
        }
        let of = |file: &Listed| said.get(&file.path).copied();
        if are_parted {
            let others = self
                .files
                .iter()
                .filter(|file| of(file).flatten().is_some_and(|split| Some(split) != file.split));
            let (images, trained) = others.fold((0, 0), |(images, trained), file| {
                (images + 1, trained + usize::from(file.split == Some(Split::Train)))
            });
            let table = path.strip_prefix(root).unwrap_or(path).to_owned();
            let told = (images > 0).then_some(Notice::TableAgainstFolders { table, images, trained });
            self.beside.notices.extend(told);
            return Ok(());
        }
        if !bad.is_empty() {
            bad.sort_by_key(|bad| bad.line);
            return Err(ScanError::Manifest { path: path.to_owned(), lines: bad });
        }
        let judged = |file: &Listed| matches!(of(file), Some(Some(Split::Val | Split::Test)));
        if !self.files.iter().any(judged) {
            return Ok(());
        }
        let trains = self.files.iter().any(|file| of(file) == Some(Some(Split::Train)));
        let rest = (!trains).then_some(Split::Train);
        let unnamed = self.files.iter().filter(|file| of(file).is_none()).count();
        let before = self.files.len();
        for file in &mut self.files {
            file.split = said.get(&file.path).copied().unwrap_or(rest);
        }
        self.files.retain(|file| file.split.is_some());
        let header = &table.header[names];
        let splits = column.said(&table, layout);
        let mut text = format!("table {}: {header} names the files{splits}", table.name());
        let left_out = before - self.files.len();
        if left_out > 0 {
            let s = if left_out == 1 { "" } else { "s" };
            let not_named = if trains { unnamed } else { 0 };
            text += &format!("; {left_out} image{s} left out ({not_named} that it does not name)");
        }
        self.taken.what.push(text);
        Ok(())
    }
}

/// What says the splits in a table that says no classes.
pub(super) fn parting_column(table: &Table, layout: &Layout) -> Option<SplitColumn> {
    if layout.reads_no_split() {
        return None;
    }
    let path = path_only(table, layout)?;
    split_asked(table, layout).or_else(|| find(table, Some(path), layout))
}

/// The lists that are called as this one is but for the word of their split: of `train1.txt` those that end in this number.
fn of_one_division(path: &Path, lists: &[(Split, PathBuf)]) -> String {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let number = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let bare = stem.trim_end_matches(|c: char| c.is_ascii_digit()).len();
        stem[bare..].to_owned()
    };
    let alike = lists.iter().filter(|(_, other)| number(other) == number(path));
    let mut names: Vec<(Split, String)> =
        alike.map(|(split, other)| (*split, in_a_shell(&name(other)))).collect();
    names.sort_unstable();
    names.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(", ")
}

/// Without those of training and validation together, where both have lists of their own.
fn without_unions(lists: &[(Split, PathBuf)]) -> Vec<(Split, PathBuf)> {
    let is_union = |path: &Path| {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        crate::scan::names::plain(&stem).contains("trainval")
    };
    let has = |split: Split| lists.iter().any(|(of, path)| *of == split && !is_union(path));
    let both = has(Split::Train) && has(Split::Val);
    lists.iter().filter(|(_, path)| !(both && is_union(path))).cloned().collect()
}

/// What a list names.
struct Names {
    /// The images that are there.
    files: Vec<PathBuf>,
    /// How many are not.
    lost: usize,
}

/// The images that a table or a text names; fails where a name may be one of several.
fn listed(root: &Path, (split, path): (Split, &Path), wanted: &Wanted<'_>) -> Result<Names, ScanError> {
    let (mut table, lines);
    let finder = Finder::new(root, path.parent().unwrap_or(root), wanted.layout)?;
    let finder = if is_text(path) { finder.without_numbers() } else { finder };
    let rows: Vec<Row<'_>> = if is_text(path) {
        lines = read_lines(path)?;
        lines.iter().map(|name| Row { name, split: None }).collect()
    } else {
        table = Table::read(path)?;
        finder.find_path(&mut table, wanted.layout);
        let Some(column) = path_only(&table, wanted.layout) else {
            return Ok(Names { files: Vec::new(), lost: 0 });
        };
        table.values(column).map(|name| Row { name, split: None }).collect()
    };
    let mut names = Names { files: Vec::new(), lost: 0 };
    for (at, found) in finder.resolve(&rows, Some(split)).paths.into_iter().enumerate() {
        match found {
            Ok(file) if files::exists(&file) => names.files.push(file),
            Ok(_) => names.lost += 1,
            Err(reason) => {
                // A table has a header.
                let line = at as u64 + if is_text(path) { 1 } else { 2 };
                let reason = format!("{reason}; or read no list: --set data.split_column=none");
                let lines = vec![crate::BadLine { line, reason }];
                return Err(ScanError::Manifest { path: path.to_owned(), lines });
            }
        }
    }
    Ok(names)
}

/// The lines of a text, each without what may stand behind a file's name, such as the number of its class.
fn read_lines(path: &Path) -> Result<Vec<String>, ScanError> {
    let bytes = files::read_file(path).map_err(|source| ScanError::Read { path: path.to_owned(), source })?;
    Ok(names_of(&bytes))
}

fn names_of(bytes: &[u8]) -> Vec<String> {
    let Ok((text, _)) = text_of(bytes) else { return Vec::new() };
    let text = String::from_utf8_lossy(&text);
    lines_of(&text).map(|(_, line)| unquoted(name_in(line)).to_owned()).collect()
}

/// The lines that say something, each with its number; `#` begins one that is for people.
pub(super) fn lines_of(text: &str) -> impl Iterator<Item = (u64, &str)> {
    let lines = (1..).zip(text.lines().map(str::trim));
    lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
}

/// A field without quotes around it.
pub(super) fn unquoted(field: &str) -> &str {
    let within = |quote: char| field.strip_prefix(quote)?.strip_suffix(quote);
    within('"').or_else(|| within('\'')).unwrap_or(field)
}

/// The name of a file at the start of a line, in quotes where it stands in quotes.
pub(super) fn name_in(line: &str) -> &str {
    // Longer than a path can be.
    const LONGEST: usize = 8192;
    let separators = [' ', '\t', ','];
    if line.len() > LONGEST {
        return line;
    }
    if let Some(quote) = line.chars().next().filter(|c| matches!(c, '"' | '\''))
        && let Some(end) = line[1..].find(quote)
    {
        return &line[..end + 2];
    }
    let ends = line.match_indices(separators).map(|(end, _)| end).chain([line.len()]);
    let with_extension = ends.map(|end| &line[..end]).find(|start| super::files::has_image_extension(start));
    with_extension.unwrap_or_else(|| match line.split_once(separators) {
        // A class of several words, `apple pie/1005649`, and what may be the number of the class, `2007_000032 -1`.
        Some((name, rest)) if !rest.contains('/') => name,
        _ => line,
    })
}

/// The texts among `texts` that are called after a split and of which most lines name an image of the data set in `root`.
pub(super) fn texts(root: &Path, folders: &[PathBuf], wanted: &Wanted<'_>) -> Lists {
    let mut paths: Vec<PathBuf> = folders.iter().flat_map(|folder| texts_of(folder)).collect();
    paths.retain(|path| wanted.layout.reads(path));
    paths.sort_unstable();
    let splits = super::beside::table_splits(&paths);
    let named = splits.into_iter().zip(paths).filter_map(|(split, path)| Some((split?, path)));
    let names_images = |path: &Path| {
        const START: u64 = 1 << 16;
        let Ok(start) = files::read_start(path, START) else { return false };
        let mut lines = names_of(&start);
        lines.truncate(Finder::FEW);
        let Ok(finder) = Finder::new(root, path.parent().unwrap_or(root), wanted.layout) else {
            return false;
        };
        let rows: Vec<Row<'_>> = lines.iter().map(|name| Row { name, split: None }).collect();
        !rows.is_empty() && finder.without_numbers().resolve(&rows, None).found * 2 > rows.len()
    };
    named.filter(|(_, path)| names_images(path)).collect()
}

/// The command that makes a list of the test images of a file whose lines are a name and a number of its split, 2 for the test set, or the word
/// `test`; none of other files.
pub(in crate::scan) fn parting_line(root: &Path, path: &Path) -> Option<String> {
    const START: u64 = 1 << 16;
    const LEAST: usize = 4;
    let bytes = files::read_start(path, START).ok()?;
    let cut = if bytes.len() as u64 == START {
        bytes.iter().rposition(|&byte| byte == b'\n')?
    } else {
        bytes.len()
    };
    let text = std::str::from_utf8(&bytes[..cut]).ok()?;
    let is_between = |c: char| c == ',' || c == ' ' || c == '\t';
    let fields: Vec<Vec<&str>> = lines_of(text).map(|(_, line)| line.split(is_between).collect()).collect();
    // The first line may be a header.
    let rows = fields.get(1..).filter(|rows| rows.len() >= LEAST)?;
    let pairs: Vec<&str> = rows
        .iter()
        .map(|row| if let [_, split] = row[..] { Some(split) } else { None })
        .collect::<Option<_>>()?;
    let values: BTreeSet<&str> = pairs.into_iter().collect();
    let are_numbers = values.iter().all(|value| ["0", "1", "2"].contains(value)) && values.contains("2");
    let are_words = values.iter().all(|value| split_of(value).is_some());
    let test = match (are_numbers, values.iter().find(|value| split_of(value) == Some(Split::Test))) {
        (true, _) => "2",
        (false, Some(word)) if are_words => word,
        _ => return None,
    };
    let quoted = |path: &Path| shown_path(path).to_string().replace('\'', "'\\''");
    Some(format!(
        "awk -F'[, \\t]' '$2 == \"{test}\" {{ print $1 }}' '{}' > '{}' makes a list of those that have {test}",
        quoted(path),
        quoted(&root.join("test.txt"))
    ))
}

/// What tables beside the one that was named say of its images: those of validation and test are trained on, which is told.
pub(in crate::scan) fn beside_named(path: &Path, listing: &Listing, wanted: &Wanted<'_>) -> Vec<Notice> {
    let folder = super::folder_of(path);
    let tables = tables_of(folder);
    let splits = super::beside::table_splits(&tables);
    let trained: HashSet<&Path> = (listing.files.iter())
        .filter(|file| matches!(file.split, None | Some(Split::Train)))
        .map(|file| file.path.as_path())
        .collect();
    let others = tables
        .iter()
        .cloned()
        .zip(splits)
        .filter_map(|(other, split)| (other.file_name() != path.file_name()).then_some((split?, other)));
    let judged = others.chain(texts(folder, &[folder.to_owned()], wanted));
    let judged = judged.filter(|(split, _)| *split != Split::Train);
    let told = judged.filter_map(|(split, other)| {
        let named = listed(folder, (split, &other), wanted).ok()?.files;
        let images = named.iter().filter(|file| trained.contains(file.as_path())).count();
        (images > 0).then(|| Notice::RowsOfOther { table: other, images, folder: folder.to_owned() })
    });
    told.collect()
}
