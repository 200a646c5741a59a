//! `pupila inspect`: planted faults are found, named, and can be left out; nothing is changed.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Ran, Sandbox, skin};
use pupila_image::{Image, Limits, decode, encode_jpeg, encode_png};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A copy of the sample photographs, 24 of each class and split at most.
fn copied(sandbox: &Sandbox) -> PathBuf {
    let root = sandbox.path("data");
    for split in ["train", "val"] {
        for class in ["melanoma", "nevus", "seborrheic_keratosis"] {
            let to = root.join(split).join(class);
            std::fs::create_dir_all(&to).unwrap();
            for from in photographs(&skin().join(split).join(class)).into_iter().take(24) {
                std::fs::copy(&from, to.join(from.file_name().unwrap())).unwrap();
            }
        }
    }
    root
}

fn photographs(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

fn mirrored(image: &Image) -> Image {
    let row = image.width() as usize * 3;
    let data =
        image.data().chunks_exact(row).flat_map(|row| row.as_chunks::<3>().0.iter().rev().flatten().copied());
    Image::new(image.width(), image.height(), 3, data.collect()).unwrap()
}

fn read(path: &Path) -> Image {
    decode(&std::fs::read(path).unwrap(), 3, &Limits::default()).unwrap()
}

fn finding<'a>(object: &'a Value, kind: &str) -> &'a Value {
    let all = object["findings"].as_array().unwrap();
    all.iter().find(|finding| finding["kind"] == kind).unwrap_or_else(|| panic!("no {kind} among {all:#?}"))
}

fn kinds(object: &Value) -> Vec<String> {
    object["findings"].as_array().unwrap().iter().map(|f| f["kind"].as_str().unwrap().to_owned()).collect()
}

fn inspect(sandbox: &Sandbox, data: &Path, more: &[&str]) -> Ran {
    let mut arguments = vec!["inspect", data.to_str().unwrap(), "--json", "--out", "page.html"];
    arguments.extend(more);
    sandbox.run(&arguments)
}

