//! What was seen and found, as a page.

use super::Inspected;
use crate::stop_signal::StopSignal;
use pupila_image::{Image, Interpolation, Reading, resize};
use pupila_inspect::{Finding, Gallery, Kind, Point, Severity, galleries, map, picture, splits};
use pupila_report::{DataPage, MapPoint, PageFinding, PageGallery, PageGroup, PageImage};
use rayon::prelude::*;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::path::Path;

/// Groups of a finding that are shown, and images of a group.
const GROUPS: usize = 12;
const IMAGES: usize = 8;
/// Labels that are doubted are looked at one by one, so more of them are shown.
const DOUBTS: usize = 60;
/// Classes with a gallery: of more the largest and the smallest.
const GALLERIES: usize = 30;
/// The longer side of the pictures of findings and galleries, and of those on the map.
const SIDE: u32 = 112;
const MAP_SIDE: u32 = 48;

/// The page of a data set; `None` where it is to stop.
pub(super) fn of(
    inspected: &Inspected,
    reading: &Reading,
    without_pictures: bool,
    stop: &StopSignal,
) -> Option<DataPage> {
    let Inspected { dataset, looked, inspection, .. } = inspected;
    let summary = &inspection.summary;
    let mut galleries = galleries(dataset, looked);
    if galleries.len() > GALLERIES {
        galleries.sort_by_key(|gallery| (std::cmp::Reverse(gallery.images), gallery.class));
        galleries.drain(GALLERIES / 2..galleries.len() - GALLERIES / 2);
    }
    let points = map(dataset, looked, &|| stop.is_set())?;
    let pictures = match without_pictures {
        true => Pictures::default(),
        false => Pictures::read(inspected, reading, &galleries, &points, stop),
    };
    let used: Vec<usize> = if !splits::are_given(dataset) {
        Vec::new()
    } else {
        (0..3).filter(|&split| summary.classes.iter().any(|(_, counts)| counts[split] > 0)).collect()
    };
    let all = |counts: &[usize; 3]| counts.iter().sum::<usize>() as u64;
    let classes = summary.classes.iter().map(|(name, counts)| {
        let counts = match used.is_empty() {
            true => vec![all(counts)],
            false => used.iter().map(|&split| counts[split] as u64).collect(),
        };
        (name.clone(), counts)
    });
    let splits: Vec<String> = match used.is_empty() {
        true => vec!["images".to_owned()],
        false => used.iter().map(|&split| pupila_dataset::Split::ALL[split].to_string()).collect(),
    };
    let of_split = |sample: usize| {
        used.iter()
            .position(|&split| pupila_dataset::Split::ALL[split] == splits::given(dataset, sample))
            .unwrap_or(0)
    };
    let averages = summary.splits.iter().map(|split| {
        let name = split.split.map_or("all".to_owned(), |split| split.to_string());
        (name, split.images as u64, [split.brightness, split.contrast, split.sharpness])
    });
    let of_class = summary
        .classes
        .iter()
        .zip(&summary.class_averages)
        .map(|((name, counts), values)| (name.clone(), all(counts), *values));
    let averages: Vec<(String, u64, [f64; 3])> = averages.chain(of_class).collect();
    if stop.is_set() {
        return None;
    }
    Some(DataPage {
        title: dataset.root.file_name().map_or("data".into(), |name| name.to_string_lossy().into_owned()),
        subtitle: format!("{} of {}, inspected by Pupila", dataset.form, crate::images(summary.images)),
        lead: lead(inspected),
        facts: facts(inspected),
        splits,
        classes: classes.collect(),
        averages,
        findings: inspection
            .findings
            .iter()
            .map(|finding| page_finding(inspected, finding, &pictures))
            .collect(),
        galleries: galleries.iter().map(|gallery| page_gallery(inspected, gallery, &pictures)).collect(),
        points: points
            .iter()
            .map(|point| MapPoint {
                place: (point.x, point.y),
                class: dataset.samples[point.sample].label as usize,
                split: of_split(point.sample),
                image: PageImage {
                    path: name(inspected, point.sample),
                    image: pictures.small.get(&point.sample).cloned(),
                    ..PageImage::default()
                },
            })
            .collect(),
        without_pictures,
    })
}

