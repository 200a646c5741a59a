//! `pupila augment` on an image and on data.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use pupila_image::{Image, Limits, decode, encode_png};

fn picture() -> Image {
    let data = (0..20 * 12 * 3).map(|i| (i * 7) as u8).collect();
    Image::new(20, 12, 3, data).unwrap()
}

fn read(sandbox: &Sandbox, name: &str) -> Image {
    decode(&std::fs::read(sandbox.path(name)).unwrap(), 3, &Limits::default()).unwrap()
}

#[test]
fn one_image_alone_is_what_the_recipe_makes_of_it() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("in.png"), encode_png(&picture()).unwrap()).unwrap();
    let recipe = "[augment]\ntransforms = [{ center_crop = { height = 6, width = 10 } }, { invert_img = { p = 1 } }]\n";
    std::fs::write(sandbox.path("r.toml"), recipe).unwrap();
    let ran =
        sandbox.run(&["augment", "in.png", "--recipe", "r.toml", "--single", "--out", "out.png", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((&ran.json()["width"], &ran.json()["height"]), (&10.into(), &6.into()));
    // Its own picture is written over, a photograph never.
    let again = sandbox.run(&["augment", "in.png", "--recipe", "r.toml", "--single", "--out", "out.png"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let before = std::fs::read(sandbox.path("in.png")).unwrap();
    let over = sandbox.run(&["augment", "in.png", "--recipe", "r.toml", "--single", "--out", "in.png"]);
    assert!(over.code == Some(2) && over.stderr.contains("choose another --out"), "{}", over.stderr);
    assert!(std::fs::read(sandbox.path("in.png")).unwrap() == before);
    let (before, after) = (picture(), read(&sandbox, "out.png"));
    for y in 0..6 {
        for x in 0..30 {
            assert_eq!(after.data()[y * 30 + x], !before.data()[(y + 3) * 60 + 15 + x]);
        }
    }
    let training = sandbox.run(&["train", "nothing", "--recipe", "r.toml"]);
    assert!(training.stderr.contains("must give images of the size they take"), "{}", training.stderr);
}

#[test]
fn a_grid_begins_with_the_original_and_follows_the_seed() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("in.png"), encode_png(&picture()).unwrap()).unwrap();
    let grid = |out: &str, seed: &str| {
        let ran = sandbox.run(&["augment", "in.png", "--out", out, "--seed", seed]);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(
            ran.stdout.contains("12 images by horizontal_flip, random_brightness_contrast"),
            "{}",
            ran.stdout
        );
        read(&sandbox, out)
    };
    let (first, again, other) = (grid("a.png", "1"), grid("b.png", "1"), grid("c.png", "2"));
    assert_eq!(first, again);
    assert_ne!(first, other);
    // The picture is enlarged 11 times into a square of 224 pixels: its first pixel, 2 and 46 pixels from the corner.
    let at = |x: usize, y: usize| &first.data()[(y * first.width() as usize + x) * 3..][..3];
    assert_eq!(at(8 + 2, 8 + 46), &picture().data()[..3]);
}

#[test]
fn data_gives_a_batch_with_its_classes() {
    let sandbox = Sandbox::new();
    let ran = sandbox.run(&["augment", skin().to_str().unwrap(), "--out", "batch.png", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.json()["images"], 16);
    let page = read(&sandbox, "batch.png");
    // Sixteen images with captions, four without augmentation, and a row for each of the two transforms.
    let (row, line) = (232 + 32, 32);
    assert_eq!((page.width(), page.height()), (4 * 232 + 8, 4 * row + (line + row) + 2 * (line + 232) + 8));
    let ink = |top: usize| {
        let rows = page.data().chunks_exact(page.width() as usize * 3).skip(top).take(28);
        rows.flatten().filter(|&&value| value == 40).count()
    };
    // A caption under each row of pictures.
    assert!((0..4).all(|row| ink(8 + row * 264 + 226) > 100));
}

#[test]
fn a_transform_that_changes_next_to_nothing_is_told() {
    let sandbox = Sandbox::new();
    // A smooth image: a displacement of a fraction of a pixel does little to it.
    let smooth = (0..64 * 64u32).flat_map(|i| [(i / 64) as u8 * 3, (i % 64) as u8 * 3, 90]).collect();
    let image = Image::new(64, 64, 3, smooth).unwrap();
    std::fs::write(sandbox.path("in.png"), encode_png(&image).unwrap()).unwrap();
    let transforms = "augment.transforms=[{ elastic_transform = { p = 0.1 } }, { invert_img = { p = 0 } }]";
    let arguments = ["augment", "in.png", "--out", "out.png", "--set", transforms];
    let ran = sandbox.run(&arguments);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let told: Vec<&str> = ran.stdout.lines().filter(|line| line.contains("next to nothing")).collect();
    assert!(told.len() == 1 && told[0].starts_with("elastic_transform changes"), "{}", ran.stdout);
    let json = sandbox.run(&[&arguments[..], &["--json"]].concat()).json();
    let alone = json["alone"].as_array().unwrap();
    let difference = |place: usize| alone[place]["mean_difference"].as_f64().unwrap();
    assert!(difference(0) < 1.0 && difference(1) > 20.0, "applied whatever its p: {alone:?}");
    // Its row is a picture of the inverted image alone: the first pixel of the page's last row.
    let page = read(&sandbox, "out.png");
    let top = page.height() as usize - 232 + (224 - 192) / 2;
    let at = (top * page.width() as usize + 8 + (224 - 192) / 2) * 3;
    assert_eq!(page.data()[at..at + 3], [255, 255, 165]);
}

#[test]
fn mistakes_are_told() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("no.png"), "text").unwrap();
    // A name that would color the terminal red and ring its bell.
    std::fs::write(sandbox.path("e\u{1b}[31m\u{7}.png"), "text").unwrap();
    for (arguments, code, expected) in [
        // As `predict` and `train` end where the only image is bad.
        (vec!["augment", "no.png", "--out", "x.png"], 1, "no.png is no image that can be read"),
        (
            vec!["augment", "e\u{1b}[31m\u{7}.png", "--out", "x.png"],
            1,
            "e\\u{1b}[31m\\u{7}.png is no image that can be read",
        ),
        (vec!["augment", "missing.png", "--out", "x.png"], 2, "cannot read missing.png"),
        (vec!["augment", ".", "--single", "--out", "x.png"], 2, "--single writes one transformed image"),
        (
            vec![
                "augment",
                "no.png",
                "--out",
                "x.png",
                "--set",
                "augment.transforms=[{ one_of = { transforms = [{ clah = {} }] } }]",
            ],
            2,
            "augment.transforms[0].one_of.transforms[0] unknown transform `clah`, did you mean `clahe`?",
        ),
    ] {
        let ran = sandbox.run(&arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}");
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
        assert!(!ran.stderr.contains(['\u{1b}', '\u{7}']), "{:?}", ran.stderr);
        assert!(!sandbox.path("x.png").exists());
    }
}

