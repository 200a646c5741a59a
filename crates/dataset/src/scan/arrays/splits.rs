//! Arrays beside those of the images and labels that say of which split each image is.

use super::Contents;
use super::named::{Found, Named, Pair};
use super::roles::{Roles, names_split};
use crate::scan::manifest::{ColumnSplits, is_fold_name, of_columns, say_splits};
use crate::{Layout, Notice, ScanError, Split};

/// What was read of a pair, and the split of each image with the names of the arrays that say it.
pub(super) type WithSplits = (Contents, Option<(Vec<Option<Split>>, String)>);

impl Pair {
    /// All of it, and what arrays beside it say of its splits.
    pub(super) fn read_splits(&self, layout: &Layout) -> Result<(WithSplits, Vec<Notice>), ScanError> {
        let contents = self.read(layout)?;
        let count = contents.labels.len();
        let (mut columns, mut notices) = (Vec::new(), Vec::new());
        for array in &self.like_splits {
            let wanted = layout.split_column.as_deref();
            let asked = wanted.is_some_and(|name| name.eq_ignore_ascii_case(&array.name));
            // One of another name says it by its values, or says nothing.
            if !asked && !names_split(&array.name) {
                let values = array.read().ok().and_then(|values| values.groups().ok()).unwrap_or_default();
                let values: Vec<String> = values.into_iter().map(Option::unwrap_or_default).collect();
                if values.len() == count && say_splits(values.iter().map(String::as_str)) {
                    columns.push((array.name.clone(), values));
                }
                continue;
            }
            // What nobody asked for, and cannot be read, is no reason to refuse the rest.
            let values = match array.read() {
                Ok(values) => values.groups(),
                Err(ScanError::Array { reason, .. }) if !asked => Err(reason),
                Err(error) => return Err(error),
            };
            let why = match values {
                Ok(values) if values.len() == count => {
                    let text = |value: Option<String>| value.unwrap_or_default();
                    columns.push((array.name.clone(), values.into_iter().map(text).collect()));
                    continue;
                }
                Ok(values) => format!(
                    "it has {} values for {count} images; an array `split` that has train, val or test for each image would be",
                    values.len()
                ),
                Err(reason) => reason.replace("groups are", "splits are"),
            };
            if asked {
                return Err(ScanError::Array { path: array.path.clone(), reason: why });
            }
            notices.push(Notice::ArrayNotRead { array: array.name.clone(), why });
        }
        let file = self.images.path.parent().unwrap_or(&self.images.path).to_owned();
        let failed = |reason: String| ScanError::Array { path: file, reason };
        let ColumnSplits { read, notices: told } = of_columns(columns, layout).map_err(failed)?;
        notices.extend(told);
        Ok(((contents, read), notices))
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
