//! What a consumer of batches relies on.

#![allow(clippy::unwrap_used)]

use pupila_loader::{AHEAD, Batch, Block, Loader, LoaderError, Mixing, Order, Source};
use pupila_random::{Purpose, Stream};
use pupila_transforms::{Normalization, Pipeline, Shape, TransformConfig};
use std::collections::BTreeSet;
use std::sync::Arc;

const SHAPE: Shape = Shape { height: 5, width: 4, channels: 3 };
const IMAGES: usize = 23;

fn source() -> Source {
    let pixels = (0..IMAGES * SHAPE.values()).map(|i| (i * 37 + i / 11) as u8).collect();
    Source::from_vec(pixels, (0..IMAGES as u32).map(|i| i % 4).collect(), SHAPE).unwrap()
}

fn pipeline() -> Pipeline {
    let configs: Vec<TransformConfig> = serde_json::from_str(
        r#"[{"horizontal_flip": {}}, {"random_brightness_contrast": {"p": 0.5}}, {"vertical_flip": {}}]"#,
    )
    .unwrap();
    Pipeline::from_config(&configs).unwrap()
}

fn loader(order: Order, batch: usize) -> Loader {
    Loader::new(source(), pipeline(), Normalization::imagenet(3), order, batch, 9).unwrap()
}

fn collect(loader: &Loader, epoch: u32) -> Vec<Batch> {
    loader.epoch(epoch).unwrap().map(Result::unwrap).collect()
}

/// All images, targets and samples of an epoch in a row.
fn flat(batches: &[Batch]) -> (Vec<f32>, Vec<u32>, Vec<u32>) {
    (
        batches.iter().flat_map(|batch| batch.images.clone()).collect(),
        batches.iter().flat_map(|batch| batch.targets.clone()).collect(),
        batches.iter().flat_map(|batch| batch.samples.clone()).collect(),
    )
}

#[test]
fn the_batch_size_changes_nothing_but_the_cuts() {
    for order in [Order::AsGiven, Order::Shuffled, Order::Balanced, Order::Oversampled, Order::Undersampled] {
        let reference = flat(&collect(&loader(order.clone(), IMAGES), 3));
        for batch in [1, 4, 7, 100] {
            let loader = loader(order.clone(), batch);
            let batches = collect(&loader, 3);
            assert_eq!(batches.len(), loader.batches());
            assert!(batches.iter().rev().skip(1).all(|full| full.len() == batch));
            assert_eq!(flat(&batches), reference);
        }
    }
}

/// A loader that mixes, of images that come several times.
fn mixing(batch: usize) -> Loader {
    let mixing = Mixing { mixup: Some(0.4), cutmix: Some(1.0), p: 0.8 };
    loader(Order::Oversampled, batch).with_mixing(Some(mixing))
}

#[test]
fn what_is_mixed_does_not_depend_on_the_batch_or_on_where_an_epoch_begins() {
    let mixed = |batches: &[Batch]| {
        let partners = batches.iter().flat_map(|batch| batch.partners.clone()).collect::<Vec<_>>();
        (partners, batches.iter().flat_map(|batch| batch.shares.clone()).collect::<Vec<_>>())
    };
    let whole = collect(&mixing(1000), 3);
    assert_eq!(whole.len(), 1);
    for batch in [1, 4, 7] {
        let loader = mixing(batch);
        let batches = collect(&loader, 3);
        assert_eq!(flat(&batches), flat(&whole));
        assert_eq!(mixed(&batches), mixed(&whole));
        for done in 0..batches.len() {
            let rest: Vec<Batch> = loader.epoch_from(3, done).unwrap().map(Result::unwrap).collect();
            assert_eq!(rest, batches[done..]);
        }
    }
}

#[test]
fn an_image_is_mixed_with_the_one_before_it_as_that_was_augmented() {
    let plain = collect(&loader(Order::Oversampled, 1000), 2).remove(0);
    let mixed = collect(&mixing(1000), 2).remove(0);
    assert_eq!(plain.samples, mixed.samples);
    assert!(plain.shares.is_empty() && plain.partners.is_empty());
    let (n, values) = (plain.len(), SHAPE.values());
    let image = |batch: &Batch, i: usize| batch.images[i * values..][..values].to_vec();
    let (mut blended, mut pasted) = (0, 0);
    for i in 0..n {
        let before = (i + n - 1) % n;
        assert_eq!(mixed.partners[i], plain.targets[before]);
        let (own, other, got) = (image(&plain, i), image(&plain, before), image(&mixed, i));
        let share = mixed.shares[i];
        let blend = own.iter().zip(&other).map(|(a, b)| share as f32 * a + (1.0 - share) as f32 * b);
        if got.iter().zip(blend).all(|(got, expected)| (got - expected).abs() < 1e-6) {
            blended += 1;
        } else {
            assert!((0..values).all(|v| got[v] == own[v] || got[v] == other[v]));
            pasted += 1;
        }
    }
    assert!(blended >= n / 4 && pasted >= n / 6, "{blended} and {pasted} of {n}");
}

#[test]
fn an_image_that_comes_twice_in_an_epoch_is_augmented_anew() {
    let batch = collect(&loader(Order::AsGiven, 20).with_samples(vec![3; 20]).unwrap(), 1).remove(0);
    let images: BTreeSet<Vec<u32>> = batch
        .images
        .chunks(SHAPE.values())
        .map(|image| image.iter().map(|x| x.to_bits()).collect())
        .collect();
    assert!(images.len() > 8, "{} different ones of 20", images.len());
}

