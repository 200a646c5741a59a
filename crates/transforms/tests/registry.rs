//! What must hold for every registered transform.

#![allow(clippy::unwrap_used)]

use pupila_image::Image;
use pupila_transforms::{Frame, FrameMemory, Pipeline, SampleKey, Shape, TransformConfig, entry, registry};

const SHAPES: [(usize, usize); 6] = [(1, 1), (1, 7), (5, 1), (2, 2), (6, 9), (33, 17)];

fn always(config: &TransformConfig) -> TransformConfig {
    let mut config = config.clone();
    config.parameters.insert("p".to_owned(), 1.0.into());
    config
}

fn pixels(shape: Shape) -> Vec<u8> {
    (0..shape.values()).map(|i| (i * 37 + i / 7) as u8).collect()
}

fn run(pipeline: &Pipeline, shape: Shape, key: SampleKey) -> (Shape, Vec<u8>) {
    let (pixels, mut memory) = (pixels(shape), FrameMemory::default());
    let mut frame = Frame::new(shape, &pixels, &mut memory).unwrap();
    pipeline.apply(&mut frame, key);
    (frame.shape(), frame.pixels().to_vec())
}

#[test]
fn names_are_unique_and_snake_case() {
    for (place, one) in registry().iter().enumerate() {
        assert!(
            one.name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'),
            "{}",
            one.name
        );
        assert!(registry()[..place].iter().all(|earlier| earlier.name != one.name));
        assert_eq!(entry(one.name).unwrap().name, one.name);
        assert!(!one.description.is_empty());
    }
    assert!(entry("no_such_transform").is_none());
}

#[test]
fn defaults_are_complete_and_round_trip() {
    for one in registry() {
        let config = one.default_config();
        assert!(config.parameters.contains_key("p"), "{}", one.name);
        let pipeline = Pipeline::from_config(std::slice::from_ref(&config)).unwrap();
        assert_eq!(pipeline.resolved().as_slice(), std::slice::from_ref(&config));
        if config.parameters.contains_key("transforms") {
            // A composition of nothing has to say so.
            continue;
        }
        let empty = TransformConfig::new(one.name, Default::default());
        let resolved = Pipeline::from_config(&[empty]).unwrap().resolved();
        assert_eq!(resolved.as_slice(), std::slice::from_ref(&config));
        let text = serde_json::to_string(&config).unwrap();
        assert_eq!(serde_json::from_str::<TransformConfig>(&text).unwrap(), config);
    }
}

#[test]
fn results_follow_the_key_and_the_declared_shape() {
    for one in registry() {
        let pipeline = Pipeline::from_config(&[always(&one.default_config())]).unwrap();
        for (height, width) in SHAPES {
            for channels in [1, 3] {
                let shape = Shape { height, width, channels };
                for sample in 0..8 {
                    let key = SampleKey { seed: 5, epoch: 2, sample };
                    let (out, data) = run(&pipeline, shape, key);
                    assert_eq!((out, data.clone()), run(&pipeline, shape, key), "{} {shape}", one.name);
                    assert_eq!(data.len(), out.values());
                    if let Some(declared) = pipeline.output_shape(shape) {
                        assert_eq!(out, declared, "{} {shape}", one.name);
                    }
                }
            }
        }
    }
}

#[test]
fn p_of_zero_changes_nothing() {
    let shape = Shape { height: 6, width: 9, channels: 3 };
    for one in registry() {
        let mut config = one.default_config();
        config.parameters.insert("p".to_owned(), 0.0.into());
        let pipeline = Pipeline::from_config(&[config]).unwrap();
        for sample in 0..50 {
            let (_, data) = run(&pipeline, shape, SampleKey { seed: 0, epoch: 0, sample });
            assert_eq!(data, pixels(shape), "{}", one.name);
        }
    }
}

#[test]
fn p_is_how_often_it_applies() {
    let shape = Shape { height: 2, width: 3, channels: 1 };
    for p in [0.2, 0.5, 0.9] {
        let mut config = entry("horizontal_flip").unwrap().default_config();
        config.parameters.insert("p".to_owned(), p.into());
        let pipeline = Pipeline::from_config(&[config]).unwrap();
        let flipped = (0..4000)
            .filter(|&sample| {
                run(&pipeline, shape, SampleKey { seed: 1, epoch: 0, sample }).1 != pixels(shape)
            })
            .count() as f64;
        assert!((flipped / 4000.0 - p).abs() < 5.0 * (p * (1.0 - p) / 4000.0).sqrt(), "{p}: {flipped}");
    }
}

#[test]
fn a_transform_draws_the_same_whatever_stands_after_it_and_another_elsewhere() {
    let contrast = always(&entry("random_brightness_contrast").unwrap().default_config());
    let never = {
        let mut config = entry("vertical_flip").unwrap().default_config();
        config.parameters.insert("p".to_owned(), 0.0.into());
        config
    };
    let shape = Shape { height: 6, width: 9, channels: 3 };
    let key = SampleKey { seed: 5, epoch: 2, sample: 11 };
    let result = |configs: &[TransformConfig]| run(&Pipeline::from_config(configs).unwrap(), shape, key).1;
    let alone = result(std::slice::from_ref(&contrast));
    assert_eq!(alone, result(&[contrast.clone(), never.clone()]));
    assert_ne!(alone, result(&[never, contrast.clone()]));
    let pipeline = Pipeline::from_config(&[contrast]).unwrap();
    for other in
        [SampleKey { seed: 6, ..key }, SampleKey { epoch: 3, ..key }, SampleKey { sample: 12, ..key }]
    {
        assert_ne!(alone, run(&pipeline, shape, other).1);
    }
}

#[test]
fn an_image_is_transformed_like_a_frame() {
    let shape = Shape { height: 6, width: 9, channels: 3 };
    let key = SampleKey { seed: 5, epoch: 2, sample: 11 };
    let configs: Vec<_> = registry().iter().map(|one| one.default_config()).collect();
    let pipeline = Pipeline::from_config(&configs).unwrap();
    let image = Image::new(9, 6, 3, pixels(shape)).unwrap();
    let (_, data) = run(&pipeline, shape, key);
    assert_eq!(pipeline.apply_to_image(&image, key).unwrap().data(), data);
}