#[test]
fn a_damaged_image_is_shown_as_far_as_it_goes_where_that_is_asked_for() {
    let sandbox = Sandbox::new();
    let whole = encode_png(&picture()).unwrap();
    std::fs::write(sandbox.path("cut.png"), &whole[..whole.len() * 2 / 3]).unwrap();
    let arguments = ["augment", "cut.png", "--single", "--set", "augment.transforms=[]", "--out", "o.png"];
    let refused = sandbox.run(&arguments);
    assert_eq!((refused.code, sandbox.path("o.png").exists()), (Some(1), false), "{}", refused.stderr);
    let filled = sandbox.run(&[&arguments[..], &["--set", "input.damaged=fill"]].concat());
    assert_eq!(filled.code, Some(0), "{}", filled.stderr);
    assert!(filled.stdout.contains("1 damaged image is used"), "{}", filled.stdout);
    assert!(read(&sandbox, "o.png").data().ends_with(&[128; 30]));
}

/// A mask of the same 240 pixels, which marks columns 4 to 9 of rows 2 to 7 with 200.
fn mask() -> Image {
    let value = |i: usize| if (4..10).contains(&(i % 20)) && (2..8).contains(&(i / 20)) { 200 } else { 0 };
    Image::new(20, 12, 1, (0..240).map(value).collect()).unwrap()
}