#[test]
fn planted_faults_are_found_and_can_be_left_out() {
    let sandbox = Sandbox::new();
    let data = copied(&sandbox);
    let nevi = photographs(&data.join("train/nevus"));
    // The same picture in validation, another stored anew under another label, a third mirrored and smaller in validation.
    std::fs::copy(&nevi[0], data.join("val/nevus/copy.jpg")).unwrap();
    std::fs::write(data.join("train/melanoma/same.png"), encode_png(&read(&nevi[1])).unwrap()).unwrap();
    std::fs::write(data.join("val/nevus/mirror.jpg"), encode_jpeg(&mirrored(&read(&nevi[2])), 70).unwrap())
        .unwrap();
    let whole = std::fs::read(&nevi[3]).unwrap();
    std::fs::write(data.join("train/nevus/cut.jpg"), &whole[..whole.len() / 2]).unwrap();
    let black = Image::new(64, 64, 3, vec![3; 64 * 64 * 3]).unwrap();
    std::fs::write(data.join("train/nevus/black.jpg"), encode_png(&black).unwrap()).unwrap();

    let ran = inspect(&sandbox, &data, &["--exclude-list", "out.txt", "--fail-on", "error"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let object = ran.json();
    let pair = |kind: &str| {
        let groups = finding(&object, kind)["groups"].as_array().unwrap().clone();
        groups.iter().map(|group| group.to_string()).collect::<Vec<_>>().join("\n")
    };
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(pair("exact_duplicate_across_splits").contains(&name(&nevi[0])));
    assert!(pair("label_conflict").contains("same.png"));
    let near = pair("near_duplicate_across_splits");
    assert!(near.contains("mirror.jpg") && near.contains(&name(&nevi[2])), "{near}");
    assert!(finding(&object, "unreadable")["files"].to_string().contains("cut.jpg"));
    assert!(finding(&object, "one_color")["files"].to_string().contains("black.jpg"));
    assert!(finding(&object, "mislabelled_format")["files"].to_string().contains("black.jpg"));
    // The worst first, and all of it on the page.
    let severities: Vec<&str> =
        object["findings"].as_array().unwrap().iter().map(|f| f["severity"].as_str().unwrap()).collect();
    let rank = |severity: &&str| ["error", "warning", "note"].iter().position(|other| other == severity);
    assert!(severities.is_sorted_by_key(rank), "{severities:?}");
    let page = sandbox.read("page.html");
    for words in ["mirror.jpg", "cut.jpg", "mirrored left to right", "data:image/jpeg"] {
        assert!(page.contains(words), "{words}");
    }
    // What the list leaves out is gone from the next look, and training honours it.
    let list = sandbox.read("out.txt");
    assert!(
        list.contains(&format!("train/nevus/{}", name(&nevi[0]))) && !list.contains("copy.jpg"),
        "{list}"
    );
    assert!(list.contains("train/melanoma/same.png"), "{list}");
    let again = inspect(&sandbox, &data, &["--set", "data.exclude_list=out.txt"]);
    let left = kinds(&again.json());
    for gone in ["exact_duplicate_across_splits", "near_duplicate_across_splits", "label_conflict"] {
        assert!(!left.iter().any(|kind| kind == gone), "{left:?}");
    }
    let trained = sandbox.train(&data, "left", &["--set", "data.exclude_list=out.txt"]);
    assert_eq!(trained.code, Some(0), "{}", trained.stderr);
    let trained_on = sandbox.read("runs/left/trained_on.txt");
    let trained_on = trained_on.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(again.json()["summary"]["splits"][0]["images"], trained_on);
}

#[test]
fn a_fact_that_gives_the_class_away_is_told() {
    let sandbox = Sandbox::new();
    let data = copied(&sandbox);
    // One class is of another size: nothing else tells it.
    for path in photographs(&data.join("train/nevus")).into_iter().chain(photographs(&data.join("val/nevus")))
    {
        let image = pupila_image::resize(&read(&path), 200, 200, pupila_image::Interpolation::Area);
        std::fs::write(path, encode_jpeg(&image, 90).unwrap()).unwrap();
    }
    let object = inspect(&sandbox, &data, &[]).json();
    let shortcuts = object["summary"]["shortcuts"].as_array().unwrap();
    let size = shortcuts.iter().find(|shortcut| shortcut["fact"] == "image size").unwrap();
    let low = size["interval"][0].as_f64().unwrap();
    assert!(low > size["majority"].as_f64().unwrap() + 0.1, "{size}");
    assert!(
        finding(&object, "shortcut")["message"]
            .as_str()
            .unwrap()
            .contains("image size alone tells the class")
    );
    // train says it too, by what it knows without reading a file again.
    let trained = sandbox.train(&data, "seen", &[]);
    let told = "warning: image size alone tells the class of";
    assert!(trained.stderr.contains(told) || trained.stdout.contains(told), "{}", trained.stderr);
}

#[test]
fn the_larger_of_two_copies_stays_in_training() {
    let sandbox = Sandbox::new();
    let data = copied(&sandbox);
    let small = photographs(&data.join("train/nevus")).remove(0);
    let image = read(&small);
    std::fs::write(data.join("train/nevus/z_large.png"), encode_png(&image).unwrap()).unwrap();
    let half = pupila_image::resize(
        &image,
        image.width() / 2,
        image.height() / 2,
        pupila_image::Interpolation::Area,
    );
    std::fs::write(&small, encode_jpeg(&half, 80).unwrap()).unwrap();
    let ran = inspect(&sandbox, &data, &["--exclude-list", "out.txt"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let (list, name) = (sandbox.read("out.txt"), small.file_name().unwrap().to_str().unwrap().to_owned());
    assert!(list.contains(&name) && !list.contains("z_large.png"), "{list}");
}

#[test]
fn the_same_again_is_the_same_from_the_cache_and_on_any_number_of_threads() {
    let sandbox = Sandbox::new();
    let data = copied(&sandbox);
    let all = || {
        photographs(&data.join("train/nevus"))
            .iter()
            .map(|path| std::fs::read(path).unwrap())
            .collect::<Vec<_>>()
    };
    let before = all();
    let first = inspect(&sandbox, &data, &["--threads", "1"]);
    let page = sandbox.read("page.html");
    let (mut cold, mut warm) = (first.json(), inspect(&sandbox, &data, &["--threads", "2"]).json());
    assert_eq!(cold["summary"]["from_cache"], 0);
    assert_eq!(warm["summary"]["from_cache"], warm["summary"]["images"]);
    for object in [&mut cold, &mut warm] {
        object["summary"]["from_cache"] = Value::Null;
    }
    assert_eq!(cold, warm);
    assert_eq!(page, sandbox.read("page.html"));
    assert!(all() == before);
    // Without pictures no pixel is on the page.
    let bare = inspect(&sandbox, &data, &["--no-pictures"]);
    assert_eq!((bare.code, sandbox.read("page.html").contains("data:image/")), (Some(0), false));
}

#[test]
fn images_without_labels_are_looked_at_too() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("loose")).unwrap();
    for (at, path) in photographs(&skin().join("val/nevus")).into_iter().enumerate() {
        std::fs::copy(path, sandbox.path(&format!("loose/{at}.jpg"))).unwrap();
    }
    std::fs::copy(sandbox.path("loose/3.jpg"), sandbox.path("loose/again.jpg")).unwrap();
    let ran = inspect(&sandbox, &sandbox.path("loose"), &["--fail-on", "warning"]);
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(finding(&ran.json(), "exact_duplicate")["groups"].to_string().contains("again.jpg"));
    assert_eq!(ran.json()["summary"]["classes"], serde_json::json!([]));
    // What a list leaves out is left out here too.
    std::fs::write(sandbox.path("list.txt"), "again.jpg\n").unwrap();
    let list = format!("data.exclude_list={}", sandbox.path("list.txt").display());
    let without = inspect(&sandbox, &sandbox.path("loose"), &["--set", &list]);
    assert_eq!(without.json()["summary"]["images"], ran.json()["summary"]["images"].as_u64().unwrap() - 1);
    assert!(!kinds(&without.json()).contains(&"exact_duplicate".to_owned()));
    let nothing = inspect(&sandbox, &sandbox.path("nowhere"), &[]);
    assert!(nothing.code == Some(2) && nothing.stderr.contains("does not exist"), "{}", nothing.stderr);
}

#[test]
fn nothing_of_the_users_is_written_over() {
    let sandbox = Sandbox::new();
    let data = copied(&sandbox);
    std::fs::write(
        sandbox.path("photo.jpg"),
        std::fs::read(&photographs(&data.join("val/nevus"))[0]).unwrap(),
    )
    .unwrap();
    let before = std::fs::read(sandbox.path("photo.jpg")).unwrap();
    let data = data.to_str().unwrap();
    for arguments in [
        ["--out", "photo.jpg", "--threads", "1"],
        ["--out", "page.html", "--exclude-list", "photo.jpg"],
        ["--out", "same.html", "--exclude-list", "same.html"],
        ["--out", "nowhere/page.html", "--threads", "1"],
    ] {
        let ran = sandbox.run(&[&["inspect", data][..], &arguments].concat());
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
    }
    assert_eq!(std::fs::read(sandbox.path("photo.jpg")).unwrap(), before);
    // Its own files are written anew.
    for _ in 0..2 {
        let ran = sandbox.run(&["inspect", data, "--out", "page.html", "--exclude-list", "list.txt"]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    }
}

#[test]
fn a_row_of_pictures_that_change_a_little_is_not_one_group() {
    let sandbox = Sandbox::new();
    let disc = |x: f64, y: f64, radius: f64| {
        let inside = |at: usize| {
            let (dx, dy) = ((at % 200) as f64 - x, (at / 200) as f64 - y);
            dx * dx + dy * dy < radius * radius
        };
        let data = (0..200 * 200).flat_map(|at| [if inside(at) { 20 } else { 240 }; 3]).collect();
        encode_png(&Image::new(200, 200, 3, data).unwrap()).unwrap()
    };
    for (class, first) in [("a", 0), ("b", 30)] {
        std::fs::create_dir_all(sandbox.path(&format!("discs/{class}"))).unwrap();
        for i in first..first + 30 {
            let x = f64::from(i);
            let bytes = disc(70.0 + x, 80.0 + 0.6 * x, 20.0 + 0.5 * x);
            std::fs::write(sandbox.path(&format!("discs/{class}/{i:02}.png")), bytes).unwrap();
        }
    }
    let ran = inspect(&sandbox, &sandbox.path("discs"), &["--exclude-list", "list.txt"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let listed = sandbox.read("list.txt").lines().filter(|line| !line.starts_with('#')).count();
    // Of a row at most every other one.
    assert!(listed <= 30, "{listed} of 60 would be left out");
    assert_eq!(listed > 12, ran.stderr.contains("look at the groups"), "{}", ran.stderr);
}

#[test]
fn pictures_of_twelve_bits_are_told_with_what_to_type() {
    let sandbox = Sandbox::new();
    for class in ["a", "b"] {
        std::fs::create_dir_all(sandbox.path(&format!("deep/{class}"))).unwrap();
        for i in 0..10u32 {
            let mut bytes = Vec::new();
            let mut encoder = png::Encoder::new(&mut bytes, 40, 40);
            encoder.set_color(png::ColorType::Grayscale);
            encoder.set_depth(png::BitDepth::Sixteen);
            let samples = (0..1600u32).flat_map(|at| (((at * 37 + i * 911) % 4096) as u16).to_be_bytes());
            encoder.write_header().unwrap().write_image_data(&samples.collect::<Vec<u8>>()).unwrap();
            std::fs::write(sandbox.path(&format!("deep/{class}/{i}.png")), bytes).unwrap();
        }
    }
    let object = inspect(&sandbox, &sandbox.path("deep"), &[]).json();
    let dark = finding(&object, "dark");
    assert!(dark["advice"].as_str().unwrap().contains("input.white=4095"), "{dark}");
}

#[test]
fn a_test_set_beside_a_training_set_is_a_split() {
    let sandbox = Sandbox::new();
    let data = copied(&sandbox);
    std::fs::rename(data.join("val"), data.join("test")).unwrap();
    let first = photographs(&data.join("train/nevus"))[0].clone();
    std::fs::copy(&first, data.join("test/nevus/copy.jpg")).unwrap();
    let object = inspect(&sandbox, &data, &["--exclude-list", "list.txt"]).json();
    assert_eq!(object["summary"]["split_given"], true);
    assert!(finding(&object, "exact_duplicate_across_splits")["groups"].to_string().contains("copy.jpg"));
    assert_eq!(object["summary"]["nearest_neighbours"]["split"], "test");
    let list = sandbox.read("list.txt");
    assert!(list.contains("train/nevus/") && !list.contains("test/"), "{list}");
    // A second look with the list finds nothing of it.
    let again = inspect(&sandbox, &data, &["--set", "data.exclude_list=list.txt"]);
    assert!(!kinds(&again.json()).iter().any(|kind| kind.contains("across_splits")));
    let over =
        inspect(&sandbox, &data, &["--set", "data.exclude_list=list.txt", "--exclude-list", "list.txt"]);
    assert!(over.code == Some(2) && over.stderr.contains("name another file"), "{}", over.stderr);
}

/// Noisy red and blue pictures of two classes, of which some stand in the wrong folder: these are given back.
fn red_and_blue(sandbox: &Sandbox) -> (PathBuf, Vec<String>) {
    let root = sandbox.path("colors");
    let mut wrong = Vec::new();
    for (class, name) in ["blue", "red"].into_iter().enumerate() {
        std::fs::create_dir_all(root.join(name)).unwrap();
        for at in 0..40u32 {
            // A fixed scramble, so that no two are alike.
            let noise = |pixel: u32| {
                (pixel.wrapping_mul(2_654_435_761).wrapping_add(at * 97_003 + class as u32) >> 13) as u8 % 40
            };
            let is_wrong = at % 20 == 7;
            let channel = if (class == 1) != is_wrong { 0 } else { 2 };
            let data = (0..16 * 16 * 3u32).map(|i| if i % 3 == channel { 160 + noise(i) } else { noise(i) });
            let image = Image::new(16, 16, 3, data.collect()).unwrap();
            let file = format!("{name}/{at:02}.png");
            std::fs::write(root.join(&file), encode_png(&image).unwrap()).unwrap();
            if is_wrong {
                wrong.push(file);
            }
        }
    }
    (root, wrong)
}

fn doubted(object: &Value) -> Vec<String> {
    let doubts = object["summary"]["label_errors"]["doubts"].as_array().unwrap();
    let file = |doubt: &Value| doubt["file"].as_str().unwrap().rsplit("colors/").next().unwrap().to_owned();
    let mut files: Vec<String> = doubts.iter().map(file).collect();
    files.sort();
    files
}

#[test]
fn wrong_labels_are_found_by_networks_trained_for_it_and_by_the_folds_of_a_run() {
    let sandbox = Sandbox::new();
    let (data, wrong) = red_and_blue(&sandbox);
    std::fs::write(
        sandbox.path("small.toml"),
        "[input]\nsize = 8\n[model]\nname = \"mlp\"\nhidden = [8]\n[optimizer]\nlr = 0.01\n[train]\nepochs = 60\nbatch = 8\n",
    )
    .unwrap();
    let object = inspect(&sandbox, &data, &["--label-errors", "--recipe", "small.toml"]).json();
    // Who is only as sure as usual doubts nothing, so not every wrong label is found; a right one is not doubted.
    let holds = |object: &Value| {
        let doubted = doubted(object);
        doubted.len() >= 2 && doubted.iter().all(|file| wrong.contains(file))
    };
    assert!(holds(&object), "{:?}", doubted(&object));
    assert_eq!(finding(&object, "label_error")["notes"][0].as_str().unwrap().split(',').count(), 2);
    assert!(object["excluded"].is_null());

    // The folds of a run: a missing one is named, and all of them find the same.
    let train = |fold: &str| {
        let data = data.to_str().unwrap();
        let (runs, folds) =
            (["--runs", "folds", "--recipe", "small.toml"], ["--set", "data.folds=3", "--set", fold]);
        let ran = sandbox.run(&[&["train", data][..], &runs[..], &folds[..]].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    };
    train("data.fold=1");
    train("data.fold=3");
    let ran = inspect(&sandbox, &data, &["--run", "folds/colors-mlp-1"]);
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("1 of its 3 folds is not there, or left no model (2)")
            && ran.stderr.contains("--set data.fold=2"),
        "{}",
        ran.stderr
    );
    train("data.fold=2");
    for run in ["folds/colors-mlp-1", "folds"] {
        let object = inspect(&sandbox, &data, &["--run", run]).json();
        assert!(holds(&object), "{run}: {:?}", doubted(&object));
        assert_eq!(object["summary"]["label_errors"]["judged"], 80);
    }
    let ran = inspect(&sandbox, &data, &["--run", "folds", "--label-errors"]);
    assert_eq!(ran.code, Some(2));
    let ran = inspect(&sandbox, &skin(), &["--run", "folds"]);
    assert!(ran.code == Some(2) && ran.stderr.contains("knows the classes blue, red"), "{}", ran.stderr);
}
