//! Data to train on: the classes are found here, and so is a validation set where none is given.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::examine::{Candidate, Examined, Memory, samples, several_pages};
use super::shards::or_why_none;
use super::{
    Data, Listing, check_layout, folders, list_tables, manifest, masks, rename, root_of, similar_classes,
};
use crate::error::formats::{Conversion, conversion_of, conversion_of_folder};
use crate::files;
use crate::pattern::Patterns;
use crate::suggest::{folders_line, nearest};
use crate::{
    Cache, Dataset, Form, Layout, Notice, OnBadImage, Purpose, ScanError, ScanOptions, Split, UnknownClass,
    folds, split,
};

/// Finds the samples at `path`, in whichever form it is (see [`Form`](crate::Form)). Each file is read once, on all
/// threads, for its content hash and its header; with a cache, files that have not changed since the last scan are not
/// even opened.
///
/// The same files under the same options are split in the same way, wherever the folder is and on any number of threads.
///
/// # Errors
/// Where `path` is no data set, or one that no classifier can be trained on; see [`ScanError`].
pub fn scan(path: &Path, options: &ScanOptions, cache: Option<&Cache>) -> Result<Dataset, ScanError> {
    scanned(path, options, cache).map_err(|error| or_other_format(path, or_why_none(path, error)))
}

/// Where there is nothing to train on, what is there in another form, and how it is turned into what is read.
pub(super) fn or_other_format(path: &Path, error: ScanError) -> ScanError {
    let is_nothing = matches!(
        error,
        ScanError::NoImages { .. }
            | ScanError::NotData { .. }
            | ScanError::NoClassFolders { .. }
            | ScanError::OneClass { .. }
            | ScanError::EmptyClasses { .. }
    );
    // Folders that a table of the set speaks of are no classes.
    let says_classes = |conversion: &Conversion| conversion.out.extension().is_some_and(|of| of == "csv");
    if let Some((what, command)) = packed(path).filter(|_| is_nothing) {
        return ScanError::PackedFormat { path: path.to_owned(), what, command };
    }
    let is_split = matches!(error, ScanError::ClassInSplits { .. });
    match conversion_of(path).filter(|of| is_nothing || is_split && says_classes(of)) {
        Some(Conversion { what, line, out }) => {
            ScanError::OtherFormat { path: path.to_owned(), what, line, out }
        }
        None => error,
    }
}

/// What an archive holds of files of other programs, and what unpacks it.
fn packed(path: &Path) -> Option<(String, &'static str)> {
    let command = match files::archive_kind(path)? {
        files::Kind::Zip => "unzip",
        files::Kind::Tar | files::Kind::TarGz => "tar -xf",
        files::Kind::Unread(..) => return None,
    };
    let conversion = conversion_of_folder(path)?;
    Some((conversion.what, command))
}

fn scanned(path: &Path, options: &ScanOptions, cache: Option<&Cache>) -> Result<Dataset, ScanError> {
    options.check()?;
    let patterns = Patterns::new(&options.exclude).with_list(options.exclude_list.as_deref())?;
    let layout = &options.layout;
    let of_table = manifest::Wanted { patterns: &patterns, layout, group: options.group.as_deref() };
    let root = root_of(path)?;
    let path = root.as_path();
    let data = Data::at(path, &of_table)?;
    check_layout(path, &data, layout)?;
    let mut dataset = match data {
        Data::Tables(tables) => {
            let mut listing = list_tables(path, &tables, &of_table)?;
            tell_unread(path, &mut listing, tables.unread.clone(), layout);
            if manifest::is_table(path) {
                let told = manifest::beside_named(path, &listing, &of_table);
                listing.beside.notices.extend(told);
            } else if let [(None, table)] = &tables.labelled[..] {
                let split = table.file_stem().and_then(|stem| super::names::judged_split(stem.to_str()?));
                // Lists may part it.
                let split = split.filter(|_| listing.files.iter().all(|file| file.split.is_none()));
                let told = split.map(|split| Notice::TableLikeSplit { table: table.clone(), split });
                listing.beside.notices.extend(told);
            }
            from_files(path, listing, options, cache)?
        }
        Data::Arrays(arrays) if options.group.is_none() || arrays.knows_groups() => {
            arrays.train(path, layout, &patterns)?
        }
        Data::Arrays(_) | Data::Shards(_) if options.group.is_some() => {
            let got = options.group.clone().unwrap_or_default();
            let expected =
                "left out: only tables, NumPy's arrays and class folders say which images belong together";
            return Err(ScanError::Option { key: "group", got, expected });
        }
        Data::Arrays(arrays) => arrays.train(path, layout, &patterns)?,
        Data::Shards(shards) => from_files(path, shards.list(path, &patterns, layout)?, options, cache)?,
        Data::Folder(manifest::BesideClasses { lists, parting, notice, unread, groups }) => {
            groups.check(options.group.as_deref())?;
            let mut listing = folders::list(path, &patterns, layout, &lists, &groups)?;
            if let Some(found) = masks::find(&listing).filter(|_| !layout.names_splits()) {
                let masks::Masks { pictures, masks, example } = found;
                return Err(ScanError::Masks { path: path.to_owned(), pictures, masks, example });
            }
            masks::check_beside(path, &mut listing, layout)?;
            listing.part(path, &lists, &of_table)?;
            listing.part_by_column(path, parting.as_deref(), &of_table)?;
            listing.group_by_table(path, &groups, &of_table)?;
            let of_classes = std::mem::take(&mut listing.beside.lists);
            let of_classes = of_classes.into_iter().filter(|list| lists.iter().all(|(_, read)| read != list));
            tell_unread(path, &mut listing, unread.into_iter().chain(of_classes).collect(), layout);
            listing.beside.notices.extend(notice);
            from_files(path, listing, options, cache).map_err(|error| with_lists(error, &lists))?
        }
    };
    let taken = std::mem::take(&mut dataset.taken);
    dataset.taken = taken.with_classes(&dataset.classes);
    dataset.notices.extend(missing_labels(&dataset));
    dataset.notices.extend(classes_like_splits(&dataset));
    dataset.notices.extend(super::unmatched(&patterns));
    finish(&mut dataset, options)?;
    dataset.notices.extend(super::warnings(cache));
    Ok(dataset)
}

