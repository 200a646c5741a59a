use pupila_image::{Image, Interpolation, resize};
use pupila_random::{Purpose, Stream};

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

const SIDE_OF_SOURCE: u32 = 160;

/// A picture with detail at every scale, another for each number.
fn picture(number: u32) -> Image {
    let mut sum = vec![0.0f32; (SIDE_OF_SOURCE * SIDE_OF_SOURCE) as usize];
    for (scale, cells) in [4u32, 10, 20, 40, 80].into_iter().enumerate() {
        let mut stream = Stream::new(7, Purpose::Augment(0), number, scale as u32);
        let noise = (0..cells * cells).map(|_| stream.next_u32() as u8).collect();
        let noise = Image::new(cells, cells, 1, noise).unwrap();
        let noise = resize(&noise, SIDE_OF_SOURCE, SIDE_OF_SOURCE, Interpolation::Linear);
        for (sum, &value) in sum.iter_mut().zip(noise.data()) {
            *sum += (f32::from(value) - 127.5) / (scale + 1) as f32;
        }
    }
    let data = sum.iter().map(|value| (value * 0.4 + 110.0).clamp(0.0, 255.0) as u8).collect();
    Image::new(SIDE_OF_SOURCE, SIDE_OF_SOURCE, 1, data).unwrap()
}

fn thumbnail(image: &Image) -> Vec<u8> {
    resize(image, SIDE as u32, SIDE as u32, Interpolation::Area).into_data()
}

fn window(image: &Image, left: u32, top: u32, side: u32) -> Image {
    let rows =
        (top..top + side).flat_map(|y| &image.data()[(y * image.width() + left) as usize..][..side as usize]);
    Image::new(side, side, 1, rows.copied().collect()).unwrap()
}

fn found(thumbnails: &[Vec<u8>]) -> Found {
    let gray: Vec<&[u8]> = thumbnails.iter().map(|gray| &gray[..]).collect();
    find(&gray, &vec![(SIDE_OF_SOURCE, SIDE_OF_SOURCE); thumbnails.len()], None, &|| false).unwrap()
}

#[test]
fn the_values_of_the_turned_picture_are_the_turned_values() {
    let gray = [picture(0), picture(1), picture(2)].map(|image| thumbnail(&image));
    for turn in Turn::ALL {
        let turned = gray.each_ref().map(|gray| turn.of_square(gray, SIDE));
        // Mean and deviation are those of all eight turns.
        let values_of = |all: &[Vec<u8>; 3]| {
            let table = hash::values_of_all(&all.each_ref().map(|gray| &gray[..]), None);
            [0, 1, 2].map(|at| table.get(at))
        };
        let (values, of_turned) = (values_of(&gray), values_of(&turned));
        for (values, of_turned) in values.iter().zip(&of_turned) {
            let expected = hash::turned(values, turn);
            let error = expected.iter().zip(of_turned).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(error < 1e-4, "{turn:?}: {error}");
            assert!((hash::bits(&expected) ^ hash::bits(of_turned)).count_ones() <= 1, "{turn:?}");
        }
    }
}

#[test]
fn copies_of_each_kind_are_found_with_their_turn_and_nothing_else() {
    let image = picture(3);
    let gray = thumbnail(&image);
    let brightened = |factor: f32| gray.iter().map(|&v| (f32::from(v) * factor).min(255.0) as u8).collect();
    let mut noise = Stream::new(1, Purpose::Augment(1), 0, 0);
    let noisy = gray.iter().map(|&v| v.saturating_add(noise.below(9) as u8)).collect();
    let half = resize(&image, 80, 80, Interpolation::Area);
    let mut copies: Vec<(Vec<u8>, Turn)> = vec![
        (brightened(0.8), Turn::Upright),
        (brightened(1.2), Turn::Upright),
        (noisy, Turn::Upright),
        (thumbnail(&half), Turn::Upright),
        (thumbnail(&window(&image, 0, 0, 152)), Turn::Upright),
        (thumbnail(&window(&image, 8, 3, 152)), Turn::Upright),
    ];
    copies.extend(Turn::ALL.map(|turn| (turn.of_square(&gray, SIDE), turn)));
    for (copy, turn) in copies {
        let mut all: Vec<Vec<u8>> = (10..40).map(|number| thumbnail(&picture(number))).collect();
        all[4] = gray.clone();
        all[21] = copy;
        let found = found(&all);
        assert!(found.unjudged.is_empty());
        let [Near { a: 4, b: 21, turned, alike }] = found.pairs[..] else {
            panic!("{turn:?}: {:?}", found.pairs)
        };
        assert!(turned == turn && alike > LIKE, "{turn:?} {turned:?} {alike}");
    }
}

