//! How long near duplicates take among many distinct pictures, where none is to be found.
//!
//! `near_time 100000`: as many thumbnails of noise at several scales. `near_time IDX-FILE [COUNT]`: an unpacked file of MNIST's format.

use pupila_image::{Image, Interpolation, resize};
use pupila_inspect::SIDE;
use pupila_inspect::near;
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

type Failed = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failed> {
    let mut args = std::env::args().skip(1);
    let what = args.next().ok_or("how many, or which file?")?;
    let (gray, side) = match what.parse::<usize>() {
        Ok(count) => (synthetic(count), SIDE as u32),
        Err(_) => idx(&std::fs::read(&what)?, args.next().map_or(Ok(usize::MAX), |count| count.parse())?)?,
    };
    let count = gray.len() / (SIDE * SIDE);
    let clock = std::time::Instant::now();
    let gray: Vec<&[u8]> = gray.chunks_exact(SIDE * SIDE).collect();
    let found = near::find(&gray, &vec![(side, side); count], None, &|| false).ok_or("interrupted")?;
    println!(
        "{count} pictures: {:.1} s, {} pairs, {} unjudged",
        clock.elapsed().as_secs_f64(),
        found.pairs.len(),
        found.unjudged.len()
    );
    println!("groups: {:?}", near::groups(count, &found.pairs).iter().map(Vec::len).max());
    for pair in found.pairs.iter().step_by((found.pairs.len() / 20).max(1)) {
        println!("{pair:?}");
    }
    Ok(())
}

/// Noise of 4, 8, 16 and 32 cells a side, enlarged and added; amplitudes fall with the frequency, as those of photographs do.
fn synthetic(count: usize) -> Vec<u8> {
    let pictures: Vec<Vec<u8>> = (0..count as u32)
        .into_par_iter()
        .map(|i| {
            let mut sum = vec![0.0f32; SIDE * SIDE];
            for (scale, cells) in [4u32, 8, 16, 32].into_iter().enumerate() {
                let mut stream = Stream::new(0, Purpose::Augment(0), i, scale as u32);
                let noise = (0..cells * cells).map(|_| stream.next_u32() as u8).collect();
                let Ok(noise) = Image::new(cells, cells, 1, noise) else { continue };
                let noise = resize(&noise, SIDE as u32, SIDE as u32, Interpolation::Linear);
                for (sum, &value) in sum.iter_mut().zip(noise.data()) {
                    *sum += (f32::from(value) - 127.5) / (scale + 1) as f32;
                }
            }
            sum.iter().map(|value| (value * 0.5 + 127.5).clamp(0.0, 255.0) as u8).collect()
        })
        .collect();
    pictures.concat()
}

/// Thumbnails of the pictures of an IDX file, and their side.
fn idx(bytes: &[u8], most: usize) -> Result<(Vec<u8>, u32), Failed> {
    let word = |at: usize| bytes.get(at..at + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]));
    let (Some(0x803), Some(height), Some(width)) = (word(0), word(8), word(12)) else {
        return Err("no IDX file of pictures".into());
    };
    let pictures: Result<Vec<Vec<u8>>, Failed> = bytes[16..]
        .par_chunks_exact((width * height) as usize)
        .take(most)
        .map(|pixels| {
            let picture = Image::new(width, height, 1, pixels.to_vec())?;
            Ok(resize(&picture, SIDE as u32, SIDE as u32, Interpolation::Area).into_data())
        })
        .collect();
    Ok((pictures?.concat(), width))
}
