//! Arrays beside those of the images and labels that say of which split each image is.

use super::Contents;
use super::named::{Found, Named, Pair};
use super::npy::Array;
use super::roles::{Roles, names_split, places_of};
use crate::scan::manifest::{ColumnSplits, is_fold_name, of_columns, say_splits};
use crate::{Layout, Notice, ScanError, Split};

/// The split of each image, none where it is left out, and the names of the arrays that say it.
type Said = (Vec<Option<Split>>, String);

/// What was read of a pair, and what arrays say of its splits.
pub(super) type WithSplits = (Contents, Option<Said>);

impl Pair {
    /// All of it, and what arrays beside it say of its splits.
    pub(super) fn read_splits(&self, layout: &Layout) -> Result<(WithSplits, Vec<Notice>), ScanError> {
        let mut contents = self.read(layout)?;
        let count = contents.labels.len();
        let (mut columns, mut places, mut notices) = (Vec::new(), Vec::new(), Vec::new());
        for array in &self.like_splits {
            let wanted = layout.split_column.as_deref();
            let asked = wanted.is_some_and(|name| name.eq_ignore_ascii_case(&array.name));
            let texts = |values: Array| -> Result<Vec<String>, String> {
                Ok(values.groups()?.into_iter().map(Option::unwrap_or_default).collect())
            };
            // One of another name says it by its values, or says nothing.
            if !asked && !names_split(&array.name) {
                let values = array.read().ok().and_then(|values| texts(values).ok()).unwrap_or_default();
                if values.len() == count && say_splits(values.iter().map(String::as_str)) {
                    columns.push((array.name.clone(), values));
                }
                continue;
            }
            let failed = |reason: String| {
                let line = "--set data.split_column=none reads no array as the split";
                ScanError::Array { path: array.path.clone(), reason: format!("{reason}; {line}") }
            };
            let values = match array.read() {
                Ok(values) => values,
                // Folds are not read anyway.
                Err(ScanError::Array { reason, .. }) if !asked && is_fold_name(&array.name) => {
                    notices.push(Notice::ArrayNotRead { array: array.name.clone(), why: reason });
                    continue;
                }
                Err(ScanError::Array { reason, .. }) => return Err(failed(reason)),
                Err(error) => return Err(error),
            };
            if let Some(split) = places_of(&array.name) {
                let numbers = values.places().map_err(failed)?;
                let numbers = Places::of(split, &array.name, &numbers, count).map_err(failed)?;
                places.push(numbers);
                continue;
            }
            let lone = values.shape.iter().product::<usize>() == 1 && count > 1;
            let why = match texts(values) {
                Ok(values) if values.len() == count => {
                    columns.push((array.name.clone(), values));
                    continue;
                }
                Ok(values) => format!(
                    "it has {} values for {count} images; an array `split` that has train, val or test for each image would be read, and \
                     so would train_idx and test_idx of the numbers of images from 0",
                    values.len()
                ),
                Err(reason) => reason.replace("groups are", "splits are"),
            };
            // One number is a share or a seed.
            if asked || !(lone || is_fold_name(&array.name)) {
                return Err(failed(why));
            }
            notices.push(Notice::ArrayNotRead { array: array.name.clone(), why });
        }
        let file = self.images.path.parent().unwrap_or(&self.images.path).to_owned();
        let failed = |reason: String| ScanError::Array { path: file.clone(), reason };
        let ColumnSplits { mut read, notices: told } = of_columns(columns, layout).map_err(failed)?;
        notices.extend(told);
        match &read {
            Some((_, name)) => notices.extend(places.into_iter().map(|of| Notice::ArrayNotRead {
                array: of.name.to_owned(),
                why: format!("{name} is: --set data.split_column={} reads it", of.name),
            })),
            None if !places.is_empty() => read = Some(Places::said(&places, count).map_err(failed)?),
            None => {}
        }
        if read.is_some() {
            for notice in &mut contents.notices {
                if let Notice::LooksLikeGroup { split_given, .. } = notice {
                    *split_given = true;
                }
            }
        }
        Ok(((contents, read), notices))
    }
}

/// The images of a split by their numbers.
struct Places<'a> {
    name: &'a str,
    split: Split,
    places: Vec<usize>,
}