#[test]
fn a_fit_is_the_window_that_was_cut() {
    let image = picture(5);
    let (whole, cut) = (thumbnail(&image), thumbnail(&window(&image, 8, 2, 152)));
    let template = Template::<SIDE>::new(&Level::of(&cut), Turn::Upright);
    let fit = template.fit(&Level::of(&whole), Fit::NONE);
    // 152 of 160 pixels; the middle is 4 to the right and 2 up, of 80.
    for (axis, shift) in [0.05, -0.025].into_iter().enumerate() {
        assert!((fit.scale[axis] - 0.95).abs() < 0.006 && (fit.shift[axis] - shift).abs() < 0.004, "{fit:?}");
    }
}

#[test]
fn flat_pictures_and_gradients_are_near_to_nothing() {
    let gradient: Vec<u8> = (0..SIDE * SIDE).map(|i| (i % SIDE * 3 + i / SIDE) as u8).collect();
    let steps: Vec<u8> = gradient.iter().map(|v| v / 2).collect();
    let flat = vec![90; SIDE * SIDE];
    let found = found(&[flat.clone(), gradient.clone(), flat, gradient, steps]);
    assert_eq!(found, Found { pairs: vec![], unjudged: vec![0, 1, 2, 3, 4] });
}

#[test]
fn a_picture_of_another_shape_is_no_turned_copy() {
    let gray = thumbnail(&picture(6));
    let turned = Turn::Clockwise.of_square(&gray, SIDE);
    let pairs = |sizes| find(&[&turned, &gray], sizes, None, &|| false).unwrap().pairs.len();
    assert_eq!(pairs(&[(300, 200), (200, 300)]), 1);
    assert_eq!(pairs(&[(300, 200), (300, 200)]), 0);
    assert_eq!(pairs(&[(200, 200), (300, 200)]), 1);
}

#[test]
fn many_similar_ones_are_no_copies_and_a_copy_among_them_is() {
    let near = |a, b, alike| Near { a, b, turned: Turn::Upright, alike };
    let mut similar: Vec<Near> = (1..10).map(|b| near(0, b, 0.95 - b as f32 / 100.0)).collect();
    assert!(apart_from_others(&similar, &[false; 11]).is_empty());
    similar.push(near(0, 10, 0.99));
    assert_eq!(apart_from_others(&similar, &[false; 11]), [near(0, 10, 0.99)]);
}

#[test]
fn nothing_is_compared_once_it_is_to_stop() {
    let thumbnails: Vec<Vec<u8>> = (0..40).map(|number| thumbnail(&picture(number))).collect();
    let gray: Vec<&[u8]> = thumbnails.iter().map(|gray| &gray[..]).collect();
    assert_eq!(find(&gray, &[(SIDE_OF_SOURCE, SIDE_OF_SOURCE); 40], None, &|| true), None);
    // The first rows are compared, and what comes after they were asked for is not.
    let values = hash::values_of_all(&gray, None);
    let judged = AtomicUsize::new(0);
    let one = |a: usize, _: &[Candidate]| {
        judged.fetch_add(1, Ordering::Relaxed);
        a
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let after_one = || judged.load(Ordering::Relaxed) > 0;
    let each = |interrupted: &(dyn Fn() -> bool + Sync)| {
        filter::each(&values, &[false; 40], LIMITS, |_, _, _| false, interrupted, one)
    };
    assert_eq!(pool.install(|| each(&after_one)), None);
    let rows = judged.swap(0, Ordering::Relaxed);
    assert!(rows == 8 || rows == 32, "{rows} of one part of the rows");
    assert_eq!(each(&|| false), Some((0..40).collect()));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let mut all: Vec<Vec<u8>> = (0..70).map(|number| thumbnail(&picture(number))).collect();
    for i in 0..20 {
        all[50 + i] = Turn::ALL[i % 8].of_square(&all[i], SIDE);
    }
    let with = |threads| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| found(&all))
    };
    let one = with(1);
    assert_eq!(one.pairs.len(), 20);
    assert_eq!(one, with(2));
    assert_eq!(found(&[]), Found::default());
}
