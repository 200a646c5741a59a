//! Images that are kept at a size of their own: one path in training, judging and answering, whatever the cache and the threads.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use pupila::{Image, encode_png};
use std::fs;
use std::path::Path;

/// Pictures of several sizes and shapes, as PNG: parts of the sample photographs.
fn data(sandbox: &Sandbox) -> std::path::PathBuf {
    let folder = sandbox.path("pictures");
    for split in ["train", "val"] {
        for class in ["melanoma", "nevus"] {
            let into = folder.join(split).join(class);
            fs::create_dir_all(&into).unwrap();
            let mut files: Vec<_> =
                fs::read_dir(skin().join(split).join(class)).unwrap().map(|f| f.unwrap().path()).collect();
            files.sort();
            for (i, file) in files.iter().take(if split == "train" { 14 } else { 6 }).enumerate() {
                let (height, width) = (70 + 13 * (i as u32 % 5), 60 + 29 * (i as u32 % 4));
                fs::write(into.join(format!("{i}.png")), part(file, height, width)).unwrap();
            }
        }
    }
    folder
}

fn part(file: &Path, height: u32, width: u32) -> Vec<u8> {
    let bytes = fs::read(file).unwrap();
    let image = pupila_image::decode(&bytes, 3, &pupila_image::Limits::default()).unwrap();
    let row = 3 * image.width() as usize;
    let rows = image.data().chunks_exact(row).take(height as usize);
    let data = rows.flat_map(|row| row[..3 * width as usize].to_vec()).collect();
    encode_png(&Image::new(width, height, 3, data).unwrap()).unwrap()
}

const OWN: [&str; 8] = [
    "input.size=[24, 32]",
    "input.fit=crop",
    "input.keep=48",
    "input.interpolation=cubic",
    "input.antialias=true",
    "augment.transforms=[{ random_resized_crop = { scale = [0.3, 1.0] } }, { horizontal_flip = {} }]",
    "train.epochs=2",
    "train.batch=8",
];

fn typed<'a>(command: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut typed = command.to_vec();
    let key = |set: &str| set.split('=').next().unwrap().to_owned();
    for set in OWN.iter().filter(|set| more.iter().all(|other| key(other) != key(set))).chain(more) {
        typed.extend(["--set", set]);
    }
    typed
}

