//! Images without contrast once they are read are told, with why and what to type.

#![allow(clippy::unwrap_used)]

mod common;

use std::io::Cursor;

use common::{Data, RULE};
use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba};
use pupila_dataset::{Cache, Notice, OnBadImage, ResizeRule, WhyFlat, load};
use pupila_image::Reading;

fn file(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// A 16-bit picture whose values go up to `largest`.
fn deep(largest: u16, format: ImageFormat) -> Vec<u8> {
    file(ImageBuffer::from_fn(8, 8, |x, y| Luma([((x * 8 + y) * u32::from(largest) / 63) as u16])), format)
}

/// A picture drawn in its alpha alone.
fn stencil(seen: bool) -> Vec<u8> {
    let alpha = |x: u32| if seen && x > 3 { 255 } else { 0 };
    file(ImageBuffer::from_fn(8, 8, |x, _| Rgba([0u8, 0, 0, alpha(x)])), ImageFormat::Png)
}

fn float(high: f32) -> Vec<u8> {
    file(
        ImageBuffer::from_fn(8, 8, |x, _| Rgb([-high, x as f32 * 1e-3, high].map(|v| v - high))),
        ImageFormat::Tiff,
    )
}

/// What is said of images of which `flat` are as `bytes`, and `others` as they should be.
fn told(
    bytes: &[u8],
    flat: u32,
    others: u32,
    rule: &ResizeRule,
    cache: Option<&Cache>,
) -> Option<(usize, usize, WhyFlat)> {
    let data = Data::new();
    for i in 0..flat + others {
        let class = ["cat", "dog"][i as usize % 2];
        // The end of a file may be anything.
        let content = if i < flat { [bytes, &i.to_le_bytes()].concat() } else { common::png(i) };
        data.write(format!("{class}/{i:03}.png"), content);
    }
    let dataset = data.scan().unwrap();
    let which: Vec<usize> = (0..dataset.samples.len()).collect();
    let none: &(dyn Fn() -> bool + Sync) = &|| false;
    let loaded = load(&dataset, &which, rule, cache, OnBadImage::Fail, &|_| {}, none).unwrap();
    loaded.notices.into_iter().find_map(|notice| match notice {
        Notice::Flat { images, of, why, first, by_recipe } => {
            assert!(by_recipe);
            assert!(first.starts_with(data.path()));
            Some((images, of, why))
        }
        _ => None,
    })
}

#[test]
fn pictures_without_contrast_are_told_with_their_reason() {
    let png = ImageFormat::Png;
    for (bytes, why) in [
        (deep(249, png), WhyFlat::FewBits { largest: 249, white: 65535 }),
        (deep(4095, png), WhyFlat::FewBits { largest: 4095, white: 65535 }),
        (deep(1023, ImageFormat::Tiff), WhyFlat::FewBits { largest: 1023, white: 65535 }),
        (stencil(true), WhyFlat::Alpha { background: "white" }),
        (stencil(false), WhyFlat::Transparent),
        (file(ImageBuffer::from_pixel(8, 8, Rgb([90u8, 90, 90])), png), WhyFlat::Plain),
    ] {
        assert_eq!(told(&bytes, 12, 0, &RULE, None), Some((12, 12, why)));
    }
    let (_, _, why) = told(&float(100.0), 12, 0, &RULE, None).unwrap();
    assert!(matches!(&why, WhyFlat::Float { range, .. } if range.starts_with("-200 to ")), "{why:?}");
    // Those that use their bits are not.
    for bytes in [deep(u16::MAX, png), deep(8191, png), common::png(1)] {
        assert_eq!(told(&bytes, 12, 0, &RULE, None), None);
    }
}

#[test]
fn few_of_many_are_not_told_and_a_class_of_them_is() {
    let bytes = deep(249, ImageFormat::Png);
    assert_eq!(told(&bytes, 2, 38, &RULE, None), None);
    assert_eq!(told(&bytes, 4, 36, &RULE, None).map(|(images, of, _)| (images, of)), Some((4, 40)));
    // Also where the cache has them.
    let folder = Data::new();
    let cache = Cache::open(folder.path(), Cache::DEFAULT_MAX_BYTES);
    for _ in 0..2 {
        assert!(told(&bytes, 12, 0, &RULE, Some(&cache)).is_some());
    }
}

#[test]
fn what_is_to_be_typed_mends_it() {
    let folder = Data::new();
    let cache = Cache::open(folder.path(), Cache::DEFAULT_MAX_BYTES);
    let white = |white| ResizeRule { reading: Reading { white: Some(white), ..Reading::default() }, ..RULE };
    for (largest, typed) in [(249, 255), (4095, 4095), (1023, 1023)] {
        let bytes = deep(largest, ImageFormat::Png);
        let (images, of, why) = told(&bytes, 12, 0, &RULE, Some(&cache)).unwrap();
        let text = Notice::Flat { images, of, first: "a/b.png".into(), why, by_recipe: true }.to_string();
        assert!(
            text.contains(&format!("largest value found is {largest} of 65535: --set input.white={typed} ")),
            "{text}"
        );
        assert!(
            text.starts_with("all 12 images are of one color") && text.ends_with("(the first is a/b.png)"),
            "{text}"
        );
        // The cache keeps both ways apart.
        assert_eq!(told(&bytes, 12, 0, &white(typed), Some(&cache)), None);
    }
    let on_white =
        ResizeRule { reading: Reading { background: Some([255; 3]), ..Reading::default() }, ..RULE };
    assert_eq!(told(&stencil(true), 12, 0, &on_white, Some(&cache)), None);
}
