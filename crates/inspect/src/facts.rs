//! Facts of images that are not their content.

use std::collections::HashMap;

use pupila_dataset::Dataset;

use crate::{Looked, Measurement};

/// What is missing is below all.
const MISSING: f32 = f32::MIN;

/// A fact of each image, as numbers.
pub(crate) struct Fact {
    pub(crate) name: &'static str,
    /// What of it is told by class, and how.
    pub(crate) shown: &'static str,
    /// Whether a network sees it in the pixels.
    pub(crate) seen: bool,
    /// `[features][images]`; the first is what is shown.
    pub(crate) features: Vec<Vec<f32>>,
}

/// What is known of each of the samples `which` beside what it shows: facts that are the same for all are left out.
pub(crate) fn facts(dataset: &Dataset, looked: &Looked, which: &[usize]) -> Vec<Fact> {
    let measurements: Vec<&Measurement> =
        which.iter().filter_map(|&place| looked.measurements[place].as_ref()).collect();
    let numbers = |of: &dyn Fn(&Measurement) -> f32| -> Vec<f32> {
        measurements.iter().map(|measurement| of(measurement)).collect()
    };
    let quality = numbers(&|s| s.jpeg_quality.map_or(MISSING, f32::from));
    let cameras: Vec<String> =
        measurements.iter().map(|s| s.taken.camera.as_deref().unwrap_or_default().to_owned()).collect();
    let stems: Vec<String> = which
        .iter()
        .map(|&place| {
            dataset.samples[place].path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
        })
        .collect();
    let formats: Vec<String> = measurements
        .iter()
        .map(|s| s.format.map_or(String::new(), |format| format.name().to_owned()))
        .collect();
    let fact = |name, shown, seen, features| Fact { name, shown, seen, features };
    let facts = vec![
        fact(
            "image size",
            "width",
            true,
            vec![
                numbers(&|s| s.size.0 as f32),
                numbers(&|s| s.size.1 as f32),
                numbers(&|s| s.size.0 as f32 / s.size.1 as f32),
            ],
        ),
        fact("file size", "bytes", false, vec![numbers(&|s| s.bytes as f32)]),
        fact("file format", "format", false, vec![codes(&formats)]),
        // Gray or in color, whatever the file says.
        fact("gray or color", "color", true, vec![numbers(&|s| f32::from(u8::from(s.chroma >= 0.01)))]),
        fact(
            "file name",
            "length of the name",
            false,
            vec![
                stems.iter().map(|stem| stem.chars().count() as f32).collect(),
                codes(&stems.iter().map(|stem| pattern(stem)).collect::<Vec<_>>()),
                stems.iter().map(|stem| number(stem).unwrap_or(MISSING)).collect(),
            ],
        ),
        fact("border color", "red of the border", true, (0..3).map(|c| numbers(&|s| s.border[c])).collect()),
        fact("brightness", "brightness", true, vec![numbers(&|s| s.brightness), numbers(&|s| s.contrast)]),
        fact("camera", "camera", false, vec![codes(&cameras)]),
        fact("time", "seconds", false, vec![numbers(&|s| s.taken.at.map_or(MISSING, |at| at as f32))]),
        fact("JPEG quality", "quality", true, vec![quality]),
    ];
    // The quality of files of which many are no JPEG says only that.
    let is_jpeg = measurements.iter().filter(|measurement| measurement.jpeg_quality.is_some()).count() * 10
        >= measurements.len() * 9;
    let applies = |fact: &Fact| fact.name != "JPEG quality" || is_jpeg;
    let varies = |fact: &Fact| fact.features.iter().any(|values| values.iter().any(|&v| v != values[0]));
    facts.into_iter().filter(|fact| applies(fact) && varies(fact)).collect()
}

/// What is known of each file without its name, its time and what it shows, as numbers by name: facts that are the same for all are left out.
///
/// `measurements: [images]`, each list too; what is not known is below all.
pub fn file_facts(measurements: &[Option<Measurement>]) -> Vec<(&'static str, Vec<f32>)> {
    let numbers = |of: &dyn Fn(&Measurement) -> f32| -> Vec<f32> {
        measurements.iter().map(|measurement| measurement.as_ref().map_or(MISSING, of)).collect()
    };
    let texts = |of: &dyn Fn(&Measurement) -> String| -> Vec<f32> {
        let texts: Vec<String> = measurements
            .iter()
            .map(|measurement| measurement.as_ref().map_or_else(String::new, of))
            .collect();
        codes(&texts)
    };
    let all = [
        ("width", numbers(&|m| m.size.0 as f32)),
        ("height", numbers(&|m| m.size.1 as f32)),
        ("aspect ratio", numbers(&|m| m.size.0 as f32 / m.size.1 as f32)),
        ("bytes", numbers(&|m| m.bytes as f32)),
        ("format", texts(&|m| m.format.map_or(String::new(), |format| format.name().to_owned()))),
        ("JPEG quality", numbers(&|m| m.jpeg_quality.map_or(MISSING, f32::from))),
        ("color or gray", numbers(&|m| f32::from(u8::from(m.color)))),
        ("camera", texts(&|m| m.taken.camera.as_deref().unwrap_or_default().to_owned())),
    ];
    all.into_iter().filter(|(_, values)| values.iter().any(|value| *value != values[0])).collect()
}

/// Texts as numbers: the most frequent is 0. So a tree parts them in few steps.
fn codes(texts: &[String]) -> Vec<f32> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    texts.iter().for_each(|text| *counts.entry(text).or_default() += 1);
    let mut order: Vec<(&str, usize)> = counts.into_iter().collect();
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let code: HashMap<&str, f32> =
        order.iter().enumerate().map(|(at, &(text, _))| (text, at as f32)).collect();
    texts.iter().map(|text| code[text.as_str()]).collect()
}

/// A name with `#` for each run of digits.
fn pattern(stem: &str) -> String {
    let mut pattern = String::new();
    for c in stem.chars() {
        match c.is_ascii_digit() {
            true if pattern.ends_with('#') => {}
            true => pattern.push('#'),
            false => pattern.push(c),
        }
    }
    pattern
}

/// The last number of a name.
fn number(stem: &str) -> Option<f32> {
    let end = stem.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = stem[..end]
        .rfind(|c: char| !c.is_ascii_digit())
        .map_or(0, |at| at + stem[at..].chars().next().map_or(1, char::len_utf8));
    stem[start..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_patterns_and_numbers() {
        assert_eq!(pattern("ISIC_0012-3b"), "ISIC_#-#b");
        assert_eq!(number("ISIC_0012"), Some(12.0));
        assert_eq!(number("ä12é"), Some(12.0));
        assert_eq!(number("7"), Some(7.0));
        assert_eq!(number("no"), None);
        assert_eq!(codes(&["b".into(), "a".into(), "b".into()]), [0.0, 1.0, 0.0]);
    }
}
