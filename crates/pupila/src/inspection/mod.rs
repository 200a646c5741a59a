//! A data set as it is, before anything is trained on it.

mod page;

use crate::error::{Error, Tried};
use crate::session::Progress;
use crate::stop_signal::StopSignal;
use pupila_dataset::{Cache, Dataset, OnBadImage, ScanError, scan, scan_images};
use pupila_image::Reading;
use pupila_inspect::{Inspection, LookError, Looked, inspect, look};
use pupila_run::write_whole;
use pupila_train::CheckedRecipe;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

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
        let looked = look(&dataset, &reading, cache, &tell, &stopped).map_err(|error| match error {
            LookError::Interrupted => Error::Stopped("interrupted; nothing was written"),
            other => Error::Look(other),
        })?;
        let inspection = inspect(&dataset, &looked);
        Ok(Inspected { dataset, looked, inspection })
    }

    /// Writes the page.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_page(
        &self,
        path: &Path,
        recipe: &CheckedRecipe,
        without_pictures: bool,
    ) -> Result<(), Error> {
        let html = page::of(self, &recipe.input.rule().reading, without_pictures).render();
        write_whole(path, html.as_bytes()).map_err(Error::io(Tried::Write, path))
    }

    /// Writes the images that the findings would leave out, a path below the data's root in each line, for
    /// `data.exclude_list`. How many they are.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_exclude_list(&self, path: &Path) -> Result<usize, Error> {
        let mut which: Vec<usize> =
            self.inspection.findings.iter().flat_map(|finding| finding.excluded.iter().copied()).collect();
        which.sort_unstable();
        which.dedup();
        let mut text = String::from(
            "# Images that pupila inspect would leave out; train honours it with --set data.exclude_list=FILE\n",
        );
        let mut written = 0;
        for &place in &which {
            let path = &self.dataset.samples[place].path;
            let below = path.strip_prefix(&self.dataset.root).unwrap_or(path);
            // A name with a line break cannot stand in a list of lines.
            let Some(below) = below.to_str().filter(|name| !name.contains(['\n', '\r'])) else { continue };
            text.push_str(below);
            text.push('\n');
            written += 1;
        }
        write_whole(path, text.as_bytes()).map_err(Error::io(Tried::Write, path))?;
        Ok(written)
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
            Ok(scan_images(&[path.to_owned()], OnBadImage::Skip, cache)?)
        }
        Err(error) => Err(error.into()),
    }
}
