//! Compositions: who is applied how often, and that the draws of children depend on their own place alone.

#![allow(clippy::unwrap_used)]

use pupila_transforms::{Frame, FrameMemory, Pipeline, SampleKey, Shape, TransformConfig};

const SHAPE: Shape = Shape { height: 7, width: 9, channels: 3 };

fn pipeline(json: &str) -> Pipeline {
    let configs: Vec<TransformConfig> = serde_json::from_str(json).unwrap();
    Pipeline::from_config(&configs).unwrap()
}

fn pixels() -> Vec<u8> {
    (0..SHAPE.values()).map(|i| (i * 37 + i / 7) as u8).collect()
}

fn run(pipeline: &Pipeline, sample: u32) -> Vec<u8> {
    let (pixels, mut memory) = (pixels(), FrameMemory::default());
    let mut frame = Frame::new(SHAPE, &pixels, &mut memory).unwrap();
    pipeline.apply(&mut frame, SampleKey { seed: 3, epoch: 1, sample });
    frame.pixels().to_vec()
}

/// How many of 4000 samples come out as the JSON of another pipeline makes them.
fn share(json: &str, like: &str) -> f64 {
    let (one, other) = (pipeline(json), run(&pipeline(like), 0));
    (0..4000).filter(|&sample| run(&one, sample) == other).count() as f64 / 4000.0
}

fn close(share: f64, expected: f64) {
    let error = 5.0 * (expected * (1.0 - expected) / 4000.0).sqrt();
    assert!((share - expected).abs() <= error, "{share}, expected {expected}");
}

const INVERT: &str = r#"[{"invert_img": {"p": 1}}]"#;
const FLIP: &str = r#"[{"vertical_flip": {"p": 1}}]"#;
const BOTH: &str = r#"[{"invert_img": {"p": 1}}, {"vertical_flip": {"p": 1}}]"#;

#[test]
fn one_of_chooses_by_the_chances_of_its_children() {
    let one_of = r#"[{"one_of": {"p": 0.8, "transforms": [{"invert_img": {"p": 0.9}}, {"vertical_flip": {"p": 0.3}}]}}]"#;
    close(share(one_of, INVERT), 0.6);
    close(share(one_of, FLIP), 0.2);
    close(share(one_of, "[]"), 0.2);
}

