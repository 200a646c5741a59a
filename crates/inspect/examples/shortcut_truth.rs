//! Shortcuts against the truth: facts that are planted into a real data set, and sets whose labels are shuffled.
//!
//! `shortcut_truth DATA [ROUNDS] [CLASSES [FIRST]]`: in each round the labels are shuffled, which leaves nothing to find, and then one fact is made to follow
//! the shuffled label in a share of the images, which is to be found. With CLASSES, such as 9, the images get labels of so many classes instead, of
//! which the first has 4 %, and that one is given away. With FIRST the rounds are numbered from it, and so drawn anew.

use std::path::Path;

use pupila_dataset::{OnBadImage, ScanOptions, scan};
use pupila_image::Reading;
use pupila_inspect::{Looked, Measurement, look, shortcuts};
use pupila_metrics::clopper_pearson;
use pupila_random::{Purpose, Stream};

/// What is planted: a name, the fact that must be told, and the change of a measurement.
type Plant = (&'static str, &'static str, fn(&mut Measurement));

const PLANTS: [Plant; 5] = [
    ("another size", "image size", |measurement| {
        measurement.size = (measurement.size.0 * 4 / 5, measurement.size.1 * 4 / 5)
    }),
    ("a darker border", "border color", |measurement| {
        measurement.border = measurement.border.map(|value| value * 0.6)
    }),
    ("brighter by two fifths", "brightness", |measurement| {
        measurement.brightness = (measurement.brightness * 1.4).min(1.0)
    }),
    ("JPEG quality 60", "JPEG quality", |measurement| measurement.jpeg_quality = Some(60)),
    ("another camera", "camera", |measurement| measurement.taken.camera = Some("Other".into())),
];

/// The share of a class's images that a planted fact is in.
const SHARE: f64 = 0.7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let data = arguments.next().ok_or("give a data set")?;
    let rounds: u32 = arguments.next().map_or(Ok(200), |rounds| rounds.parse())?;
    let classes: Option<u32> = arguments.next().map(|classes| classes.parse()).transpose()?;
    let first: u32 = arguments.next().map_or(Ok(0), |first| first.parse())?;
    let options = ScanOptions { on_bad_image: OnBadImage::Skip, ..ScanOptions::default() };
    let mut dataset = scan(Path::new(&data), &options, None)?;
    let looked = look(&dataset, &Reading::default(), None, &|_| {}, &|| false)?;
    let mut labels: Vec<u32> = dataset.samples.iter().map(|sample| sample.label).collect();
    if let Some(classes) = classes {
        let rare = labels.len() as u32 / 25;
        let label = |at: u32| if at < rare { 0 } else { 1 + at % (classes - 1) };
        labels = (0..labels.len() as u32).map(label).collect();
        dataset.classes = (0..classes).map(|class| format!("class {class}")).collect();
    }
    let (mut quiet, mut found, mut planted) = (0u32, [0u32; PLANTS.len()], 0u32);
    for round in first..first + rounds {
        let mut stream = Stream::new(u64::from(round), Purpose::Bootstrap, 22, 0);
        let mut shuffled = labels.clone();
        stream.shuffle(&mut shuffled);
        dataset.samples.iter_mut().zip(&shuffled).for_each(|(sample, &label)| sample.label = label);
        quiet += u32::from(shortcuts(&dataset, &looked).is_empty());
        planted += 1;
        let class = if classes.is_some() { 0 } else { stream.below(dataset.classes.len() as u32) };
        for ((_, fact, change), found) in PLANTS.iter().zip(&mut found) {
            let mut measurements = looked.measurements.clone();
            for (measurement, &label) in measurements.iter_mut().zip(&shuffled) {
                if let Some(measurement) =
                    measurement.as_mut().filter(|_| label == class && stream.chance(SHARE))
                {
                    change(measurement);
                }
            }
            let changed = Looked { measurements, ..Looked::default() };
            *found += u32::from(shortcuts(&dataset, &changed).iter().any(|shortcut| shortcut.fact == *fact));
        }
    }
    let told = |hits: u32, of: u32| {
        let (low, high) = clopper_pearson(hits.into(), of.into(), 0.95);
        let share = 100.0 * f64::from(hits) / f64::from(of);
        format!("{share:.1} % ({:.1} to {:.1})", 100.0 * low, 100.0 * high)
    };
    for ((name, ..), found) in PLANTS.iter().zip(found) {
        println!("{name}: found in {}", told(found, planted));
    }
    let all: u32 = found.iter().sum();
    println!(
        "result: of {planted} planted facts of each of {} kinds {} were found; of {rounds} shuffled sets {} had none reported",
        PLANTS.len(),
        told(all, planted * PLANTS.len() as u32),
        told(quiet, rounds)
    );
    if f64::from(all) < 0.9 * f64::from(planted * PLANTS.len() as u32)
        || f64::from(quiet) < 0.95 * f64::from(rounds)
    {
        return Err("below 90 % found or 95 % quiet".into());
    }
    Ok(())
}
