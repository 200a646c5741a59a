//! Pictures of each class that say most of it.

use pupila_dataset::Dataset;

use crate::{COLOR_SIDE, Looked, Measurement};

/// Pictures of a class.
#[derive(Debug, Clone, PartialEq)]
pub struct Gallery {
    /// The class, by its place; 0 where there are none.
    pub class: usize,
    /// How many images it has.
    pub images: usize,
    /// What each of some of its images is, and the sample; one image once.
    pub pictures: Vec<(&'static str, usize)>,
    /// The mean of its squeezed pictures: `[COLOR_SIDE, COLOR_SIDE, 3]`.
    pub mean: Vec<u8>,
}

/// A gallery for each class that has images.
pub fn galleries(dataset: &Dataset, looked: &Looked) -> Vec<Gallery> {
    let mut of_class: Vec<Vec<(usize, &Measurement)>> = vec![Vec::new(); dataset.classes.len().max(1)];
    for (place, measurement) in looked.seen() {
        of_class[dataset.samples[place].label as usize].push((place, measurement));
    }
    let some = of_class.into_iter().enumerate().filter(|(_, of)| !of.is_empty());
    some.map(|(class, of)| gallery(looked, class, &of)).collect()
}

fn gallery(looked: &Looked, class: usize, of: &[(usize, &Measurement)]) -> Gallery {
    let mut sums = vec![0u64; COLOR_SIDE * COLOR_SIDE * 3];
    for (place, _) in of {
        sums.iter_mut().zip(looked.color(*place)).for_each(|(sum, &value)| *sum += u64::from(value));
    }
    let count = of.len() as u64;
    let mean: Vec<u8> = sums.iter().map(|sum| ((sum + count / 2) / count) as u8).collect();
    let distance = |place: usize| -> f64 {
        looked.color(place).iter().zip(&mean).map(|(&a, &b)| f64::from(a.abs_diff(b))).sum()
    };
    let area = |measurement: &Measurement| f64::from(measurement.size.0) * f64::from(measurement.size.1);
    type By<'a> = &'a dyn Fn(usize, &Measurement) -> f64;
    let kinds: [(&'static str, By<'_>); 6] = [
        ("typical", &|place, _| distance(place)),
        ("unusual", &|place, _| -distance(place)),
        ("smallest", &|_, measurement| area(measurement)),
        ("largest", &|_, measurement| -area(measurement)),
        ("darkest", &|_, measurement| f64::from(measurement.brightness)),
        ("least sharp", &|_, measurement| f64::from(measurement.sharpness)),
    ];
    let sizes_differ = of.iter().any(|(_, measurement)| measurement.size != of[0].1.size);
    let mut pictures: Vec<(&'static str, usize)> = Vec::new();
    for (name, by) in kinds {
        if matches!(name, "smallest" | "largest") && !sizes_differ {
            continue;
        }
        let free = of.iter().filter(|(place, _)| pictures.iter().all(|(_, other)| other != place));
        if let Some((place, _)) =
            free.min_by(|a, b| by(a.0, a.1).total_cmp(&by(b.0, b.1)).then(a.0.cmp(&b.0)))
        {
            pictures.push((name, *place));
        }
    }
    Gallery { class, images: of.len(), pictures, mean }
}