#[test]
fn a_mask_moves_with_its_image_to_the_input() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("in.png"), encode_png(&picture()).unwrap()).unwrap();
    std::fs::write(sandbox.path("m.png"), encode_png(&mask()).unwrap()).unwrap();
    let single = |transforms: &str, more: &[&str]| {
        let set = format!("augment.transforms={transforms}");
        let mut typed =
            vec!["augment", "in.png", "--mask", "m.png", "--single", "--out", "out.png", "--set", &set];
        typed.extend(more.iter().flat_map(|set| ["--set", set]));
        let ran = sandbox.run(&typed);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains("out_mask.png: the mask"), "{}", ran.stdout);
        (read(&sandbox, "out.png"), read(&sandbox, "out_mask.png"))
    };
    // Geometry moves both; colors leave the mask.
    let (image, moved) = single("[{ horizontal_flip = { p = 1 } }, { invert_img = { p = 1 } }]", &[]);
    for y in 0..12 {
        for x in 0..20 {
            let there = y * 20 + 19 - x;
            assert_eq!(image.data()[(y * 20 + x) * 3], !picture().data()[there * 3]);
            assert_eq!(moved.data()[(y * 20 + x) * 3], mask().data()[there]);
        }
    }
    // What makes an input of an image makes one of its mask: the middle, or all of it on nothing.
    let size = ["input.keep=whole", "input.size=[12, 12]"];
    let (image, cut) = single("[]", &[&size[..], &["input.fit=crop", "input.crop_frac=1"]].concat());
    assert_eq!([(image.width(), image.height()), (cut.width(), cut.height())], [(12, 12); 2]);
    let red = |image: &Image, x: usize, y: usize| image.data()[(y * image.width() as usize + x) * 3];
    let marked = |image: &Image| (0..144).filter(|i| red(image, i % 12, i / 12) == 200).count();
    assert_eq!((red(&cut, 0, 2), red(&cut, 5, 7), red(&cut, 6, 7), marked(&cut)), (200, 200, 0, 36));
    let (image, boxed) = single("[]", &[&size[..], &["input.fit=letterbox"]].concat());
    assert_eq!((red(&image, 0, 0), red(&boxed, 0, 0)), (128, 0));
    // 12 of 20 columns and 7 of 12 rows are left of it, and no value between.
    let values: std::collections::BTreeSet<u8> = boxed.data().iter().copied().collect();
    assert_eq!(values.into_iter().collect::<Vec<_>>(), [0, 200]);
    assert!((8..=16).contains(&marked(&boxed)), "{}", marked(&boxed));

    // In the grid it is a tint.
    let ran = sandbox.run(&["augment", "in.png", "--mask", "m.png", "--out", "grid.png"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let grid = read(&sandbox, "grid.png");
    // The picture is enlarged 11 times, 2 and 46 pixels from the corner of its square.
    let at = |x: usize, y: usize| (46 + 8 + 11 * y) * grid.width() as usize + 8 + 2 + 11 * x;
    let (marked, plain) = (at(5, 3) * 3, at(3, 3) * 3);
    let was = u32::from(picture().data()[(3 * 20 + 5) * 3]);
    assert_eq!(u32::from(grid.data()[marked]), (was * 60 + 255 * 40) / 100);
    assert_eq!(grid.data()[plain], picture().data()[(3 * 20 + 3) * 3]);
}

/// A PNG file of 20 x 12 samples of 16 bits, all of them 3.
fn deep() -> Vec<u8> {
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, 20, 12);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Sixteen);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&[0, 3].repeat(240)).unwrap();
    writer.finish().unwrap();
    file
}

#[test]
fn a_mask_that_cannot_be_meant_is_refused() {
    let sandbox = Sandbox::new();
    std::fs::write(sandbox.path("in.png"), encode_png(&picture()).unwrap()).unwrap();
    let small = Image::new(12, 20, 1, vec![1; 240]).unwrap();
    std::fs::write(sandbox.path("small.png"), encode_png(&small).unwrap()).unwrap();
    std::fs::write(sandbox.path("text.png"), "no picture").unwrap();
    std::fs::write(sandbox.path("deep.png"), deep()).unwrap();
    std::fs::write(sandbox.path("mine_mask.png"), "mine").unwrap();
    let skin = skin();
    let skin = skin.to_str().unwrap();
    for (what, mask, more, said) in [
        ("in.png", "small.png", &[][..], "20 x 12 pixels; this one has 12 x 20"),
        ("in.png", "text.png", &[], "text.png is no image"),
        ("in.png", "in.png", &[], "this one has colors"),
        ("in.png", "deep.png", &[], "this one has more than 8 bits"),
        ("in.png", "gone.png", &[], "gone.png"),
        (skin, "small.png", &[], "given with an image, not with data"),
        ("in.png", "in.png", &["--single"], "mine_mask.png is there already"),
    ] {
        let typed = [&["augment", what, "--mask", mask, "--out", "mine.png"], more].concat();
        let ran = sandbox.run(&typed);
        assert!(ran.code != Some(0) && ran.stderr.contains(said), "{said}: {}", ran.stderr);
        assert!(!sandbox.path("mine.png").exists());
    }
}