#[test]
fn some_of_draws_n_and_gives_each_its_chance() {
    let children = r#"[{"invert_img": {"p": 0.5}}, {"vertical_flip": {"p": 1}}]"#;
    let one = format!(r#"[{{"some_of": {{"n": 1, "transforms": {children}}}}}]"#);
    close(share(&one, INVERT), 0.25);
    close(share(&one, FLIP), 0.5);
    let both = format!(r#"[{{"some_of": {{"n": 2, "transforms": {children}}}}}]"#);
    close(share(&both, BOTH), 0.5);
    close(share(&both, FLIP), 0.5);
    // Drawn twice, a flip undoes itself.
    let twice = r#"[{"some_of": {"n": 2, "replace": true, "transforms": [{"invert_img": {"p": 1}}, {"vertical_flip": {"p": 1}}]}}]"#;
    close(share(twice, "[]"), 0.5);
    close(share(twice, BOTH), 0.5);
}

#[test]
fn sequential_gives_each_its_chance_and_nests() {
    let sequence = r#"[{"sequential": {"p": 0.5, "transforms": [{"invert_img": {"p": 1}}, {"vertical_flip": {"p": 0.4}}]}}]"#;
    close(share(sequence, "[]"), 0.5);
    close(share(sequence, BOTH), 0.2);
    let nested = format!(r#"[{{"one_of": {{"p": 1, "transforms": {sequence}}}}}]"#);
    // Chosen for certain, whatever its own p.
    close(share(&nested, BOTH), 0.4);
}

#[test]
fn the_draws_of_a_child_depend_on_its_path_alone() {
    let with = |second: &str| {
        pipeline(&format!(
            r#"[{{"sequential": {{"p": 1, "transforms": [{{"rgb_shift": {{"p": 1}}}}, {second}]}}}}]"#
        ))
    };
    let never = r#"{"gauss_noise": {"p": 0}}"#;
    let deep = r#"{"one_of": {"p": 1, "transforms": [{"sequential": {"p": 1, "transforms": []}}]}}"#;
    let moved = pipeline(
        r#"[{"sequential": {"p": 1, "transforms": [{"sequential": {"p": 1, "transforms": [{"rgb_shift": {"p": 1}}]}}]}}]"#,
    );
    for sample in 0..20 {
        assert_eq!(run(&with(never), sample), run(&with(deep), sample));
        assert_ne!(run(&with(never), sample), run(&moved, sample));
    }
}

#[test]
fn a_mask_moves_with_its_image() {
    // Where the image shows what it shows at first at each position, a mask of the same bytes must stay equal to it.
    let pipeline = pipeline(
        r#"[{"horizontal_flip": {}}, {"some_of": {"n": 2, "transforms": [
            {"shift_scale_rotate": {"p": 1, "interpolation": "nearest"}}, {"random_rotate90": {}},
            {"perspective": {"interpolation": "nearest", "p": 0.5}}, {"coarse_dropout": {"fill_mask": 0, "p": 1}},
            {"random_crop": {"height": 5, "width": 6}}, {"trivial_augment": {"p": 0}}]}}]"#,
    );
    let shape = Shape { height: 9, width: 9, channels: 1 };
    let bytes: Vec<u8> = (0..81).map(|i| i * 3).collect();
    let mut memory = [FrameMemory::default(), FrameMemory::default()];
    let [of_image, of_mask] = &mut memory;
    let mut changed = 0;
    for sample in 0..300 {
        let mut image = Frame::new(shape, &bytes, of_image).unwrap();
        let mut mask = Frame::new(shape, &bytes, of_mask).unwrap();
        let key = SampleKey { seed: 1, epoch: 1, sample };
        pipeline.apply_with_mask(&mut image, &mut mask, key).unwrap();
        assert_eq!((image.shape(), image.pixels().to_vec()), (mask.shape(), mask.pixels().to_vec()));
        changed += usize::from(image.pixels() != bytes);
    }
    assert!(changed > 250, "{changed}");
    let other = Shape { height: 3, ..shape };
    let mut mask = Frame::new(other, &bytes[..27], of_mask).unwrap();
    let mut image = Frame::new(shape, &bytes, of_image).unwrap();
    let key = SampleKey { seed: 1, epoch: 1, sample: 0 };
    assert!(pipeline.apply_with_mask(&mut image, &mut mask, key).is_err());
}

#[test]
fn a_crop_that_is_larger_than_the_image_is_told() {
    let image = Shape { height: 64, width: 48, channels: 3 };
    let places = |json: &str| -> Vec<usize> {
        pipeline(json).misfits(image).into_iter().map(|(place, _)| place).collect()
    };
    assert_eq!(places(r#"[{"random_crop": {"height": 64, "width": 48}}]"#), [0usize; 0]);
    assert_eq!(places(r#"[{"random_crop": {"height": 65}}, {"center_crop": {"width": 49}}]"#), [0, 1]);
    assert_eq!(places(r#"[{"random_crop": {"height": 65, "pad_if_needed": true}}]"#), [0usize; 0]);
    // What comes before changes the size, and what is within a composition counts.
    let within =
        r#"[{"center_crop": {"height": 32}}, {"one_of": {"transforms": [{"random_crop": {"height": 33}}]}}]"#;
    assert_eq!(places(within), [1]);
    let why = &pipeline(r#"[{"random_crop": {"height": 65}}]"#).misfits(image)[0].1;
    assert!(why.contains("65 x 48 pixels out of images of 64 x 48"), "{why}");
}
