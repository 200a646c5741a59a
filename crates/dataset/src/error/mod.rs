//! Everything that can be wrong with the data, in words for the person whose data it is.

mod flat;
pub(crate) mod formats;
mod idx;
mod layout;
mod words;

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use idx::IdxError;
pub use layout::LayoutError;
pub(crate) use words::exclude_line;
use words::{bad_images, did_you_mean, first_lines, list, no_classes, none_usable, of_classes, split_advice};

use crate::Split;
use crate::shown::{shown, shown_path};
use crate::taken::{OtherPictures, conversion, list_pictures};

/// An image that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be used.
    pub reason: String,
}

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", shown_path(&self.path), self.reason)
    }
}

/// A line of a manifest that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line's number, from 1 for the header.
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, shown(&self.reason))
    }
}

/// A class that is to be judged, but is unknown to the training set or the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownClass {
    /// Its name.
    pub class: String,
    /// How many images it has.
    pub images: usize,
    /// A known class with a similar name.
    pub similar: Option<String>,
}

impl fmt::Display for UnknownClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.images == 1 { "" } else { "s" };
        write!(f, "\"{}\" ({} image{s})", shown(&self.class), self.images)?;
        match &self.similar {
            Some(similar) => write!(f, ", is it \"{}\"?", shown(similar)),
            None => Ok(()),
        }
    }
}

