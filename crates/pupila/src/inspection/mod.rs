//! A data set as it is, before anything is trained on it.

mod opinions;
mod page;

pub use opinions::Asked;

use crate::error::{Error, Tried};
use crate::session::Progress;
use crate::stop_signal::StopSignal;
use pupila_dataset::{Cache, Dataset, OnBadImage, ScanError, leave_out, scan, scan_images};
use pupila_image::Reading;
use pupila_inspect::{Inspection, LookError, Looked, Resolution, inspect, look};
use pupila_run::write_whole;
use pupila_train::CheckedRecipe;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

const STOPPED: Error = Error::Stopped("interrupted; nothing was written");

/// By what a page of ours is known, and a list of ours.
const PAGE: &str = "inspected by Pupila</p>";
const LIST: &str = "# Images that pupila inspect would leave out";

/// Whether files may be written: each is none yet, or is of the kind that `inspect` writes, and its folder is there.
///
/// # Errors
/// Something else is there, or both are one.
pub fn check_inspection_files(page: &Path, list: Option<&Path>) -> Result<(), Error> {
    for (path, mark, option) in [(Some(page), PAGE, "--out"), (list, LIST, "--exclude-list")]
        .into_iter()
        .filter_map(|(p, m, o)| Some((p?, m, o)))
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
            return Err(Error::request(format_args!(
                "{option} {}: there is no folder {}",
                path.display(),
                folder.display()
            )));
        }
        let ours = match std::fs::metadata(path) {
            // A pipe or a device has nothing that could be lost.
            Ok(there) if !there.is_file() && !there.is_dir() => true,
            Ok(_) if pupila_run::is_of_a_run(path) => false,
            Ok(_) => std::fs::read_to_string(path).is_ok_and(|text| text.is_empty() || text.contains(mark)),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if !ours {
            return Err(Error::request(format_args!(
                "{option} {} is there already and was not written by inspect, and is not written over: choose another name, or remove it",
                path.display()
            )));
        }
    }
    match list {
        Some(list) if list == page => {
            Err(Error::request("--out and --exclude-list name one file: the page and the list need one each"))
        }
        _ => Ok(()),
    }
}

/// The day of a time in seconds since 1970, as `2016-03-05` (proleptic Gregorian calendar).
pub fn day(seconds: i64) -> String {
    // Years begin in March, so that the leap day is the last: 400 of them have 146,097 days. 1970-01-01 is day 719,468.
    let days = seconds.div_euclid(86_400) + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * month + 2) / 5 + 1, if month < 10 { month + 3 } else { month - 9 });
    format!("{:04}-{month:02}-{day:02}", 400 * era + year + i64::from(month <= 2))
}

/// What the images that judge can tell apart, in a sentence without its full stop.
pub fn told(resolution: Resolution) -> String {
    let Resolution { images, smallest, for_two_points } = resolution;
    let needed = format!("a difference of 2 points needs {}", crate::images(for_two_points));
    match smallest {
        None => format!(
            "what can be told: {} are too few to tell two models apart; {needed}",
            crate::images(images)
        ),
        Some(smallest) => format!(
            "what can be told: {} find a difference of {:.1} points between two models four times in five, if one image in five is right in one of \
             them alone; {needed}",
            crate::images(images),
            100.0 * smallest
        ),
    }
}

/// What was written of the images to leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Excluded {
    /// Images in the list.
    pub images: usize,
    /// Images that cannot be in a list of lines: their names hold a line break or another control character.
    pub unwritable: usize,
}

/// How a data set is inspected.
#[derive(Debug, Default)]
pub struct InspectionOptions {
    /// Where what was seen is kept on disk, if anywhere.
    pub cache: Option<Cache>,
    /// What may stop it.
    pub stop: StopSignal,
}

/// A data set that was looked at.
#[derive(Debug)]
pub struct Inspected {
    /// Its samples, to which the findings refer; without classes where there are no labels.
    pub dataset: Dataset,
    /// What was seen of each.
    pub looked: Looked,
    /// What there is, and what is wrong with it.
    pub inspection: Inspection,
    /// What could not be judged and why, in sentences without their full stop.
    pub notes: Vec<String>,
}