fn from_files(
    root: &Path,
    mut listing: Listing,
    options: &ScanOptions,
    cache: Option<&Cache>,
) -> Result<Dataset, ScanError> {
    rename(&mut listing, &options.layout);
    let (similar, below) = (similar_classes(&listing), one_level_down(&listing));
    // A key is set once: each line says all that is to be renamed.
    let all = all_renamed(&similar, &below, &options.layout);
    if !similar.is_empty() {
        listing.beside.notices.push(Notice::SimilarClasses { groups: similar, rename: all.clone() });
    }
    if !below.is_empty() {
        listing.beside.notices.push(Notice::OneLevelDown { classes: below, rename: all });
    }
    // Where the data says nothing of splits, all of it is for training.
    let files = listing.files.iter().map(|file| (file.class.as_str(), file.split.unwrap_or(Split::Train)));
    let classes = classes_of(root, files).map_err(|error| with_inner_sets(error, &listing))?;
    let label_of: HashMap<&str, u32> = classes.iter().map(String::as_str).zip(0..).collect();
    let memory = Memory { cache, root: &listing.base, partial: listing.partial };
    let Listing { form, taken, files, beside, .. } = listing;
    let candidates = files.into_iter().map(|file| Candidate {
        label: label_of[file.class.as_str()],
        split: file.split.unwrap_or(Split::Train),
        path: file.path,
        group: file.group,
    });
    let Examined { samples, skipped, skipped_labels, pages } = samples(candidates.collect(), &memory)?;
    if options.on_bad_image == OnBadImage::Fail && !skipped.is_empty() {
        return Err(ScanError::BadImages { bad: skipped });
    }
    let mut dataset = Dataset::new(root, form, Purpose::Training, classes);
    dataset.samples = samples;
    let lost = dataset.classes_missing(Split::Train);
    let is_lost = |label: u32| lost.contains(&dataset.classes[label as usize]);
    if let Some(first) = skipped_labels.iter().position(|&label| is_lost(label)) {
        return Err(ScanError::ClassLost { classes: lost, first: Box::new(skipped[first].clone()) });
    }
    let mut dataset = Dataset { skipped, taken, ..dataset };
    beside.add_to(&mut dataset);
    dataset.notices.extend(pages.map(several_pages));
    Ok(dataset)
}

/// Tells of files that are called as lists of splits are and are not read. Where folders, tables or lists say the splits, others have nothing to say.
fn tell_unread(root: &Path, listing: &mut Listing, unread: Vec<PathBuf>, layout: &Layout) {
    let says_all = |split: Split| split != Split::Train || !layout.names_splits();
    let is_said = listing.files.iter().filter_map(|file| file.split).any(says_all);
    if unread.is_empty() || layout.reads_no_split() || is_said {
        return;
    }
    let of_numbers = unread.iter().find_map(|list| manifest::parting_line(root, list));
    let files = unread.iter().map(|file| file.strip_prefix(root).unwrap_or(file).to_owned());
    listing.beside.notices.push(Notice::ListsNotRead { files: files.collect(), line: of_numbers });
}