/// Why a path is not a data set.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScanError {
    /// There is nothing there.
    #[error("{path} does not exist{hint}", path = shown_path(path), hint = words::missing(path, suggestion.as_deref()))]
    Missing {
        /// What was asked for.
        path: PathBuf,
        /// A name beside it that is similar.
        suggestion: Option<String>,
    },
    /// The system does not give the memory that a file's bytes take.
    #[error("{}: there is not enough memory to read its {} MB; make the picture smaller, or give the process more memory",
            shown_path(path), bytes.div_ceil(1_000_000))]
    FileMemory {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A file that is no manifest.
    #[error(
        "{path} is a file, but data is a folder of class folders, a folder with train/ and val/, a .zip or .tar of such a \
         folder, a table whose name ends in .csv, a .npz file of arrays, or a folder with IDX files{}", words::packed(path),
        path = shown_path(path)
    )]
    NotData {
        /// The file.
        path: PathBuf,
    },
    /// Files of other programs, which can be turned into what is read here.
    #[error("{path} holds {what}, which is not read here: type\n  {line}\nand name {out}", path = shown_path(path), out = shown_path(out))]
    OtherFormat {
        /// What was named.
        path: PathBuf,
        /// What is there.
        what: String,
        /// The line that turns it into what is read.
        line: String,
        /// What the line writes.
        out: PathBuf,
    },
    /// An archive of files of another program, which are turned into what is read once they are unpacked.
    #[error(
        "{path} holds {what}, which are not read from an archive: unpack it by `{command} {path}`, and give the folder that comes out: what makes \
         arrays of them is said then",
        path = shown_path(path)
    )]
    PackedFormat {
        /// The archive.
        path: PathBuf,
        /// What is in it.
        what: String,
        /// What unpacks it.
        command: &'static str,
    },
    /// A folder or file cannot be opened.
    #[error("cannot read {path}: {source}", path = shown_path(path))]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// An option is out of its range.
    #[error("data.{key} is {got}, but must be {expected}")]
    Option {
        /// The option.
        key: &'static str,
        /// Its value.
        got: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// A key asks something of a table, and no table was read of a folder that has one, or whose folder above has.
    #[error("data.{key} is {got}, but no table of the folder is read: {found}")]
    NoTable {
        /// The key.
        key: &'static str,
        /// Its value.
        got: String,
        /// What is there instead, and what to do.
        found: String,
    },
    /// Not one usable image.
    #[error("no images in {path}: {found}; looked for .jpg .jpeg .png .bmp .gif .tif .tiff .webp", path = shown_path(path))]
    NoImages {
        /// The root.
        path: PathBuf,
        /// What is there instead.
        found: String,
    },
    /// Not one image, or none of some classes, but pictures of kinds that are not read here.
    #[error("{path} has no images that can be read here{of}, only {list}; convert them to JPEG or PNG, such as by\n  {how}",
        path = shown_path(path), of = of_classes(pictures), list = list_pictures(pictures),
        how = pictures.first().map_or(String::new(), |first| conversion(&first.extension, path)))]
    OnlyOtherPictures {
        /// The root.
        path: PathBuf,
        /// What there is instead.
        pictures: Vec<OtherPictures>,
    },
    /// Folders that by their names can be no classes.
    #[error("{}", no_classes(path, folders, *folds, *with_classes))]
    NoClasses {
        /// The root.
        path: PathBuf,
        /// The folders.
        folders: Vec<String>,
        /// Whether they are folds; else they are pieces of one set.
        folds: bool,
        /// Whether they hold folders, which may be the classes.
        with_classes: bool,
    },
    /// Class folders are the sets of one class.
    #[error("{path}: {train} and {other} are the training set and the {split} set of one class by their names: move them to train/{class} and \
        {split}/{class}, and the others likewise; if they are the classes after all: --set data.train=.", path = shown_path(path), train = shown(train),
        other = shown(other), class = shown(class))]
    ClassInSplits {
        /// The root.
        path: PathBuf,
        /// The folder of the training set.
        train: String,
        /// That of another split.
        other: String,
        /// The class.
        class: String,
        /// The other split.
        split: Split,
    },
    /// The class folders are pictures and their masks.
    #[error("{path}: {masks} and {pictures} hold files of the same names, such as {example}: by that they are masks and their pictures, which are of \
        segmentation, and no classes. A table that names the pictures and their classes is read; if the folders are the classes after all: --set data.train=.",
        path = shown_path(path), masks = shown(masks), pictures = shown(pictures), example = shown(example))]
    Masks {
        /// The root.
        path: PathBuf,
        /// The folders of the pictures.
        pictures: String,
        /// The folders of the masks.
        masks: String,
        /// A name that both have.
        example: String,
    },
    /// Class folders hold pictures and their masks side by side.
    #[error("{path}: {masks} files are masks of the pictures beside them by their names, such as {mask} of {picture}; they are of segmentation, would be \
        judged as pictures, and are nearly the same ones: {how}", path = shown_path(path), mask = shown(mask), picture = shown(picture), how = words::without_masks(exclude, *has_splits))]
    MasksBeside {
        /// The root.
        path: PathBuf,
        /// How many masks.
        masks: usize,
        /// One of them.
        mask: String,
        /// Its picture's name, without the extension.
        picture: String,
        /// Patterns that match them.
        exclude: Vec<String>,
        /// Whether the folders have splits.
        has_splits: bool,
    },
    /// A folder was given for two splits.
    #[error("{path} was given for {first} and for {second}; it can be one of them", path = shown_path(path), first = shown(first), second = shown(second))]
    FolderTwice {
        /// The folder.
        path: PathBuf,
        /// One split.
        first: String,
        /// Another.
        second: String,
    },
    /// Several tables name the images of a folder.
    #[error("{}", words::several_tables(path, tables))]
    SeveralTables {
        /// The root.
        path: PathBuf,
        /// The tables.
        tables: Vec<String>,
    },
    /// Two folders claim to be the same split.
    #[error("{path} has both {first}/ and {second}/ for the {split} set; rename or remove one, or say what is meant, such as by \
        --set 'data.{split}=[\"{first}\", \"{second}\"]'", path = shown_path(path), first = shown(first), second = shown(second))]
    AmbiguousSplit {
        /// The root.
        path: PathBuf,
        /// The split.
        split: Split,
        /// One folder.
        first: String,
        /// Another.
        second: String,
    },
    /// There are other splits, but nothing to train on.
    #[error("{path} has no training set, only {list}; {advice}",
        path = shown_path(path), list = shown(&others.join(", ")), advice = words::train_advice(*folders, others))]
    NoTrain {
        /// The root.
        path: PathBuf,
        /// What there is.
        others: Vec<String>,
        /// Whether these are folders.
        folders: bool,
    },
    /// A folder of images has no class folders.
    #[error("{path} has no class folders: a class is a folder with its images, such as {path}/cat/1.jpg{hint}",
        path = shown_path(path), hint = flat::classes_in_names(path))]
    NoClassFolders {
        /// The folder.
        path: PathBuf,
    },
    /// A given validation set has no images.
    #[error("the {split} set in {path} has no images; fill it, or remove it so that a part of train/ is used",
        path = shown_path(path))]
    EmptySplit {
        /// The split.
        split: Split,
        /// Its folder or manifest.
        path: PathBuf,
    },
    /// One class.
    #[error("{path} has one class, \"{class}\", and a classifier needs two{hint}",
        path = shown_path(path), class = shown(class), hint = words::another_class(path, suggestion.as_deref()))]
    OneClass {
        /// The root or manifest.
        path: PathBuf,
        /// The class.
        class: String,
        /// A folder below that looks like the data set's root, or the line that names such folders for each split.
        suggestion: Option<String>,
    },
    /// Class folders of the training set without an image.
    #[error("these class folders of the training set have no images: {list}; fill them, remove them, or leave them \
        out with data.exclude", list = list(paths.iter().map(|p| shown_path(p))))]
    EmptyClasses {
        /// The folders.
        paths: Vec<PathBuf>,
    },
    /// Classes to be validated or tested that cannot be learnt.
    #[error("the {split} set has classes that the training set lacks: {list}; rename them (data.rename does so for a run), \
        add them to train, or leave them out: {line}", list = list(classes), line = words::without_classes(classes))]
    UnknownClasses {
        /// Where they are.
        split: Split,
        /// What they are.
        classes: Vec<UnknownClass>,
    },
    /// Classes that the model to be judged does not know.
    #[error("{path} has classes that the model does not know: {list}; it knows {model}; rename them (data.rename \
        does so for this once), or leave them out with data.exclude{hint}", path = shown_path(path), list = list(classes), model = list(model),
        hint = did_you_mean(suggestion.as_deref()))]
    UnknownToModel {
        /// The root or manifest.
        path: PathBuf,
        /// What they are.
        classes: Vec<UnknownClass>,
        /// The model's classes.
        model: Vec<String>,
        /// A folder below that looks like the data set's root.
        suggestion: Option<String>,
    },
    /// The split that was asked for is not there, or there is none that is taken unasked.
    #[error("{path} has no {wanted} set of its own, only {there}; {advice}", path = shown_path(path),
        wanted = wanted.map_or("val or test", Split::name), there = list(there), advice = split_advice(there))]
    NoSuchSplit {
        /// The root or manifest.
        path: PathBuf,
        /// The split; `None` where the choice was left open.
        wanted: Option<Split>,
        /// The splits that there are.
        there: Vec<Split>,
    },
    /// A split was asked for in data that has none.
    #[error("{path} has no splits, so no {wanted} set; leave out --split to take all of its images",
        path = shown_path(path))]
    NoSplits {
        /// The root or manifest.
        path: PathBuf,
        /// The split.
        wanted: Split,
    },
    /// A class folder's name is not text.
    #[error("the name of the class folder {path} is not valid UTF-8; rename it, since class names are written into \
        models and reports", path = shown_path(path))]
    ClassName {
        /// The folder.
        path: PathBuf,
    },
    /// Images that cannot be read, with the policy to fail.
    #[error("{}", bad_images(bad))]
    BadImages {
        /// All of them.
        bad: Vec<Skipped>,
    },
    /// Classes of the training set of which no image can be read.
    #[error("no image of these classes can be read: {classes}; the first is {first}", classes = list(classes))]
    ClassLost {
        /// Their names.
        classes: Vec<String>,
        /// One of the images.
        first: Box<Skipped>,
    },
    /// A fold holds all there is of a class, so that nothing is left to train on.
    #[error(
        "fold {fold} of {folds} takes all images of {classes}: a class needs at least two images that are no copies of each \
         other and not of one group", classes = list(classes)
    )]
    FoldTakesClass {
        /// The classes.
        classes: Vec<String>,
        /// The fold, from 1.
        fold: usize,
        /// How many there are.
        folds: usize,
    },
    /// Not one of the images can be read.
    #[error("{}", none_usable(bad))]
    NoneUsable {
        /// All of them.
        bad: Vec<Skipped>,
    },
    /// Lines of a manifest are wrong.
    #[error("{path} has {n} bad line{s}:{lines}", path = shown_path(path), n = lines.len(),
        s = if lines.len() == 1 { "" } else { "s" }, lines = first_lines(lines))]
    Manifest {
        /// The manifest.
        path: PathBuf,
        /// All bad lines.
        lines: Vec<BadLine>,
    },
    /// A folder without images, in which an archive lies.
    #[error("{}", words::archives_inside(path, archives))]
    ArchivesInside {
        /// The folder.
        path: PathBuf,
        /// The archives, in the order of their names.
        archives: Vec<PathBuf>,
    },
    /// An archive of a kind that is not read here.
    #[error("{path} is a {what}, which is not read here: unpack it, such as by `{command} {path}`", path = shown_path(path))]
    UnreadArchive {
        /// The archive.
        path: PathBuf,
        /// Its kind.
        what: &'static str,
        /// What unpacks it.
        command: &'static str,
    },
    /// An array is wrong, or which ones belong together cannot be told.
    #[error("{path}: {reason}", path = shown_path(path))]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A shard of WebDataset is wrong.
    #[error("{}: {reason}", shown_path(path))]
    Shard {
        /// The shard, or the folder of the shards.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The levels of the folders cannot be meant as they would be read.
    #[error("{path}: {source}", path = shown_path(path))]
    Layout {
        /// The root.
        path: PathBuf,
        /// What is wrong with them.
        source: Box<LayoutError>,
    },
    /// An IDX file is wrong.
    #[error("{path}: {source}", path = shown_path(path))]
    Idx {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: IdxError,
    },
}

