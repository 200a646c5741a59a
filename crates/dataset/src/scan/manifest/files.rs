//! From what a table says of its files to the files: as it is written, or wherever below a folder a file has that name.

use std::cell::{Cell, OnceCell};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use pupila_image::{Format, UnreadKind};
use unicode_normalization::UnicodeNormalization;

use super::columns::path_only;
use super::table::Table;
use crate::files;
use crate::scan::folders::files_below;
use crate::scan::masks::names_masks;
use crate::scan::names::split_of;
use crate::suggest::setting;
use crate::{Layout, ScanError, Split};

/// Whether a name ends as that of an image file does.
pub(super) fn has_image_extension(name: &str) -> bool {
    let Some((stem, extension)) = name.rsplit_once('.') else { return false };
    let known = || {
        Format::ALL.iter().flat_map(|format| format.extensions()).any(|e| e.eq_ignore_ascii_case(extension))
    };
    !stem.is_empty() && (known() || UnreadKind::of_extension(extension).is_some())
}

/// Finds the files of tables.
pub(super) struct Finder<'a> {
    /// What paths start from.
    bases: Vec<PathBuf>,
    /// Where files are searched by their names.
    search: Vec<PathBuf>,
    extension: Option<&'a str>,
    /// Whether a number is taken for a file with other zeros before it.
    numbers: bool,
    index: OnceCell<Index>,
    /// How many names were those of several files of the same bytes.
    copies: Cell<usize>,
}

/// Where the rows' files are.
pub(super) struct Resolved {
    /// A path for each row, or why there is none.
    pub(super) paths: Vec<Result<PathBuf, String>>,
    /// Whether they were searched by their names, because none is where the table says.
    pub(super) searched: bool,
    /// How many there are; more than [`Finder::FEW`] that are where the table says are not counted, and taken to be there.
    pub(super) found: usize,
    /// How many names are those of several files of the same bytes.
    pub(super) copies: usize,
    /// A name and the file that it was taken for, where the files are called otherwise: with other zeros, or another extension.
    pub(super) renamed: Option<(String, String)>,
}

/// What is known of a row besides the name of its file.
pub(super) struct Row<'a> {
    pub(super) name: &'a str,
    pub(super) split: Option<Split>,
}

impl<'a> Finder<'a> {
    /// So many rows are looked at to see what a table is.
    pub(super) const FEW: usize = 50;

    /// For tables in `folder` of the data set in `root`.
    pub(super) fn new(root: &Path, folder: &Path, layout: &'a Layout) -> Result<Finder<'a>, ScanError> {
        let images = layout.images.iter().map(|name| {
            // Beside the table, or as seen from the data set.
            let path = [folder.join(name), root.join(name)].into_iter().find(|path| files::is_dir(path));
            path.ok_or_else(|| crate::scan::missing(&folder.join(name)))
        });
        let images: Vec<PathBuf> = images.collect::<Result<_, _>>()?;
        let given = !images.is_empty();
        let bases = if given { images.clone() } else { vec![folder.to_owned()] };
        let search = if given { images } else { vec![root.to_owned()] };
        let extension = layout.extension.as_deref().map(|extension| extension.trim_start_matches('.'));
        Ok(Finder { bases, search, extension, numbers: true, index: OnceCell::new(), copies: Cell::new(0) })
    }

    /// For lists without a header, where a number may say anything: whether an image is trained on, or a class.
    pub(super) fn without_numbers(self) -> Finder<'a> {
        Finder { numbers: false, ..self }
    }