/// Classes whose images are all in one folder of another name within, where those of others are in the class folder itself.
fn one_level_down(listing: &Listing) -> Vec<(String, String)> {
    if !matches!(listing.form, Form::ClassFolders | Form::SplitFolders) {
        return Vec::new();
    }
    // The folders between a class and its images, none of those that are directly in it.
    let mut inner: BTreeMap<&str, BTreeSet<Option<&str>>> = BTreeMap::new();
    for file in &listing.files {
        let below = file.path.strip_prefix(&listing.base).unwrap_or(&file.path);
        let mut parts = below.iter().filter_map(|part| part.to_str()).skip_while(|part| *part != file.class);
        let (_, next) = (parts.next(), parts.next());
        inner.entry(&file.class).or_default().insert(next.filter(|_| parts.next().is_some()));
    }
    let direct = inner.values().filter(|folders| folders.contains(&None)).count();
    if direct * 2 < inner.len() {
        return Vec::new();
    }
    let found = inner.iter().filter_map(|(class, folders)| {
        let only = folders.iter().next().copied().flatten().filter(|_| folders.len() == 1)?;
        let says_nothing = super::names::is_generic(only) || only == *class || inner.contains_key(only);
        (!says_nothing && super::split_of(only).is_none()).then(|| ((*class).to_owned(), only.to_owned()))
    });
    found.collect()
}

/// What a recipe renames, with what is proposed here.
fn all_renamed(
    similar: &[Vec<(String, usize)>],
    below: &[(String, String)],
    layout: &Layout,
) -> BTreeMap<String, String> {
    let mut proposed: BTreeMap<String, String> = below.iter().cloned().collect();
    for group in similar {
        if let Some(((keep, _), others)) = group.split_first() {
            proposed.extend(others.iter().map(|(other, _)| (other.clone(), keep.clone())));
        }
    }
    let given = layout.rename.iter().map(|(old, new)| {
        // A name is replaced once.
        (old.clone(), proposed.get(new).unwrap_or(new).clone())
    });
    let given: BTreeMap<String, String> = given.collect();
    proposed.into_iter().chain(given).collect()
}

/// Of data of one class whose folder holds folders, as `train/data/cats` beside `train/data/dogs`, the line that takes those for the classes.
fn with_inner_sets(error: ScanError, listing: &Listing) -> ScanError {
    let ScanError::OneClass { path, class, suggestion: None } = error else { return error };
    let mut settings = Vec::new();
    for split in Split::ALL {
        let of_split = listing.files.iter().find(|file| file.split == Some(split));
        // The class folder is the outermost of that name.
        let folder = of_split.and_then(|file| {
            let above =
                file.path.ancestors().filter(|folder| folder.file_name().is_some_and(|name| *name == *class));
            above.filter(|folder| folder.starts_with(&listing.base)).last()
        });
        let Some(folder) = folder else { continue };
        if folders::folders_only(folder).is_some_and(|inner| inner.len() > 1) {
            let below = folder.strip_prefix(&listing.base).unwrap_or(folder);
            settings.push(format!("--set 'data.{split}={}'", below.display()));
        }
    }
    let trains = settings.first().is_some_and(|line| line.starts_with("--set 'data.train="));
    ScanError::OneClass { path, class, suggestion: trains.then(|| settings.join(" ")) }
}

/// Of data of one class the line that takes the folders in it for the classes, where lists beside it say the splits: what is named by itself has none.
fn with_lists(error: ScanError, lists: &[(Split, PathBuf)]) -> ScanError {
    match error {
        ScanError::OneClass { path, class, suggestion: Some(inner) } if !lists.is_empty() => {
            let below = Path::new(&inner)
                .strip_prefix(&path)
                .map_or(class.clone(), |below| below.display().to_string());
            let line = folders_line(Split::Train, &[&below]);
            ScanError::OneClass { path, class, suggestion: Some(line) }
        }
        other => other,
    }
}

/// Class folders that may be splits: `test` beside `cats` and `dogs`, or `test` and `validation`.
fn classes_like_splits(dataset: &Dataset) -> Option<Notice> {
    // Beside one other, as `control`, or called `train`, as beside `bus`, it is as likely a class.
    if dataset.form != Form::ClassFolders || dataset.classes.len() < 3 {
        return None;
    }
    let counts = Split::ALL.map(|split| dataset.class_counts(split));
    let named: Vec<(usize, Split)> = (dataset.classes.iter().enumerate())
        .filter_map(|(at, class)| Some((at, super::split_of(class)?)))
        .collect();
    // Whatever else is called so beside it, a train by itself is a thing to classify.
    if named.iter().all(|(_, split)| *split == Split::Train) {
        return None;
    }
    let images = |at: usize| counts.iter().map(|of| of[at]).sum();
    let folders = named.iter().map(|&(at, split)| (dataset.classes[at].clone(), images(at), split));
    Some(Notice::ClassesLikeSplits { folders: folders.collect() })
}