#[test]
fn an_epoch_is_every_sample_once_in_the_order_of_its_stream() {
    let loader = loader(Order::Shuffled, 4);
    let mut expected: Vec<u32> = (0..IMAGES as u32).collect();
    Stream::new(9, Purpose::Shuffle, 5, 0).shuffle(&mut expected);
    let (_, targets, samples) = flat(&collect(&loader, 5));
    assert_eq!(samples, expected);
    assert!(targets.iter().zip(&samples).all(|(&target, &sample)| target == sample % 4));
    assert_ne!(loader.order(5), loader.order(6));
    assert_eq!(loader.order(5).into_iter().collect::<BTreeSet<_>>().len(), IMAGES);
}

#[test]
fn a_sample_is_augmented_alike_wherever_it_stands_and_anew_in_each_epoch() {
    let shuffled = loader(Order::Shuffled, 4);
    let given = loader(Order::AsGiven, 6).with_samples(vec![17, 3, 3]).unwrap();
    let image = |batches: &[Batch], sample: u32| -> Vec<f32> {
        let (images, _, samples) = flat(batches);
        let place = samples.iter().position(|&other| other == sample).unwrap();
        images[place * SHAPE.values()..][..SHAPE.values()].to_vec()
    };
    let batches = collect(&given, 2);
    assert_eq!(flat(&batches).2, [17, 3, 3]);
    for sample in [3, 17] {
        assert_eq!(image(&batches, sample), image(&collect(&shuffled, 2), sample));
    }
    let epochs: Vec<_> = (0..8).map(|epoch| image(&collect(&given, epoch), 3)).collect();
    assert!(epochs.iter().any(|image| image != &epochs[0]));
}

#[test]
fn without_transforms_images_are_normalised_as_they_are() {
    let normalization = Normalization::imagenet(3);
    let loader =
        Loader::new(source(), Pipeline::default(), normalization.clone(), Order::AsGiven, 8, 0).unwrap();
    let pixels: Vec<u8> = (0..IMAGES * SHAPE.values()).map(|i| (i * 37 + i / 11) as u8).collect();
    let mut expected = vec![0.0; pixels.len()];
    normalization.apply(&pixels, &mut expected);
    assert_eq!(flat(&collect(&loader, 0)).0, expected);
}

#[test]
fn an_epoch_resumes_after_its_batches() {
    let loader = loader(Order::Shuffled, 4);
    let whole = collect(&loader, 1);
    for done in 0..=whole.len() + 1 {
        let rest: Vec<Batch> = loader.epoch_from(1, done).unwrap().map(Result::unwrap).collect();
        assert_eq!(rest, whole[done.min(whole.len())..]);
    }
}

#[test]
fn recycled_buffers_are_all_that_is_needed() {
    let loader = loader(Order::Shuffled, 2);
    let mut buffers = BTreeSet::new();
    for round in 0..20 {
        let mut epoch = loader.epoch(round).unwrap();
        while let Some(batch) = epoch.next() {
            let batch = batch.unwrap();
            buffers.insert(batch.images.as_ptr());
            epoch.recycle(batch);
        }
    }
    assert!(buffers.len() <= AHEAD + 2, "{} buffers", buffers.len());
}

#[test]
fn dropping_an_epoch_early_ends_its_thread() {
    let loader = loader(Order::Shuffled, 1);
    for taken in 0..4 {
        let mut epoch = loader.epoch(0).unwrap();
        for _ in 0..taken {
            assert!(epoch.next().unwrap().is_ok());
        }
        drop(epoch);
    }
}

#[test]
fn a_panic_is_an_error_and_not_a_short_epoch() {
    struct Gone(Vec<u8>, std::sync::atomic::AtomicBool);
    impl AsRef<[u8]> for Gone {
        fn as_ref(&self) -> &[u8] {
            // Present when the source is made, gone afterwards: as a mapped file that was cut.
            let first = !self.1.swap(true, std::sync::atomic::Ordering::Relaxed);
            if first { &self.0 } else { panic!("the file is gone") }
        }
    }
    let pixels: Block = Arc::new(Gone(vec![0; SHAPE.values()], false.into()));
    let source = Source::new(pixels, Arc::new([0]), SHAPE).unwrap();
    let loader = Loader::new(source, pipeline(), Normalization::imagenet(3), Order::AsGiven, 1, 0).unwrap();
    let mut epoch = loader.epoch(0).unwrap();
    let error = epoch.next().unwrap().unwrap_err();
    assert_eq!(error.to_string(), "the preparation of a batch failed: the file is gone");
    assert!(epoch.next().is_none());
}

#[test]
fn what_cannot_be_loaded_is_refused() {
    let message = |result: Result<Loader, LoaderError>| result.unwrap_err().to_string();
    let with =
        |normalization, batch| Loader::new(source(), pipeline(), normalization, Order::AsGiven, batch, 0);
    assert_eq!(
        message(with(Normalization::imagenet(3), 0)),
        "expected a batch of at least one sample, got 0"
    );
    assert_eq!(
        message(with(Normalization::imagenet(1), 2)),
        "the images have 3 channels, and the normalisation is for 1"
    );
    assert_eq!(
        message(with(Normalization::imagenet(3), 2).and_then(|loader| loader.with_samples(vec![0, 23]))),
        "sample 23 is outside the 23 images of the source"
    );
    let short = Source::from_vec(vec![0; 59], vec![0], SHAPE).unwrap_err();
    assert_eq!(short.to_string(), "1 images of 5x4x3 (height, width, channels) have 60 bytes, got 59");
    let empty = Source::from_vec(Vec::new(), Vec::new(), SHAPE).unwrap();
    let loader = Loader::new(empty, pipeline(), Normalization::imagenet(3), Order::Shuffled, 2, 0).unwrap();
    assert!(loader.epoch(0).unwrap().next().is_none());
}
