//! What is unusual about single pictures.

use pupila_dataset::{Dataset, Source};
use pupila_image::Reading;

use crate::finding::{Finding, Kind, Severity, images};
use crate::{Looked, Measurement};

/// A luma that its lightest pixels do not reach, or its darkest are above. Photographs that show something have both.
const DARK: f32 = 0.08;
const BRIGHT: f32 = 0.95;

/// The standard deviation of the luma below which a picture is of one color: two of 255.
const ONE_COLOR: f32 = 2.0 / 255.0;

/// So much smaller or larger than the median, in pixels, is unusual.
const SIZE_FACTOR: f64 = 10.0;

/// Sides so far apart, or so much further than the median's.
const ASPECT: f64 = 5.0;

/// Kinds of pictures that are fewer than this share of all are odd.
const ODD_SHARE: f64 = 0.05;

/// Findings about each picture by itself.
pub(crate) fn find(dataset: &Dataset, looked: &Looked, reading: &Reading) -> Vec<Finding> {
    let seen: Vec<(usize, &Measurement)> = looked.seen().collect();
    let mut findings = Vec::new();
    let mut add = |kind, severity, which: Vec<usize>, said: &str, advice: &str| {
        if !which.is_empty() {
            let verb = if which.len() == 1 { "is" } else { "are" };
            let message = format!("{} {verb} {said}", images(which.len()));
            findings.push(Finding::new(kind, severity, message, advice).of_each(which));
        }
    };
    let by = |is: &dyn Fn(usize, &Measurement) -> bool| -> Vec<usize> {
        seen.iter().filter(|(place, measurement)| is(*place, measurement)).map(|&(place, _)| place).collect()
    };
    let deviation = |measurement: &Measurement, c: usize| {
        (measurement.square[c] - measurement.mean[c] * measurement.mean[c]).max(0.0).sqrt()
    };
    let one_color = |measurement: &Measurement| {
        measurement.contrast < ONE_COLOR && (0..3).all(|c| deviation(measurement, c) < 2.0 * ONE_COLOR)
    };
    let look = "look at them; what does not belong is left out by a line in the file of --set data.exclude_list=FILE, or by data.exclude";
    // What is read wrongly (12 bits in 16, floating-point numbers) looks so, and then all of it does.
    let why = |which: &[usize]| dataset.why_flat(which, *reading).advice().unwrap_or_else(|| look.to_owned());
    let flat = by(&|_, measurement| one_color(measurement));
    let advice = why(&flat);
    add(Kind::OneColor, Severity::Warning, flat, "of one color, or nearly", &advice);
    let dark = by(&|place, measurement| !one_color(measurement) && light(looked.gray(place), 0.99) < DARK);
    let advice = why(&dark);
    add(Kind::Dark, Severity::Note, dark, "hardly lighter than black", &advice);
    let bright =
        by(&|place, measurement| !one_color(measurement) && light(looked.gray(place), 0.01) > BRIGHT);
    let advice = why(&bright);
    add(Kind::Bright, Severity::Note, bright, "hardly darker than white", &advice);
    add(Kind::Blurry, Severity::Note, blurry(&seen, &one_color), "much less sharp than the others", look);
    let sizes = unusual_sizes(&seen);
    add(Kind::Tiny, Severity::Note, sizes.tiny, "much smaller than the others", look);
    add(Kind::Huge, Severity::Note, sizes.huge, "much larger than the others", look);
    add(
        Kind::OddAspect,
        Severity::Note,
        sizes.odd,
        "of another shape than the others: squeezed into a square they change most",
        look,
    );
    let gray = by(&|_, measurement| measurement.chroma < 0.01);
    let color = seen.len() - gray.len();
    let few = |count: usize| count > 0 && (count as f64) < ODD_SHARE * seen.len() as f64;
    if few(gray.len()) {
        add(
            Kind::OddColor,
            Severity::Note,
            gray,
            "gray among pictures in color",
            "if color says nothing about the classes: --set input.channels=1",
        );
    } else if few(color) {
        let odd = by(&|_, measurement| measurement.chroma >= 0.01);
        add(
            Kind::OddColor,
            Severity::Note,
            odd,
            "in color among gray pictures",
            "if color says nothing about the classes: --set input.channels=1",
        );
    }
    let wrong = seen
        .iter()
        .filter(|&&(place, measurement)| is_misnamed(dataset, place, measurement))
        .map(|&(place, _)| place);
    add(
        Kind::MislabelledFormat,
        Severity::Note,
        wrong.collect(),
        "named for another format than the content is",
        "they are read by their content here; other programs may go by the name",
    );
    let located = by(&|_, measurement| measurement.taken.located);
    add(
        Kind::Location,
        Severity::Warning,
        located,
        "stored with the place where the photograph was taken (EXIF)",
        "take it out before the data travels: exiftool -gps:all= FILE; nothing written here holds it",
    );
    findings
}

