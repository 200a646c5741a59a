//! Pictures that are like no other.

use pupila_dataset::Dataset;
use pupila_random::{Purpose, Stream};

use crate::Looked;
use crate::finding::{Finding, Kind, Severity, images};
use crate::neighbours::{NEIGHBOURS, Nearest, nearest};

/// Of more pictures so many are asked, drawn at random: what is usual is known by them, and the work grows with the number of pictures alone.
const ASKED: usize = 2_000;
/// How many deviations above the median the logarithm of the distance is. Of a normal distribution one in 30,000 is beyond 4.
const FAR: f64 = 4.0;
/// Fewer pictures do not tell what is usual.
const FEWEST: usize = 20;

/// How far each picture is from its nearest, as deviations above the median of all, and its place among the samples; the furthest first.
///
/// The distance is the sum of the absolute differences of the colors at 16 x 16 pixels to the fifth nearest picture; deviations are of its
/// logarithm, robust: the median absolute deviation times 1.4826.
pub fn distances(looked: &Looked) -> Vec<(f64, usize)> {
    let seen: Vec<usize> = looked.seen().map(|(place, _)| place).collect();
    if seen.len() < FEWEST {
        return Vec::new();
    }
    let mut asked: Vec<usize> = (0..seen.len()).collect();
    if asked.len() > ASKED {
        Stream::new(0, Purpose::Subset, ASKED as u32, 2).shuffle(&mut asked);
        asked.truncate(ASKED);
    }
    let asked: Vec<usize> = asked.into_iter().map(|other| seen[other]).collect();
    // The distance of a picture is that to the furthest of its nearest: copies of an outlier are no neighbours worth the name.
    let far = |nearest: &Nearest| f64::from(nearest[NEIGHBOURS - 1].0.max(1)).ln();
    let logs: Vec<f64> =
        nearest(looked, &seen, &asked, |image, other| image != other).iter().map(far).collect();
    let median = |values: &mut Vec<f64>| {
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f64::total_cmp).1
    };
    let middle = median(&mut logs.clone());
    let deviation = 1.4826 * median(&mut logs.iter().map(|log| (log - middle).abs()).collect());
    // Pictures that are nearly all alike: whatever differs is far.
    let deviation = deviation.max(0.02);
    let mut far: Vec<(f64, usize)> =
        logs.iter().zip(&seen).map(|(log, place)| ((log - middle) / deviation, *place)).collect();
    far.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    far
}

/// The finding; none where every picture has others like it.
pub(crate) fn find(dataset: &Dataset, looked: &Looked) -> Option<Finding> {
    let far: Vec<usize> =
        distances(looked).into_iter().take_while(|(far, _)| *far > FAR).map(|(_, place)| place).collect();
    if far.is_empty() || dataset.samples.is_empty() {
        return None;
    }
    let message = format!(
        "{} like no other in colors and layout, the furthest first",
        if far.len() == 1 { "1 image is".to_owned() } else { format!("{} are", images(far.len())) }
    );
    let advice = "look whether they belong here; what does not is left out by a line in the file of --set data.exclude_list=FILE, or by \
                  data.exclude";
    Some(Finding::new(Kind::Outlier, Severity::Note, message, advice).of_each(far))
}
