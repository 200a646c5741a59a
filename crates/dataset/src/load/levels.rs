//! What values files of more than 8 bits hold, of a few of them: the loader itself has their pixels from the cache.

use pupila_image::{Limits, Stored, may_be_deep, stored};
use rayon::prelude::*;

use crate::files::{read_file, read_start};
use crate::{Dataset, Sample, Source};

/// So many files are opened once more.
const ASKED: usize = 32;
/// As much of a file as says whether it may have more than 8 bits.
const START: u64 = 32;
/// Larger pictures are not opened once more: their samples take eight bytes a pixel.
pub(super) const LIMITS: Limits = Limits { max_pixels: 1 << 25 };

/// What files among the samples `which` hold together, and the first of them; evenly spaced ones are asked. None where they have 8 bits.
pub(super) fn of_files(dataset: &Dataset, which: &[usize]) -> Option<(Stored, usize)> {
    let files: Vec<usize> =
        which.iter().copied().filter(|&at| matches!(dataset.samples[at].source, Source::File)).collect();
    let step = files.len().div_ceil(ASKED).max(1);
    let asked: Vec<usize> = files.into_iter().step_by(step).collect();
    let one = |&at: &usize| Some((of_file(&dataset.samples[at])?, at));
    let all: Vec<(Stored, usize)> = asked.par_iter().filter_map(one).collect();
    // Where both kinds are there, those of the first.
    let &(first, at) = all.first()?;
    let alike = all.into_iter().map(|(stored, _)| stored).filter(|stored| stored.float == first.float);
    Some((alike.reduce(Stored::with)?, at))
}

fn of_file(sample: &Sample) -> Option<Stored> {
    if !may_be_deep(&read_start(&sample.path, START).ok()?) {
        return None;
    }
    stored(&read_file(&sample.path).ok()?, &LIMITS).ok().flatten()
}