    /// The files of all rows: where one of them is there as the table writes it, all are taken as they are written, so that a
    /// lost file is told as lost; else they are searched by their names.
    pub(super) fn resolve(&self, rows: &[Row<'_>], hint: Option<Split>) -> Resolved {
        let written: Vec<String> = rows.iter().map(|row| self.written(row.name)).collect();
        let as_written = |written: &String| {
            self.bases.iter().map(|base| base.join(written)).find(|path| files::exists(path))
        };
        if written.iter().any(|written| as_written(written).is_some()) {
            // With one base there is nothing to choose, and asking for every file would take time.
            let path = |written: &String| {
                let found = if self.bases.len() > 1 { as_written(written) } else { None };
                found.unwrap_or_else(|| self.bases[0].join(written))
            };
            let paths: Vec<PathBuf> = written.iter().map(path).collect();
            let few = paths.len() <= Self::FEW;
            let found =
                if few { paths.iter().filter(|path| files::exists(path)).count() } else { paths.len() };
            return Resolved {
                paths: paths.into_iter().map(Ok).collect(),
                searched: false,
                found,
                copies: 0,
                renamed: None,
            };
        }
        let all: Vec<(&str, Option<Split>)> =
            rows.iter().zip(&written).map(|(row, written)| (&**written, row.split.or(hint))).collect();
        let is_found = |path: &Result<Option<PathBuf>, String>| !matches!(path, Ok(None));
        let mut paths = self.by_names(&all, &|name| self.index().named(name));
        // Only where no file is called as the table says: else another file of the name may be something else.
        if self.extension.is_none() && !paths.iter().any(is_found) {
            paths = self.by_names(&all, &|name| self.index().called_otherwise(name, self.numbers));
        }
        let found = paths.iter().filter(|path| is_found(path)).count();
        let renamed = paths.iter().zip(&written).find_map(|(path, written)| {
            let file = text(path.as_ref().ok()?.as_ref()?.file_name());
            let name = written.rsplit('/').next()?;
            let stem = file.rsplit_once('.').map_or(&*file, |(stem, _)| stem);
            let is_same = [&*file, stem].iter().any(|of| folded(of) == folded(name));
            (!is_same).then(|| (name.to_owned(), file))
        });
        let or_written = |(path, written): (Result<Option<PathBuf>, String>, &String)| {
            path.map(|path| path.unwrap_or_else(|| self.bases[0].join(written)))
        };
        let paths = paths.into_iter().zip(&written).map(or_written).collect();
        Resolved { searched: true, found, paths, copies: self.copies.take(), renamed }
    }

    /// Whether the first values of a column name any file.
    fn names_any(&self, table: &Table, column: usize) -> bool {
        let rows: Vec<Row<'_>> =
            table.values(column).take(Self::FEW).map(|name| Row { name, split: None }).collect();
        let found = self.resolve(&rows, None).found;
        self.copies.set(0);
        found > 0
    }

    fn by_names<'b>(
        &'b self,
        all: &[(&str, Option<Split>)],
        find: &dyn Fn(&str) -> Vec<&'b PathBuf>,
    ) -> Vec<Result<Option<PathBuf>, String>> {
        all.iter().map(|(written, split)| self.by_name(written, *split, find)).collect()
    }

    /// Looks which column of a table names files, where that is not said, and the one that is called so names none: the one of which most values do.
    pub(super) fn find_path(&self, table: &mut Table, layout: &Layout) {
        if layout.path_column.is_some() {
            return;
        }
        let rows = table.rows.len().min(Self::FEW);
        let count = |column: usize| {
            let values: Vec<&str> =
                table.values(column).take(rows).filter(|value| !value.is_empty()).collect();
            // A class is on many rows.
            if values.iter().collect::<HashSet<_>>().len() * 2 <= rows {
                return 0;
            }
            // As it is written alone: any number is that of some file with other zeros.
            let is_file = |name: &&&str| {
                let written = self.written(name);
                let is_there = || self.bases.iter().any(|base| files::exists(&base.join(&written)));
                let by_name = || self.by_name(&written, None, &|name| self.index().named(name));
                is_there() || matches!(by_name(), Ok(Some(_)))
            };
            values.iter().filter(is_file).count()
        };
        let known = path_only(table, layout);
        if known.is_some_and(|column| self.names_any(table, column)) {
            return;
        }
        let others = (0..table.header.len()).filter(|column| Some(*column) != known);
        let best = others.map(|column| (count(column), std::cmp::Reverse(column))).max();
        let found = best.filter(|(found, _)| found * 2 > rows).map(|(_, column)| column.0);
        table.path_by_files = found;
    }