impl Inspected {
    /// Looks at all images of `path`, read as a recipe says; without labels where there are none.
    ///
    /// `progress` is told how many images of how many are done, from any thread.
    ///
    /// # Errors
    /// The data cannot be found or read, or the work was stopped.
    pub fn of(
        path: &Path,
        recipe: &CheckedRecipe,
        options: &InspectionOptions,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Inspected, Error> {
        let cache = options.cache.as_ref().filter(|_| recipe.data.cache);
        let dataset = scanned(path, recipe, cache)?;
        let total = dataset.samples.len();
        let done = AtomicUsize::new(0);
        let tell = |more: usize| {
            let done = done.fetch_add(more, Ordering::Relaxed) + more;
            progress(Progress { done, total });
        };
        // Damaged pictures are told, whatever training makes of them.
        let reading = Reading { fill_damaged: false, ..recipe.input.rule().reading };
        let stopped = || options.stop.is_set();
        let mut looked = look(&dataset, &reading, cache, &tell, &stopped).map_err(|error| match error {
            LookError::Interrupted => STOPPED,
            other => Error::Look(other),
        })?;
        let inspection = inspect(&dataset, &mut looked, &reading, &stopped).ok_or(STOPPED)?;
        Ok(Inspected { dataset, looked, inspection, notes: Vec::new() })
    }

    /// Asks models that never saw the images what they say of the labels. `fold` is told which of how many begins, from 1.
    ///
    /// # Errors
    /// There are no labels, the runs are not those of this data, the folds cannot be trained, or the work was stopped.
    pub fn ask(
        &mut self,
        path: &Path,
        asked: &Asked,
        options: &InspectionOptions,
        fold: &dyn Fn(usize, usize),
    ) -> Result<(), Error> {
        if self.dataset.classes.len() < 2 {
            return Err(Error::request(
                "there are no labels to judge: folders inside of the data would be the classes",
            ));
        }
        let training = opinions::Training { path, cache: options.cache.as_ref(), stop: &options.stop, fold };
        let opinions = match asked {
            Asked::Runs(run) => opinions::of_runs(&self.dataset, run, &training)?,
            Asked::Train(recipe) => opinions::trained(&self.dataset, recipe, &training)?,
        };
        self.inspection.add_opinions(&self.dataset, &self.looked, &opinions);
        self.notes.extend(opinions.notes);
        Ok(())
    }

    /// Writes the page.
    ///
    /// # Errors
    /// The file cannot be written, or the work was stopped.
    pub fn write_page(
        &self,
        path: &Path,
        recipe: &CheckedRecipe,
        without_pictures: bool,
        stop: &StopSignal,
    ) -> Result<(), Error> {
        let page = page::of(self, &recipe.input.rule().reading, without_pictures, stop).ok_or(STOPPED)?;
        let html = page.render();
        write_whole(path, html.as_bytes()).map_err(Error::io(Tried::Write, path))
    }

    /// Writes the images that the findings would leave out, a path below the data's root in each line, for
    /// `data.exclude_list`.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_exclude_list(&self, path: &Path) -> Result<Excluded, Error> {
        let mut which: Vec<usize> =
            self.inspection.findings.iter().flat_map(|finding| finding.excluded.iter().copied()).collect();
        which.sort_unstable();
        which.dedup();
        let mut text = format!("{LIST}; train honours it with --set data.exclude_list=FILE\n");
        let mut written = 0;
        for &place in &which {
            let path = &self.dataset.samples[place].path;
            let below = path.strip_prefix(&self.dataset.root).unwrap_or(path);
            let Some(below) = below.to_str().filter(|name| !name.contains(char::is_control)) else {
                continue;
            };
            // Such a line would be a remark.
            if below.starts_with('#') {
                text.push_str("./");
            }
            text.push_str(below);
            text.push('\n');
            written += 1;
        }
        write_whole(path, text.as_bytes()).map_err(Error::io(Tried::Write, path))?;
        Ok(Excluded { images: written, unwritable: which.len() - written })
    }
}

/// The labelled images of a path, or where it has no classes all of its images.
fn scanned(path: &Path, recipe: &CheckedRecipe, cache: Option<&Cache>) -> Result<Dataset, Error> {
    let mut options = recipe.scan_options();
    // Everything there is, whatever part of it is to be trained on.
    (options.fraction, options.max_per_class, options.drop_leaks) = (1.0, None, false);
    options.on_bad_image = OnBadImage::Skip;
    match scan(path, &options, cache) {
        Ok(dataset) => Ok(dataset),
        Err(ScanError::NoClasses { .. } | ScanError::NoClassFolders { .. } | ScanError::OneClass { .. }) => {
            let mut dataset = scan_images(&[path.to_owned()], OnBadImage::Skip, cache)?;
            leave_out(&mut dataset, &options.exclude, options.exclude_list.as_deref())?;
            Ok(dataset)
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::day;

    #[test]
    fn days_are_those_of_the_calendar() {
        // `date -u -d @SECONDS +%F`
        let known = [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (951_782_400, "2000-02-29"),
            (951_868_800, "2000-03-01"),
            (1_709_164_800, "2024-02-29"),
            (4_107_542_400, "2100-03-01"),
            (1_735_689_599, "2024-12-31"),
        ];
        known.into_iter().for_each(|(seconds, date)| assert_eq!(day(seconds), date));
    }
}
