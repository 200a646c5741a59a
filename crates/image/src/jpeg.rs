//! JPEG (ITU-T T.81): baseline, extended and progressive, with Huffman or arithmetic coding, of any sampling that libjpeg-turbo takes,
//! and with its pixels. A file that loses or invents pixels is refused: whose data end early, whose codes stand for nothing, whose
//! data are left over (but for padding), whose restart markers are not where they belong, or whose scans do not make every
//! coefficient known. What stands between segments, and behind the end, is of no concern.

mod arithmetic;
mod entropy;
mod headers;
mod idct;
mod means;
mod part;
mod rows;
mod scans;
mod standard_tables;

pub(crate) use part::decode_part;

use image::metadata::Orientation;

use crate::decode::{check_size, header};
use crate::orient::{orient, swaps_sides};
use crate::{DecodeError, Format, Header, Image, Limits, exif};
use headers::{Color, Frame, Headers, NATURAL, Next, Scan};
use rows::Output;
use scans::{Block, Known, Reader};

/// More scans than any encoder makes: with every coefficient of three components by itself, in two steps, there are 384.
const MOST_SCANS: usize = 1000;

pub(crate) fn probe(bytes: &[u8]) -> Result<Header, DecodeError> {
    let file = File::open(bytes)?;
    let (width, height) = file.size();
    let channels = if file.color == Color::Gray { 1 } else { 3 };
    Ok(header((width, height), file.orientation(), channels, Format::Jpeg))
}

pub(crate) fn decode(bytes: &[u8], channels: u8, limits: &Limits) -> Result<Image, DecodeError> {
    let file = File::open(bytes)?;
    let (width, height) = file.size();
    file.check_size(limits)?;
    let orientation = file.orientation();
    let (samples, data) = file.pixels()?;
    let image = Image::new(width, height, samples as u8, data)?;
    Ok(orient(image, orientation).to_channels(channels)?)
}

/// The image shrunk by area while it is decoded, see [`means`]; `None` where it must be decoded whole.
pub(crate) fn shrink(
    bytes: &[u8],
    channels: u8,
    (width, height): (u32, u32),
    limits: &Limits,
) -> Result<Option<Image>, DecodeError> {
    let file = File::open(bytes)?;
    file.check_size(limits)?;
    let orientation = file.orientation();
    let (width, height) = if swaps_sides(orientation) { (height, width) } else { (width, height) };
    let Some(image) = means::shrink(file, width, height) else { return Ok(None) };
    Ok(Some(orient(image, orientation).to_channels(channels)?))
}

/// A file up to its first scan.
struct File<'a> {
    bytes: &'a [u8],
    headers: Headers<'a>,
    frame: Frame,
    color: Color,
    scan: Scan,
}