fn lead(inspected: &Inspected) -> Vec<String> {
    let inspection = &inspected.inspection;
    let of = |severity: Severity| inspection.findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings) = (of(Severity::Error), of(Severity::Warning));
    let s = |n: usize| if n == 1 { "" } else { "s" };
    let mut lead = vec![match (errors, warnings) {
        (0, 0) => "Nothing was found that would make a score on this data wrong.".to_owned(),
        (0, n) => format!("{n} thing{} may mislead; nothing was found that makes a score wrong.", s(n)),
        (n, 0) => {
            format!("{n} thing{} make{} a score on this data wrong.", s(n), if n == 1 { "s" } else { "" })
        }
        (n, m) => format!(
            "{n} thing{} make{} a score on this data wrong, and {m} more may mislead.",
            s(n),
            if n == 1 { "s" } else { "" }
        ),
    }];
    if let Some(baseline) = inspection.baseline {
        let which = baseline.split.map_or("five folds".to_owned(), |split| format!("the images of {split}"));
        lead.push(format!(
            "How easy it is: {:.1} % [{:.1}, {:.1}] are of the class that most of their five most similar images have ({which}, {} judged); always \
             the most frequent class would be right for {:.1} %. A network should do better than both.",
            100.0 * baseline.accuracy,
            100.0 * baseline.interval.0,
            100.0 * baseline.interval.1,
            crate::count(baseline.judged),
            100.0 * baseline.majority
        ));
    }
    if let Some(resolution) = inspection.resolution {
        lead.push(crate::inspection::told(resolution).replacen("what", "What", 1) + ".");
    }
    lead
}

fn facts(inspected: &Inspected) -> Vec<(String, String)> {
    let summary = &inspected.inspection.summary;
    let count = crate::count;
    let range = |[low, middle, high]: [u32; 3]| match low == high {
        true => format!("{low} px"),
        false => format!("{low} to {high} px, median {middle}"),
    };
    let formats: Vec<String> =
        summary.formats.iter().map(|(name, n)| format!("{} {name}", count(*n))).collect();
    let three = |values: [f64; 3]| values.map(|value| format!("{value:.4}")).join(", ");
    let mut facts = vec![
        ("Images".to_owned(), format!("{} ({})", count(summary.images), formats.join(", "))),
        ("Width".to_owned(), range(summary.widths)),
        ("Height".to_owned(), range(summary.heights)),
        ("Different sizes".to_owned(), count(summary.sizes)),
        ("Mean of red, green, blue".to_owned(), format!("{} of 1 (training images)", three(summary.mean))),
        ("Standard deviation".to_owned(), three(summary.std)),
    ];
    if summary.bytes > 0 {
        facts.push(("All files".to_owned(), format!("{:.1} MB", summary.bytes as f64 / 1e6)));
    }
    if summary.gray_files + summary.gray_content > 0 {
        let (files, content) = (count(summary.gray_files), count(summary.gray_content));
        facts.push(("Gray".to_owned(), format!("{files} by their files, {content} more show no color")));
    }
    if let Some((first, last)) = summary.taken {
        let (first, last) = (super::day(first), super::day(last));
        let days = if first == last { first } else { format!("{first} to {last}") };
        facts.push(("Taken".to_owned(), format!("{days}, by the cameras' clocks")));
    }
    if !summary.cameras.is_empty() {
        let named: Vec<String> =
            summary.cameras.iter().take(5).map(|(name, n)| format!("{name} ({})", count(*n))).collect();
        let more = summary.cameras.len().saturating_sub(5);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        facts.push(("Cameras".to_owned(), format!("{}{more}", named.join(", "))));
    }
    if summary.bad > 0 {
        facts.push(("Cannot be read".to_owned(), count(summary.bad)));
    }
    facts
}

/// How many groups of a finding are shown.
fn shown(finding: &Finding) -> usize {
    if finding.kind == Kind::LabelError { DOUBTS } else { GROUPS }
}

fn page_finding(inspected: &Inspected, finding: &Finding, pictures: &Pictures) -> PageFinding {
    let of_files = finding.files.iter().map(|file| PageGroup {
        note: String::new(),
        images: vec![PageImage {
            path: below_root(inspected, &file.path),
            caption: file.reason.clone(),
            image: None,
        }],
    });
    // What is said of a single picture is its caption.
    let doubted = finding.kind == Kind::LabelError;
    let of_samples = finding.groups.iter().enumerate().map(|(at, group)| {
        let note = finding.notes.get(at).map_or("", String::as_str);
        let (note, caption) = match group.len() {
            1 if doubted => ("", note),
            1 => ("", ""),
            _ => (note, ""),
        };
        let images = group.iter().take(IMAGES);
        PageGroup {
            note: note.to_owned(),
            images: images.map(|&place| page_image(inspected, place, caption, pictures)).collect(),
        }
    });
    let most = shown(finding);
    let all = finding.files.len() + finding.groups.len();
    PageFinding {
        severity: finding.severity.name(),
        message: finding.message.clone(),
        advice: finding.advice.clone(),
        notes: if finding.groups.is_empty() { finding.notes.clone() } else { Vec::new() },
        groups: of_files.chain(of_samples).take(most).collect(),
        more: all.saturating_sub(most) as u64,
    }
}

