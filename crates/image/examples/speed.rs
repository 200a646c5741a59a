//! Times decoding and resizing: `cargo run --release -p pupila-image --example speed -- FILE.jpg ...`
//!
//! Prints, over all files and the best of three passes, the milliseconds an image that decoding and shrinking to 64x64
//! take on one thread, one after the other and at once, and the same for shrinking a synthetic 1024x1024 RGB image.

use std::time::Instant;

use pupila_image::{Image, Interpolation, Limits, Reading, decode, decode_shrunk, resize};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut files = Vec::new();
    for path in std::env::args_os().skip(1) {
        files.push(std::fs::read(path)?);
    }
    let best = |work: &mut dyn FnMut()| {
        let once = |work: &mut dyn FnMut()| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e3
        };
        (0..3).map(|_| once(work)).fold(f64::INFINITY, f64::min)
    };
    if !files.is_empty() {
        let mut images = Vec::new();
        let decode_ms = best(&mut || {
            images = files.iter().filter_map(|f| decode(f, 3, &Limits::default()).ok()).collect();
        });
        let resize_ms = best(&mut || {
            for image in &images {
                std::hint::black_box(resize(image, 64, 64, Interpolation::Area));
            }
        });
        let n = files.len() as f64;
        println!("{} of {} files decoded: {:.3} ms each", images.len(), files.len(), decode_ms / n);
        let shrunk_ms = best(&mut || {
            for file in &files {
                std::hint::black_box(
                    decode_shrunk(file, 3, (64, 64), &Limits::default(), &Reading::default()).ok(),
                );
            }
        });
        println!("to 64x64, area: {:.3} ms each", resize_ms / n);
        println!("both at once: {:.3} ms each", shrunk_ms / n);
    }
    let data = (0..1024u32 * 1024 * 3).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let image = Image::new(1024, 1024, 3, data)?;
    for interpolation in Interpolation::ALL {
        let ms = best(&mut || {
            for _ in 0..20 {
                std::hint::black_box(resize(std::hint::black_box(&image), 64, 64, interpolation));
            }
        });
        println!("1024x1024x3 to 64x64, {interpolation}: {:.3} ms", ms / 20.0);
    }
    Ok(())
}