impl<'a> Places<'a> {
    fn of(split: Split, name: &'a str, numbers: &[i64], count: usize) -> Result<Places<'a>, String> {
        if numbers.len() == count && count > 2 && numbers.iter().all(|number| matches!(number, 0 | 1)) {
            return Err(format!(
                "{name} is 0 or 1 for each image, and should be the numbers of images by its name; call it {split}_mask"
            ));
        }
        let largest = numbers.iter().max().copied().unwrap_or(0);
        if usize::try_from(largest) == Ok(count) && !numbers.contains(&0) {
            return Err(format!(
                "{name} seems to count from 1: it has the number {count} of {count} images, which are 0 to {}; save {name} - 1",
                count - 1
            ));
        }
        let place = |&number: &i64| {
            let place = usize::try_from(number).ok().filter(|&place| place < count);
            place.ok_or_else(|| {
                format!("{name} has the number {number}, and the {count} images are 0 to {}", count - 1)
            })
        };
        let places: Vec<usize> = numbers.iter().map(place).collect::<Result<_, _>>()?;
        Ok(Places { name, split, places })
    }

    /// The split of each image: those of no array are trained on where no array says which are, else left out.
    fn said(all: &[Places<'_>], count: usize) -> Result<Said, String> {
        let trains = all.iter().any(|of| of.split == Split::Train);
        let mut splits = vec![(!trains).then_some(Split::Train); count];
        let mut by: Vec<Option<&str>> = vec![None; count];
        for Places { name, split, places } in all {
            for &place in places {
                if let Some(other) = by[place].replace(name) {
                    let what =
                        if other == *name { "twice".to_owned() } else { format!("and {other} has it too") };
                    return Err(format!(
                        "{name} has the image {place} {what}: each is of one split; --set data.split_column=none reads no array as the split"
                    ));
                }
                splits[place] = Some(*split);
            }
        }
        let names: Vec<&str> = all.iter().map(|of| of.name).collect();
        Ok((splits, names.join(", ")))
    }
}

impl Found {
    /// Gives the pairs what stands beside them: a pair without a word for its split is the training set where others are the validation or the
    /// test set, and arrays of one value for each image may say its split.
    pub(super) fn complete(
        &mut self,
        arrays: &[Named],
        roles: &Roles,
        layout: &Layout,
    ) -> Result<(), String> {
        let has = |wanted: Option<Split>| self.pairs.iter().any(|pair| pair.split == wanted);
        let (whole, train) = (has(None), has(Some(Split::Train)));
        let others = has(Some(Split::Val)) || has(Some(Split::Test));
        if whole && train {
            let names = |wanted: Option<Split>| {
                let pair = self.pairs.iter().find(|pair| pair.split == wanted);
                pair.map_or(String::new(), |pair| format!("{} and {}", pair.images.name, pair.labels.name))
            };
            return Err(format!(
                "{} are the training set by their names, and {} may be it too: save those that are meant in a file of their own",
                names(Some(Split::Train)),
                names(None)
            ));
        }
        if whole && others {
            for pair in self.pairs.iter_mut().filter(|pair| pair.split.is_none()) {
                pair.split = Some(Split::Train);
            }
        }
        if layout.reads_no_split() {
            return Ok(());
        }
        let asked = layout.split_column.as_deref();
        let is_asked = |array: &Named| asked.is_some_and(|name| name.eq_ignore_ascii_case(&array.name));
        if let Some(name) = asked
            && !arrays.iter().any(is_asked)
        {
            let names: Vec<&str> = arrays.iter().map(|array| array.name.as_str()).collect();
            return Err(format!(
                "data.split_column asks for the array `{name}`, but the arrays are {}",
                names.join(", ")
            ));
        }
        let like = arrays.iter().filter(|array| {
            let is_free = roles.of_array(&array.name).is_none();
            is_asked(array) || is_free && (names_split(&array.name) || array.is_text())
        });
        let like: Vec<Named> = like.cloned().collect();
        match &mut self.pairs[..] {
            [only] if only.split.is_none() => only.like_splits = like,
            _ if asked.is_some() => {
                return Err(
                    "data.split_column asks for an array, but the names of the arrays say their splits"
                        .to_owned(),
                );
            }
            _ => self.notices.extend(like.into_iter().filter(|array| names_split(&array.name)).map(
                |Named { name, .. }| match is_fold_name(&name) {
                    true => Notice::Folds { column: name },
                    false => {
                        let why = "the names of the arrays say their splits".to_owned();
                        Notice::ArrayNotRead { array: name, why }
                    }
                },
            )),
        }
        Ok(())
    }
}