#[test]
fn training_judging_and_answering_see_the_same_pixels() {
    let sandbox = Sandbox::new();
    let data = data(&sandbox);
    let data = data.to_str().unwrap();
    let train = |name: &str, threads: &str, more: &[&str]| {
        let ran = sandbox.run(&typed(
            &["train", data, "--model", "cnn", "--name", name, "--threads", threads, "--json"],
            more,
        ));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        fs::read(sandbox.path("runs").join(name).join("best.safetensors")).unwrap()
    };
    // Neither the cache nor the number of threads changes a byte.
    let first = train("cold", "1", &[]);
    assert!(train("warm", "2", &[]) == first);
    assert!(train("uncached", "2", &["data.cache=false"]) == first);
    // Nor does where the images are held.
    assert!(train("in-cache", "2", &["data.hold=cache"]) == first);
    assert!(train("in-cache-uncached", "1", &["data.hold=cache", "data.cache=false"]) == first);
    assert!(train("files", "2", &["data.hold=files"]) == first);
    fs::remove_dir_all(sandbox.path("cache")).unwrap();
    assert!(train("in-cache-cold", "2", &["data.hold=cache"]) == first);
    // With crops that are drawn from the input, it is another model.
    assert!(train("squashed", "2", &["input.keep=64"]) != first);

    let trained = fs::read_to_string(sandbox.path("runs/cold/predictions.csv")).unwrap();
    let judged = sandbox.run(&["eval", "runs/cold", data, "--json"]);
    assert_eq!(judged.code, Some(0), "{}", judged.stderr);
    let accuracy = |text: &serde_json::Value| text["accuracy"].as_f64().unwrap();
    let summary: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(sandbox.path("runs/cold/summary.json")).unwrap()).unwrap();
    assert_eq!(accuracy(&judged.json()["metrics"]), accuracy(&summary["val"]));
    // An answer is the line of the run's own predictions.
    let file = format!("{data}/val/nevus/3.png");
    let said = sandbox.run(&["predict", "runs/cold", &file, "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let said = said.json();
    let line = trained.lines().find(|line| line.contains("nevus/3.png")).unwrap();
    let share = said["predictions"][0]["top"][0]["probability"].as_f64().unwrap();
    let told: Vec<f64> = line.split(',').filter_map(|cell| cell.parse().ok()).collect();
    assert!(told.iter().any(|told| (told - share).abs() < 1e-6), "{share} is not in {line}");
}

/// Of a JPEG file that is decoded for each crop only the crop is worked out.
#[test]
fn crops_of_files_are_those_of_pictures_in_memory() {
    let sandbox = Sandbox::new();
    let samples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../samples/skin");
    let train = |hold: &str| {
        let hold = format!("data.hold={hold}");
        let more = ["input.keep=whole", "data.max_per_class=5", "train.epochs=3", hold.as_str()];
        let ran = sandbox.run(&typed(&["train", samples, "--model", "cnn", "--name", &hold[10..]], &more));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        fs::read(sandbox.path("runs").join(&hold[10..]).join("best.safetensors")).unwrap()
    };
    assert!(train("files") == train("memory"));
}

/// What `augment` writes of a picture without augmentation is the input.
#[test]
fn augment_shows_inputs_of_what_is_kept() {
    let sandbox = Sandbox::new();
    let data = data(&sandbox);
    let file = data.join("val/nevus/2.png");
    let ran = sandbox.run(&[
        "augment",
        file.to_str().unwrap(),
        "--single",
        "--out",
        "input.png",
        "--set",
        "augment.transforms=[]",
        "--set",
        "input.keep=whole",
        "--set",
        "input.fit=letterbox",
        "--set",
        "input.size=[40, 20]",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let bytes = fs::read(sandbox.path("input.png")).unwrap();
    let image = pupila_image::decode(&bytes, 3, &pupila_image::Limits::default()).unwrap();
    assert_eq!([image.height(), image.width()], [40, 20]);
    // 118 columns and 96 rows, in 20 columns: 16 rows, and gray above and below.
    assert_eq!(image.data()[..3], [128; 3]);
    assert_ne!(image.data()[20 * 20 * 3..][..3], [128; 3]);
}

#[test]
fn a_crop_that_kept_images_are_too_small_for_is_told_before_training() {
    let sandbox = Sandbox::new();
    let data = data(&sandbox);
    let train = |side: u32, keep: &str, more: &str| {
        let crop =
            format!("augment.transforms=[{{ random_crop = {{ height = {side}, width = 50{more} }} }}]");
        let keep = format!("input.keep={keep}");
        let name = format!("{side}{keep}{}", more.len());
        sandbox.run(&typed(
            &["train", data.to_str().unwrap(), "--model", "cnn", "--name", &name],
            &[&crop, &keep],
        ))
    };
    // 70, 83, 96, 109 and 122 rows in turn: of 28 images 12 have fewer than 90. At 48 pixels on the shorter side all are smaller.
    for (side, keep, count) in [(90, "whole", 12), (130, "whole", 28), (90, "48", 28)] {
        let ran = train(side, keep, "");
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        let said = format!("of {count} of 28 training images as they are kept");
        assert!(ran.stderr.contains(&said) && ran.stderr.contains("pad_if_needed = true"), "{}", ran.stderr);
        assert!(!sandbox.path("runs").exists());
    }
    for (side, keep, more) in [(40, "whole", ""), (90, "whole", ", pad_if_needed = true")] {
        let ran = train(side, keep, more);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[test]
fn a_bound_of_the_cache_that_is_no_number_is_told() {
    let sandbox = Sandbox::new();
    for bound in ["abc", "0,02", "-1", "nan"] {
        let ran = sandbox.command(&["list", "keys"]).env("PUPILA_CACHE_GB", bound).output().unwrap();
        let told = String::from_utf8(ran.stderr).unwrap();
        assert_eq!(ran.status.code(), Some(2), "{bound}");
        assert!(
            told.contains(&format!("PUPILA_CACHE_GB is {bound:?}")) && told.contains("40 or 0.5"),
            "{told}"
        );
    }
    let ran = sandbox.command(&["list", "keys"]).env("PUPILA_CACHE_GB", "0.5").output().unwrap();
    assert_eq!(ran.status.code(), Some(0));
}

#[test]
fn sizes_that_cannot_be_meant_are_told_together() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&[
        "train",
        skin().to_str().unwrap(),
        "--set",
        "input.size=[64, 0]",
        "--set",
        "input.crop_frac=0.5",
        "--set",
        "input.antialias=true",
    ]);
    assert_eq!(ran.code, Some(2));
    for said in [
        "input.size must be from 1 to 4096 pixels, got [64, 0]",
        "input.crop_frac is for input.fit = \"crop\"; it is \"squash\"",
        "input.antialias is for the interpolations linear, cubic and lanczos; input.interpolation is \"area\", which averages as it is",
    ] {
        assert!(ran.stderr.replace('\n', " ").contains(said), "{said}\n{}", ran.stderr);
    }
    let keep = |keep: &str| {
        let keep = format!("input.keep={keep}");
        let data = skin();
        let typed =
            ["train", data.to_str().unwrap(), "--size", "224", "--set", "input.fit=crop", "--set", &keep];
        sandbox.run(&typed)
    };
    let ran = keep("200");
    assert!(ran.stderr.contains("input.keep must be at least 256 pixels"), "{}", ran.stderr);
    let ran = keep("original");
    assert!(ran.stderr.contains("pixels of the shorter side, such as 256, or \"whole\""), "{}", ran.stderr);
}