/// Why samples did not become pixels.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Images that cannot be decoded, with the policy to fail.
    #[error("{}", bad_images(bad))]
    BadImages {
        /// All of them.
        bad: Vec<Skipped>,
    },
    /// Classes of the training set of which no image can be decoded.
    #[error("no image of these classes can be decoded: {classes}; the first is {first}", classes = list(classes))]
    ClassLost {
        /// Their names.
        classes: Vec<String>,
        /// One of the images.
        first: Box<Skipped>,
    },
    /// Not one of the images can be decoded.
    #[error("{}", none_usable(bad))]
    NoneUsable {
        /// All of them.
        bad: Vec<Skipped>,
    },
    /// The pixels do not fit into memory.
    #[error(
        "{images} images take {bytes} bytes, which do not fit into memory; make input.size, input.keep or data.fraction smaller"
    )]
    Memory {
        /// How many images.
        images: usize,
        /// Bytes of all of them.
        bytes: usize,
    },
    /// A picture cannot be decoded in the memory that the system gives.
    #[error("{}: {source}; make the picture smaller, or give the process more memory", shown_path(path))]
    PictureMemory {
        /// The picture.
        path: PathBuf,
        /// How much it takes.
        source: pupila_image::DecodeError,
    },
    /// The rule has no pixels, or channels that no image has.
    #[error(
        "images cannot be resized to {width}x{height} with {channels} channels: a side is at least 1, and channels \
        are 1 or 3"
    )]
    Rule {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
        /// Samples a pixel.
        channels: u8,
    },
    /// The caller asked to stop. What was decoded until then is in the cache.
    #[error("interrupted while loading images")]
    Interrupted,
}
