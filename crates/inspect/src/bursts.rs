//! Photographs that one camera took within seconds: they show the same thing, and belong in one split.

use std::collections::BTreeMap;

use pupila_dataset::{Dataset, Split};

use crate::Looked;
use crate::finding::{Finding, Kind, Severity, grouped, images};
use crate::splits::{are_given, given};

/// More photographs in a row are no burst.
const MOST: usize = 20;

/// The longest time between two photographs of a burst, in seconds.
const APART: i64 = 2;

/// Bursts in several splits; where the data brings no splits, bursts that a random split would part.
pub(crate) fn find(dataset: &Dataset, looked: &Looked) -> Option<Finding> {
    let bursts = bursts(dataset, looked);
    let split = |&place: &usize| given(dataset, place);
    if dataset.classes.is_empty() || bursts.is_empty() {
        return None;
    }
    if !are_given(dataset) {
        let all: usize = bursts.iter().map(Vec::len).sum();
        let message = format!(
            "{} were taken by the same camera within {APART} s of another: a random split puts them on both sides",
            images(all)
        );
        let advice = "a column that names what belongs together keeps them on one side: a table with path, label and group (--set data.group=COLUMN)";
        let mut finding = Finding::new(Kind::GroupAcrossSplits, Severity::Warning, message, advice);
        finding.groups = bursts;
        return Some(finding);
    }
    let apart = |burst: &&Vec<usize>| burst.iter().any(|place| split(place) != split(&burst[0]));
    let across: Vec<Vec<usize>> = bursts.iter().filter(apart).cloned().collect();
    if across.is_empty() {
        return None;
    }
    let judged = across.iter().flatten().filter(|place| split(place) != Split::Train).count();
    let message = format!(
        "{} (one camera, within {APART} s) in several splits, with {} of validation or test: they may show the same scene",
        if across.len() == 1 {
            "1 burst is".to_owned()
        } else {
            format!("{} bursts are", grouped(across.len()))
        },
        images(judged)
    );
    let advice = "the images of a burst belong in one split: make the split anew by what was photographed";
    let mut finding = Finding::new(Kind::GroupAcrossSplits, Severity::Warning, message, advice);
    finding.groups = across;
    Some(finding)
}

/// Groups of at least two samples, by camera and time. A time without a camera is that of the file's making as often as not.
fn bursts(dataset: &Dataset, looked: &Looked) -> Vec<Vec<usize>> {
    let mut of_camera: BTreeMap<&str, Vec<(i64, usize)>> = BTreeMap::new();
    for (place, measurement) in looked.seen() {
        if let (Some(camera), Some(at)) = (&measurement.taken.camera, measurement.taken.at) {
            of_camera.entry(camera).or_default().push((at, place));
        }
    }
    let mut bursts = Vec::new();
    for mut photographs in of_camera.into_values() {
        photographs.sort_unstable();
        // Equal models are no equal cameras, and a clock may stand still: long rows are no bursts.
        for burst in photographs.chunk_by(|a, b| b.0 - a.0 <= APART) {
            if (2..=MOST).contains(&burst.len()) {
                let mut places: Vec<usize> = burst.iter().map(|&(_, place)| place).collect();
                places.sort_unstable();
                bursts.push(places);
            }
        }
    }
    // What a group ties is together anyway.
    let group = |place: usize| dataset.samples[place].group.as_deref();
    let tied = |burst: &[usize]| {
        burst.iter().all(|&place| group(place).is_some() && group(place) == group(burst[0]))
    };
    bursts.retain(|burst| !tied(burst));
    bursts.sort();
    bursts
}