impl<'a> File<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        File::open_with(bytes, Headers::new(bytes))
    }

    /// As [`File::open`], where `headers` may know tables from elsewhere.
    fn open_with(bytes: &'a [u8], mut headers: Headers<'a>) -> Result<Self, DecodeError> {
        let scan = match headers.next()? {
            Next::Scan(scan) => scan,
            Next::End => return Err(malformed("it has no image data".to_owned())),
            Next::Nothing => return Err(truncated("the file ends within its headers")),
        };
        let frame = headers.frame.clone().ok_or_else(|| malformed("it has no frame header".to_owned()))?;
        let color = headers.color(&frame)?;
        Ok(File { bytes, headers, frame, color, scan })
    }

    /// Columns and rows, as they are stored.
    fn size(&self) -> (u32, u32) {
        // 16 bits each.
        (self.frame.size.0 as u32, self.frame.size.1 as u32)
    }

    fn orientation(&self) -> Orientation {
        exif::orientation(self.headers.exif, self.headers.xmp)
    }

    /// Refuses an image of more pixels than are allowed, or of more than the file can hold, before there is memory for it.
    fn check_size(&self, limits: &Limits) -> Result<(), DecodeError> {
        let (width, height) = self.size();
        check_size(width, height, Format::Jpeg, limits)?;
        // A block takes at least one bit, but as good as nothing with arithmetic coding where it is like the one before.
        let blocks = u64::from(width.div_ceil(8)) * u64::from(height.div_ceil(8));
        if !self.frame.arithmetic && (self.bytes.len() as u64) < blocks / 8 {
            return Err(truncated("it is too small for the size that it announces"));
        }
        Ok(())
    }

    /// All pixels, and how many samples each has.
    fn pixels(self) -> Result<(usize, Vec<u8>), DecodeError> {
        let output = Output::new(&self.frame, self.color)?;
        if !self.frame.progressive && self.scan.components.len() == self.frame.components.len() {
            self.in_one_scan(output)
        } else {
            self.in_many_scans(output)
        }
    }

    /// Blocks become pixels row by row, as they are read.
    fn in_one_scan(mut self, mut output: Output) -> Result<(usize, Vec<u8>), DecodeError> {
        let frame = &self.frame;
        let mut rows = Vec::new();
        for &(component, ..) in &self.scan.components {
            let (across, down) = frame.components[component].blocks;
            let blocks = vec![[0; 64]; frame.units.0 * across * down];
            rows.push((steps(&self.headers, frame, component)?, blocks, component, (across, down)));
        }
        let mut reader = Reader::new(self.bytes, frame, &mut self.headers, self.scan)?;
        let interval = self.headers.restart_interval;
        for row in 0..frame.units.1 {
            rows.iter_mut().for_each(|(_, blocks, ..)| blocks.fill([0; 64]));
            for column in 0..frame.units.0 {
                reader.restart(row * frame.units.0 + column, interval)?;
                for (index, (_, blocks, _, (across, down))) in rows.iter_mut().enumerate() {
                    for y in 0..*down {
                        let first = (y * frame.units.0 + column) * *across;
                        for block in &mut blocks[first..first + *across] {
                            reader.whole(index, block)?;
                        }
                    }
                }
                reader.check()?;
            }
            for (steps, blocks, component, (across, _)) in &rows {
                for (y, blocks) in blocks.chunks_exact(frame.units.0 * across).enumerate() {
                    output.transform(*component, y, blocks, steps);
                }
            }
            output.finish_row(row);
        }
        self.headers.go_on_at(reader.end()?);
        match self.headers.next()? {
            Next::Scan(_) => {
                return Err(malformed("a scan follows that says again what is known".to_owned()));
            }
            // Everything is known, with the end marker or without.
            Next::End | Next::Nothing => {}
        }
        Ok(output.into_data())
    }

    /// All coefficients are read before a block can become pixels.
    fn in_many_scans(mut self, mut output: Output) -> Result<(usize, Vec<u8>), DecodeError> {
        let frame = self.frame.clone();
        let across = |component: usize| frame.units.0 * frame.components[component].blocks.0;
        let mut coefficients: Vec<Vec<Block>> = (0..frame.components.len())
            .map(|c| vec![[0; 64]; across(c) * frame.units.1 * frame.components[c].blocks.1])
            .collect();
        let mut quantization = vec![None; frame.components.len()];
        let mut known = Known::new(frame.components.len());
        let mut scan = self.scan;
        let mut count = 0;
        loop {
            known.enter(&scan)?;
            for &(component, ..) in &scan.components {
                if quantization[component].is_none() {
                    quantization[component] = Some(steps(&self.headers, &frame, component)?);
                }
            }
            let mut reader = Reader::new(self.bytes, &frame, &mut self.headers, scan)?;
            read_blocks(&frame, &mut reader, self.headers.restart_interval, &mut coefficients)?;
            self.headers.go_on_at(reader.end()?);
            count += 1;
            scan = match self.headers.next()? {
                Next::Scan(next) if count < MOST_SCANS => next,
                Next::Scan(_) => return Err(malformed(format!("it has more than {MOST_SCANS} scans"))),
                Next::End => break,
                Next::Nothing if known.all() => break,
                Next::Nothing => return Err(truncated("the file ends before its last scan")),
            };
        }
        if !known.all() {
            return Err(truncated("scans are missing"));
        }
        let quantization: Vec<[u16; 64]> = quantization.into_iter().flatten().collect();
        for row in 0..frame.units.1 {
            for (component, of) in frame.components.iter().enumerate() {
                for y in 0..of.blocks.1 {
                    let first = (row * of.blocks.1 + y) * across(component);
                    let blocks = &coefficients[component][first..first + across(component)];
                    output.transform(component, y, blocks, &quantization[component]);
                }
            }
            output.finish_row(row);
        }
        Ok(output.into_data())
    }
}