/// Classes that are called as programs write missing values, where a person did not name a folder so.
fn missing_labels(dataset: &Dataset) -> Option<Notice> {
    const MISSING: [&str; 5] = ["nan", "na", "n/a", "<na>", "null"];
    if !matches!(dataset.form, Form::Manifest | Form::Arrays | Form::PixelTable) {
        return None;
    }
    let counts = Split::ALL.map(|split| dataset.class_counts(split));
    let images = |class: usize| counts.iter().map(|of| of[class]).sum();
    // Python's `None`; `none` may well be a class.
    let is_missing = |class: &str| class == "None" || MISSING.contains(&class.to_lowercase().as_str());
    let all = dataset.classes.iter().enumerate();
    let classes: Vec<(String, usize)> =
        all.filter(|(_, class)| is_missing(class)).map(|(at, class)| (class.clone(), images(at))).collect();
    (!classes.is_empty()).then_some(Notice::MissingLabels { classes })
}

/// The sorted classes of the training set, of which there are at least two, and which know every class elsewhere.
pub(super) fn classes_of<'a>(
    root: &Path,
    files: impl Iterator<Item = (&'a str, Split)>,
) -> Result<Vec<String>, ScanError> {
    let mut counts: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for (class, split) in files {
        counts.entry(class).or_default()[split as usize] += 1;
    }
    let trained = |count: &[usize; 3]| count[Split::Train as usize] > 0;
    let classes: Vec<&str> = counts.iter().filter(|(_, n)| trained(n)).map(|(class, _)| *class).collect();
    if classes.is_empty() {
        let others = Split::ALL.into_iter().filter(|&split| counts.values().any(|n| n[split as usize] > 0));
        let others = others.map(|split| split.to_string()).collect();
        return Err(ScanError::NoTrain { path: root.to_owned(), others, folders: false });
    }
    for split in [Split::Val, Split::Test] {
        let unknown: Vec<UnknownClass> = counts
            .iter()
            .filter(|(_, n)| !trained(n) && n[split as usize] > 0)
            .map(|(class, n)| UnknownClass {
                class: (*class).to_owned(),
                images: n[split as usize],
                similar: nearest(class, classes.iter().copied()).map(str::to_owned),
            })
            .collect();
        if !unknown.is_empty() {
            return Err(ScanError::UnknownClasses { split, classes: unknown });
        }
    }
    if let [class] = classes[..] {
        let inner = root.join(class);
        let nested = folders::inner_root(&inner).map(|inner| inner.display().to_string());
        return Err(ScanError::OneClass {
            path: root.to_owned(),
            class: class.to_owned(),
            suggestion: nested,
        });
    }
    Ok(classes.into_iter().map(str::to_owned).collect())
}

/// The validation set where none is given, then the part of the training set that was asked for, then what to say.
fn finish(dataset: &mut Dataset, options: &ScanOptions) -> Result<(), ScanError> {
    let classes = dataset.classes.len();
    let given = dataset.indices(Split::Val).len();
    if let Some(folds) = options.folds {
        dataset.val_from_train = true;
        if given > 0 {
            dataset.notices.push(Notice::Pooled { val: given });
        }
        folds::take_fold(&mut dataset.samples, classes, folds, options.fold, options.seed);
        let taken = dataset.classes_missing(Split::Train);
        if !taken.is_empty() {
            return Err(ScanError::FoldTakesClass { classes: taken, fold: options.fold, folds });
        }
    } else if given == 0 {
        dataset.val_from_train = true;
        split::split_off_val(&mut dataset.samples, classes, options.val_frac, options.seed);
    }
    if dataset.val_from_train {
        let classes = dataset.classes_missing(Split::Val);
        if !classes.is_empty() {
            dataset.notices.push(Notice::NotValidated { classes });
        }
    }
    for split in [Split::Val, Split::Test] {
        let given = dataset.samples.iter().any(|sample| sample.split == split);
        let missing = dataset.classes_missing(split);
        if given && !missing.is_empty() && !(split == Split::Val && dataset.val_from_train) {
            dataset.notices.push(Notice::ClassesMissing { split: Some(split), classes: missing });
        }
    }
    dataset.found = dataset.class_counts(Split::Train);
    dataset.keep_part(options);
    Ok(())
}
