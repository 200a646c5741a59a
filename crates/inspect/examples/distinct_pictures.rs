//! Pictures of which no two are alike, to measure memory and time with: noise at several scales, in square JPEG files.
//!
//! `distinct_pictures FOLDER COUNT [CLASSES [SIDE]]`: in folders `0000` and so on for the classes, two by default, of 64 pixels a side by
//! default. The same number gives the same picture.

use std::path::Path;

use pupila_image::{Image, Interpolation, encode_jpeg, resize};
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failed> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(count)) = (args.next(), args.next()) else {
        return Err("which folder, and how many?".into());
    };
    let (folder, count): (&Path, u32) = (folder.as_ref(), count.parse()?);
    let classes: u32 = args.next().map_or(Ok(2), |classes| classes.parse())?;
    let side: u32 = args.next().map_or(Ok(64), |side| side.parse())?;
    for class in 0..classes {
        std::fs::create_dir_all(folder.join(format!("{class:04}")))?;
    }
    (0..count).into_par_iter().try_for_each(|number| {
        let file = folder.join(format!("{:04}/{number:07}.jpg", number % classes));
        std::fs::write(file, encode_jpeg(&picture(number, side)?, 90)?)?;
        Ok(())
    })
}

/// Noise of 4, 8, 16 and 32 cells a side, enlarged and added; amplitudes fall with the frequency, as those of photographs do.
fn picture(number: u32, side: u32) -> Result<Image, Failed> {
    let mut sum = vec![0.0f32; (side * side * 3) as usize];
    for (scale, cells) in [4u32, 8, 16, 32].into_iter().enumerate() {
        let mut stream = Stream::new(22, Purpose::Augment(0), number, scale as u32);
        let noise = (0..cells * cells * 3).map(|_| stream.next_u32() as u8).collect();
        let noise = resize(&Image::new(cells, cells, 3, noise)?, side, side, Interpolation::Linear);
        for (sum, &value) in sum.iter_mut().zip(noise.data()) {
            *sum += (f32::from(value) - 127.5) / (scale + 1) as f32;
        }
    }
    let data = sum.iter().map(|value| (value * 0.5 + 127.5).clamp(0.0, 255.0) as u8).collect();
    Ok(Image::new(side, side, 3, data)?)
}