    /// A name as a path of this system, with the extension that is asked for.
    fn written(&self, name: &str) -> String {
        // Names that were written on Windows; a file may also have a backslash in its name here.
        let there = || self.bases.iter().any(|base| files::exists(&base.join(name)));
        let name = if name.contains('\\') && !there() { name.replace('\\', "/") } else { name.to_owned() };
        // Lists such as those of Places365 begin each path at the set's own root.
        let name = if name.starts_with('/') && !files::exists(Path::new(&name)) {
            name.trim_start_matches('/').to_owned()
        } else {
            name
        };
        match self.extension {
            None => name,
            Some(extension) => {
                let stem = if has_image_extension(&name) {
                    name.rsplit_once('.').map_or("", |(stem, _)| stem)
                } else {
                    &name
                };
                format!("{stem}.{extension}")
            }
        }
    }

    fn index(&self) -> &Index {
        self.index.get_or_init(|| Index::of(&self.search))
    }

    /// The file of a name, or of a name without its extension. Of several the one whose folders are those that are written,
    /// else the one in a folder that is called after the split.
    fn by_name<'b>(
        &'b self,
        written: &str,
        split: Option<Split>,
        find: &dyn Fn(&str) -> Vec<&'b PathBuf>,
    ) -> Result<Option<PathBuf>, String> {
        let parts: Vec<&str> = written.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        let Some((name, folders)) = parts.split_last() else { return Ok(None) };
        let mut files = find(name);
        if files.len() > 1 {
            let shared = |path: &Path| {
                let above = path.parent().into_iter().flat_map(Path::components).rev();
                above.zip(folders.iter().rev()).take_while(|(a, b)| a.as_os_str() == **b).count()
            };
            let most = files.iter().map(|path| shared(path)).max();
            files.retain(|path| Some(shared(path)) == most);
        }
        if let (Some(split), true) = (split, files.len() > 1) {
            let below = |path: &'_ Path| {
                self.search.iter().find_map(|root| path.strip_prefix(root).ok().map(Path::to_owned))
            };
            let is_of_split = |path: &&PathBuf| {
                let folders =
                    below(path).and_then(|path| path.parent().map(Path::to_owned)).unwrap_or_default();
                folders.iter().filter_map(|part| part.to_str()).any(|part| split_of(part) == Some(split))
            };
            let of_split: Vec<&PathBuf> = files.iter().copied().filter(is_of_split).collect();
            if !of_split.is_empty() {
                files = of_split;
            }
        }
        // The masks of pictures have their names.
        if files.len() > 1 {
            let is_mask = |path: &&PathBuf| {
                let root = self.search.iter().find(|root| path.starts_with(root));
                let below = root.and_then(|root| path.strip_prefix(root).ok()?.parent());
                below.into_iter().flatten().filter_map(|part| part.to_str()).any(names_masks)
            };
            let pictures: Vec<&PathBuf> = files.iter().copied().filter(|path| !is_mask(path)).collect();
            if !pictures.is_empty() {
                files = pictures;
            }
        }
        match files[..] {
            [] => Ok(None),
            [path] => Ok(Some(path.clone())),
            // A set that was unpacked twice.
            [first, ref others @ ..] if others.iter().all(|other| are_copies(first, other)) => {
                self.copies.set(self.copies.get() + 1);
                Ok(Some(first.clone()))
            }
            [first, second, ..] => Err(format!(
                "{written} may be {} or {}: say in which folder the files are, such as {}",
                crate::shown_path(first),
                crate::shown_path(second),
                setting("data.images", &self.folder_of(first))
            )),
        }
    }

    fn folder_of(&self, path: &Path) -> String {
        let folder = path.parent().unwrap_or(path);
        let below = self.search.iter().find_map(|root| folder.strip_prefix(root).ok());
        below.unwrap_or(folder).display().to_string()
    }

    /// Of a file that is not there, what is: a file of the same name with another extension.
    pub(super) fn sibling(&self, name: &str) -> Option<String> {
        let written = self.written(name);
        let name = written.rsplit('/').next()?;
        let stem = if has_image_extension(name) { name.rsplit_once('.')?.0 } else { name };
        let files = self.index().of_stem(stem);
        let file = files.first()?;
        let extension = file.extension()?.to_string_lossy();
        Some(format!(
            "{name} is not there, {} is: --set data.extension={extension} says that all files end so",
            file.file_name()?.to_string_lossy()
        ))
    }
}

