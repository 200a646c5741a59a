//! Applies transforms to images that another program sends, for comparisons with reference implementations.
//!
//! On standard input, any number of requests: a line of JSON (`{"transform", "parameters", "drawn", "height", "width",
//! "channels", "mask"}`), the image's bytes `[H, W, C]`, and if `mask` is true those of its mask `[H, W]`. `drawn` is what
//! the transform's draw decides; null lets it draw by seed 0. The answer to each: a line with the shape of the result, its
//! bytes, and those of the mask. `benches/compare_albumentations.py` asks for times with `"repeat"`: then the answer is a
//! line with the nanoseconds of each repetition. There, `"pipeline"` may stand for a list of transforms instead of one, as in a
//! recipe, and the time includes the normalisation into f32.

use pupila_transforms::{Frame, FrameMemory, Normalization, Pipeline, SampleKey, Shape, TransformConfig};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::error::Error;
use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::time::Instant;

#[derive(Deserialize)]
struct Request {
    #[serde(default)]
    transform: String,
    #[serde(default)]
    pipeline: Vec<TransformConfig>,
    #[serde(default)]
    parameters: Map<String, Value>,
    #[serde(default)]
    drawn: Value,
    height: usize,
    width: usize,
    channels: usize,
    #[serde(default)]
    mask: bool,
    #[serde(default)]
    repeat: u32,
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut input = BufReader::new(std::io::stdin().lock());
    let mut output = BufWriter::new(std::io::stdout().lock());
    let mut line = String::new();
    let (mut memory, mut memory_of_mask) = (FrameMemory::default(), FrameMemory::default());
    while input.read_line(&mut line)? > 0 {
        let request: Request = serde_json::from_str(&line)?;
        line.clear();
        let shape = Shape { height: request.height, width: request.width, channels: request.channels };
        let mut pixels = vec![0; shape.values()];
        input.read_exact(&mut pixels)?;
        let mask_shape = Shape { channels: 1, ..shape };
        let mut mask_pixels = vec![0; if request.mask { mask_shape.values() } else { 0 }];
        input.read_exact(&mut mask_pixels)?;
        let mut parameters = request.parameters;
        parameters.entry("p").or_insert(1.0.into());
        let normalized = !request.pipeline.is_empty();
        let pipeline = if normalized {
            Pipeline::from_config(&request.pipeline)?
        } else {
            Pipeline::from_config(&[TransformConfig::new(request.transform, parameters)])?
        };
        if request.repeat > 0 {
            let times = repeat(&pipeline, normalized, shape, &pixels, &mut memory, request.repeat)?;
            writeln!(output, "{}", json!(times))?;
            output.flush()?;
            continue;
        }
        let mut image = Frame::new(shape, &pixels, &mut memory)?;
        let mask_shape = if request.mask { mask_shape } else { Shape { height: 0, ..mask_shape } };
        let mut mask = Frame::new(mask_shape, &mask_pixels, &mut memory_of_mask)?;
        let key = SampleKey { seed: 0, epoch: 0, sample: 0 };
        match (&request.drawn, request.mask) {
            (Value::Null, false) => pipeline.apply(&mut image, key),
            (Value::Null, true) => pipeline.apply_with_mask(&mut image, &mut mask, key)?,
            (drawn, with_mask) => {
                pipeline.transforms()[0].run_drawn(drawn, &mut image, with_mask.then_some(&mut mask))?;
            }
        }
        let Shape { height, width, channels } = image.shape();
        writeln!(output, "{}", json!({ "height": height, "width": width, "channels": channels }))?;
        output.write_all(image.pixels())?;
        if request.mask {
            output.write_all(mask.pixels())?;
        }
        output.flush()?;
    }
    Ok(())
}

/// Nanoseconds of each repetition, with another draw each time.
fn repeat(
    pipeline: &Pipeline,
    normalized: bool,
    shape: Shape,
    pixels: &[u8],
    memory: &mut FrameMemory,
    times: u32,
) -> Result<Vec<u64>, Box<dyn Error>> {
    let normalization = Normalization::imagenet(shape.channels);
    let mut out = Vec::new();
    let mut nanoseconds = Vec::with_capacity(times as usize);
    for sample in 0..times {
        let start = Instant::now();
        let mut frame = Frame::new(shape, pixels, memory)?;
        pipeline.apply(&mut frame, SampleKey { seed: 0, epoch: 0, sample });
        if normalized {
            out.resize(frame.shape().values(), 0.0);
            frame.normalize_into(&normalization, &mut out)?;
            std::hint::black_box(&out);
        } else {
            std::hint::black_box(frame.pixels());
        }
        nanoseconds.push(start.elapsed().as_nanos() as u64);
    }
    Ok(nanoseconds)
}