fn page_gallery(inspected: &Inspected, gallery: &Gallery, pictures: &Pictures) -> PageGallery {
    let class = inspected.dataset.classes.get(gallery.class).cloned().unwrap_or_else(|| "all".into());
    let side = pupila_inspect::COLOR_SIDE as u32;
    let mean = PageImage {
        caption: "mean".into(),
        image: Image::new(side, side, 3, gallery.mean.clone()).ok(),
        path: String::new(),
    };
    let others = gallery.pictures.iter().map(|&(why, place)| page_image(inspected, place, why, pictures));
    PageGallery { class, images: gallery.images as u64, pictures: [mean].into_iter().chain(others).collect() }
}

fn page_image(inspected: &Inspected, place: usize, why: &str, pictures: &Pictures) -> PageImage {
    let dataset = &inspected.dataset;
    let sample = &dataset.samples[place];
    let class = dataset.classes.get(sample.label as usize).map_or("", String::as_str);
    let caption = match (why.is_empty(), !splits::are_given(dataset)) {
        (false, _) => why.to_owned(),
        (true, true) => class.to_owned(),
        (true, false) => format!("{class}, {}", splits::given(dataset, place)),
    };
    PageImage { path: name(inspected, place), caption, image: pictures.large.get(&place).cloned() }
}

fn name(inspected: &Inspected, place: usize) -> String {
    below_root(inspected, &inspected.dataset.samples[place].path)
}

/// A path as the page has it, which may travel: below the data's root, else the file's name.
fn below_root(inspected: &Inspected, path: &Path) -> String {
    let outside = || Path::new(path.file_name().unwrap_or_default());
    path.strip_prefix(&inspected.dataset.root).unwrap_or_else(|_| outside()).display().to_string()
}

/// The pictures that the page shows, each read once.
#[derive(Default)]
struct Pictures {
    large: HashMap<usize, Image>,
    small: HashMap<usize, Image>,
}

impl Pictures {
    fn read(
        inspected: &Inspected,
        reading: &Reading,
        galleries: &[Gallery],
        points: &[Point],
        stop: &StopSignal,
    ) -> Pictures {
        let of_findings = inspected.inspection.findings.iter().flat_map(|finding| {
            finding.groups.iter().take(shown(finding)).flat_map(|group| group.iter().take(IMAGES))
        });
        let of_galleries =
            galleries.iter().flat_map(|gallery| gallery.pictures.iter().map(|(_, place)| place));
        let large: BTreeSet<usize> = of_findings.chain(of_galleries).copied().collect();
        let small: BTreeSet<usize> = points.iter().map(|point| point.sample).collect();
        let wanted: Vec<usize> = large.union(&small).copied().collect();
        type Both = (usize, Option<Image>, Option<Image>);
        let read: Vec<Both> = wanted
            .into_par_iter()
            .filter_map(|place| {
                if stop.is_set() {
                    return None;
                }
                if !large.contains(&place) {
                    let small = picture(&inspected.dataset, place, reading, MAP_SIDE)?;
                    return Some((place, None, Some(small)));
                }
                let large = picture(&inspected.dataset, place, reading, SIDE)?;
                let small = small.contains(&place).then(|| shrunk(&large, MAP_SIDE));
                Some((place, Some(large), small))
            })
            .collect();
        let mut pictures = Pictures::default();
        for (place, large, small) in read {
            large.map(|image| pictures.large.insert(place, image));
            small.map(|image| pictures.small.insert(place, image));
        }
        pictures
    }
}

fn shrunk(image: &Image, side: u32) -> Image {
    let longer = image.width().max(image.height());
    if longer <= side {
        return image.clone();
    }
    let scaled = |length: u32| (length * side / longer).max(1);
    resize(image, scaled(image.width()), scaled(image.height()), Interpolation::Area)
}