/// Whether two files hold the same bytes.
fn are_copies(one: &Path, other: &Path) -> bool {
    /// As much of a file is read first.
    const START: u64 = 1 << 12;
    let start = |path: &Path| files::read_start(path, START).ok();
    let whole = |path: &Path| files::read_file(path).ok();
    start(one).is_some() && start(one) == start(other) && whole(one) == whole(other)
}

/// All images below some folders, by their names in lower case.
struct Index {
    files: Vec<PathBuf>,
    by_name: HashMap<String, Vec<usize>>,
    by_stem: HashMap<String, Vec<usize>>,
    /// Of stems that are numbers, without the zeros before them.
    by_number: HashMap<String, Vec<usize>>,
}

impl Index {
    fn of(folders: &[PathBuf]) -> Index {
        let files: Vec<PathBuf> = folders.iter().flat_map(|folder| files_below(folder)).collect();
        let (mut by_name, mut by_stem, mut by_number) = (HashMap::new(), HashMap::new(), HashMap::new());
        for (at, file) in files.iter().enumerate() {
            let (name, stem) = (text(file.file_name()), text(file.file_stem()));
            by_name.entry(folded(&name)).or_insert_with(Vec::new).push(at);
            if let Some(number) = number(&stem) {
                by_number.entry(number.to_owned()).or_insert_with(Vec::new).push(at);
            }
            by_stem.entry(folded(&stem)).or_insert_with(Vec::new).push(at);
        }
        Index { files, by_name, by_stem, by_number }
    }

    /// The files of a name, with its extension or without; those in the same case, if there are any.
    fn named(&self, name: &str) -> Vec<&PathBuf> {
        let lower = folded(name);
        let stem = || self.by_stem.get(&lower).filter(|_| !has_image_extension(name));
        let Some(places) = self.by_name.get(&lower).or_else(stem) else { return Vec::new() };
        let all: Vec<&PathBuf> = places.iter().map(|&at| &self.files[at]).collect();
        let exact = |path: &&PathBuf| text(path.file_name()) == name || text(path.file_stem()) == name;
        let exactly: Vec<&PathBuf> = all.iter().copied().filter(exact).collect();
        if exactly.is_empty() { all } else { exactly }
    }

    fn of_stem(&self, stem: &str) -> Vec<&PathBuf> {
        let places = self.by_stem.get(&folded(stem)).into_iter().flatten();
        places.map(|&at| &self.files[at]).collect()
    }

    /// The files that have another extension than a name has, or, of a name that is a number, other zeros before it, which spreadsheets leave out, where one alone has that
    /// number.
    fn called_otherwise(&self, name: &str, numbers: bool) -> Vec<&PathBuf> {
        let stem = if has_image_extension(name) {
            name.rsplit_once('.').map_or(name, |(stem, _)| stem)
        } else {
            name
        };
        let files = self.of_stem(stem);
        if !files.is_empty() {
            return files;
        }
        match number(stem)
            .filter(|_| numbers)
            .and_then(|number| self.by_number.get(number))
            .map(Vec::as_slice)
        {
            Some(&[only]) => vec![&self.files[only]],
            _ => Vec::new(),
        }
    }
}

/// The digits of a name that is a whole number, without zeros before them.
fn number(stem: &str) -> Option<&str> {
    let is_number = !stem.is_empty() && stem.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| stem.trim_start_matches('0'))
}

/// A name in lower case, and with accents written in one way: macOS keeps them apart from their letters.
fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

fn text(name: Option<&std::ffi::OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}