/// The luma below which a share of the pixels is.
fn light(gray: &[u8], share: f64) -> f32 {
    let mut counts = [0usize; 256];
    gray.iter().for_each(|&value| counts[usize::from(value)] += 1);
    let wanted = (gray.len() as f64 * share) as usize;
    let mut below = 0;
    for (value, count) in counts.iter().enumerate() {
        below += count;
        if below > wanted {
            return value as f32 / 255.0;
        }
    }
    1.0
}

/// Pictures that are less sharp than a quarter of what the least sharp quarter is: sharpness depends on what is shown, so it is compared
/// with the other pictures and not with a number.
fn blurry(seen: &[(usize, &Measurement)], one_color: &dyn Fn(&Measurement) -> bool) -> Vec<usize> {
    // A picture that was enlarged, or is smaller than what is measured, has another scale.
    let comparable = |measurement: &Measurement| {
        measurement.size.0.max(measurement.size.1) >= 64 && !one_color(measurement)
    };
    let mut all: Vec<f32> = seen.iter().filter(|(_, s)| comparable(s)).map(|(_, s)| s.sharpness).collect();
    if all.len() < 8 {
        return Vec::new();
    }
    all.sort_by(f32::total_cmp);
    let floor = all[all.len() / 4] / 4.0;
    let is = |&&(_, measurement): &&(usize, &Measurement)| {
        comparable(measurement) && measurement.sharpness < floor
    };
    seen.iter().filter(is).map(|&(place, _)| place).collect()
}

struct Sizes {
    tiny: Vec<usize>,
    huge: Vec<usize>,
    odd: Vec<usize>,
}

fn unusual_sizes(seen: &[(usize, &Measurement)]) -> Sizes {
    let area = |measurement: &Measurement| f64::from(measurement.size.0) * f64::from(measurement.size.1);
    let aspect = |measurement: &Measurement| f64::from(measurement.size.0) / f64::from(measurement.size.1);
    let median = |of: &dyn Fn(&Measurement) -> f64| {
        let mut all: Vec<f64> = seen.iter().map(|(_, measurement)| of(measurement)).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() / 2).copied().unwrap_or(1.0)
    };
    let (usual, usual_aspect) = (median(&area), median(&aspect));
    let mut sizes = Sizes { tiny: Vec::new(), huge: Vec::new(), odd: Vec::new() };
    for &(place, measurement) in seen {
        if area(measurement) * SIZE_FACTOR < usual || area(measurement) <= 1.0 {
            sizes.tiny.push(place);
        } else if area(measurement) > usual * SIZE_FACTOR {
            sizes.huge.push(place);
        }
        let ratio = aspect(measurement) / usual_aspect;
        if !(1.0 / ASPECT..=ASPECT).contains(&ratio) {
            sizes.odd.push(place);
        }
    }
    sizes
}

fn is_misnamed(dataset: &Dataset, place: usize, measurement: &Measurement) -> bool {
    let sample = &dataset.samples[place];
    let (Source::File, Some(format)) = (&sample.source, measurement.format) else { return false };
    let Some(extension) = sample.path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()) else {
        return false;
    };
    !format.extensions().contains(&&extension[..])
}