/// The quantization of a component, in rows of a block.
fn steps(headers: &Headers<'_>, frame: &Frame, component: usize) -> Result<[u16; 64], DecodeError> {
    let table = headers.quantization.get(frame.components[component].quantization).copied().flatten();
    let table = table.ok_or_else(|| malformed("its quantization table is missing".to_owned()))?;
    let mut in_rows = [0; 64];
    for (&place, step) in NATURAL.iter().zip(table) {
        in_rows[usize::from(place)] = step;
    }
    Ok(in_rows)
}

/// The blocks of a scan: unit by unit where it has several components, else row by row without what fills the last units (A.2).
fn read_blocks(
    frame: &Frame,
    reader: &mut Reader<'_>,
    interval: usize,
    coefficients: &mut [Vec<Block>],
) -> Result<(), DecodeError> {
    let places: Vec<usize> = reader.scan().components.iter().map(|&(place, ..)| place).collect();
    let mut read = |reader: &mut Reader<'_>, index: usize, row: usize, column: usize| {
        let place = places[index];
        let across = frame.units.0 * frame.components[place].blocks.0;
        let block = &mut coefficients[place][row * across + column];
        if frame.progressive { reader.part(index, block) } else { reader.whole(index, block) }
    };
    if let [place] = places[..] {
        let (width, height) = frame.components[place].size;
        let (across, down) = (width.div_ceil(8), height.div_ceil(8));
        for row in 0..down {
            for column in 0..across {
                reader.restart(row * across + column, interval)?;
                read(reader, 0, row, column)?;
                reader.check()?;
            }
        }
        return Ok(());
    }
    for row in 0..frame.units.1 {
        for column in 0..frame.units.0 {
            reader.restart(row * frame.units.0 + column, interval)?;
            for (index, &place) in places.iter().enumerate() {
                let (across, down) = frame.components[place].blocks;
                for block in 0..across * down {
                    let (y, x) = (block / across, block % across);
                    read(reader, index, row * down + y, column * across + x)?;
                }
            }
            reader.check()?;
        }
    }
    Ok(())
}

fn truncated(reason: &str) -> DecodeError {
    DecodeError::Truncated { format: Format::Jpeg, reason: reason.to_owned() }
}

fn malformed(reason: String) -> DecodeError {
    DecodeError::Malformed { format: Format::Jpeg, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn baseline_files_are_shrunk_and_others_decoded_whole() {
        let file =
            |name: &str| std::fs::read(format!("{}/tests/files/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let limits = Limits::default();
        for name in ["baseline_420.jpg", "baseline_444.jpg", "gray.jpg", "restarts.jpg"] {
            let shrunk = shrink(&file(name), 3, (5, 5), &limits).unwrap();
            assert_eq!(
                shrunk.map(|image| (image.width(), image.height(), image.channels())),
                Some((5, 5, 3)),
                "{name}"
            );
            assert!(shrink(&file(name), 3, (1000, 1000), &limits).unwrap().is_none(), "{name} is smaller");
        }
        assert!(shrink(&file("progressive.jpg"), 3, (5, 5), &limits).unwrap().is_none());
    }
}
