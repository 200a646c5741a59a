//! Decodes many files in one process, for the tests beside Pillow (`interop/test_pictures.py`).
//!
//! In: lines of `channels<TAB>mode<TAB>path` on standard input; the mode is `full` or `shrunk:WxH`. Out, for each: a line of JSON,
//! `{"path","width","height","channels"}` and then the bytes of the pixels, or `{"path","error"}`.

use std::io::{BufRead, Write};

use pupila_image::{Image, Limits, Reading, decode, decode_shrunk};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut parts = line.splitn(3, '\t');
        let mut part = || parts.next().ok_or("a line is not `channels<TAB>mode<TAB>path`");
        let (channels, mode, path) = (part()?.parse()?, part()?, part()?);
        let bytes = std::fs::read(path)?;
        match read(&bytes, channels, mode)? {
            Ok(image) => {
                let (width, height, channels) = (image.width(), image.height(), image.channels());
                writeln!(
                    out,
                    "{{\"path\":{},\"width\":{width},\"height\":{height},\"channels\":{channels}}}",
                    quoted(path)
                )?;
                out.write_all(image.data())?;
            }
            Err(error) => {
                writeln!(out, "{{\"path\":{},\"error\":{}}}", quoted(path), quoted(&error.to_string()))?
            }
        }
    }
    Ok(out.flush()?)
}

type Read = Result<Image, pupila_image::DecodeError>;

fn read(bytes: &[u8], channels: u8, mode: &str) -> Result<Read, Box<dyn std::error::Error>> {
    let limits = Limits { max_pixels: 1 << 24 };
    if mode == "full" {
        return Ok(decode(bytes, channels, &limits));
    }
    let size = mode.strip_prefix("shrunk:").and_then(|size| size.split_once('x'));
    let (width, height) = size.ok_or("the mode is neither `full` nor `shrunk:WxH`")?;
    let to = (width.parse()?, height.parse()?);
    Ok(decode_shrunk(bytes, channels, to, &limits, &Reading::default()))
}

/// A string of JSON.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
