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
use crate::{DecodeError, Format, Header, Image, Limits, Window, exif};
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

/// The picture as it is stored, and how it is to be turned. `hold` is told how many bytes it takes before there is memory for it. With
/// `fill` what is lost of a damaged picture is gray. Where no more than a window is wanted, and the picture is not to be turned, pixels
/// outside of it are anything, and what is behind it in the file is not looked at.
pub(crate) fn decode(
    bytes: &[u8],
    limits: &Limits,
    fill: bool,
    window: Option<&Window>,
    hold: impl FnOnce(u64) -> Result<(), DecodeError>,
) -> Result<(Image, Orientation), DecodeError> {
    let file = File::open(bytes)?;
    let (width, height) = file.size();
    file.check_size(limits, fill)?;
    hold(file.memory())?;
    let orientation = file.orientation();
    let window = window.filter(|_| !fill && orientation == Orientation::NoTransforms);
    let (samples, data) = file.pixels(fill, window)?;
    Ok((Image::new(width, height, samples as u8, data)?, orientation))
}

pub(crate) fn exif(bytes: &[u8]) -> Option<Vec<u8>> {
    File::open(bytes).ok()?.headers.exif.map(<[u8]>::to_vec)
}

/// See [`crate::jpeg_quality`].
pub(crate) fn quality(bytes: &[u8]) -> Option<u8> {
    let file = File::open(bytes).ok()?;
    let table = file.headers.quantization[0]?;
    // Scaled as `jpeg_quality_scaling` and `jpeg_add_quant_table` of libjpeg do; both tables are in zigzag order.
    let distance = |quality: u8| -> u32 {
        let quality = u32::from(quality);
        let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
        let steps =
            standard_tables::LUMA.iter().map(|&step| ((u32::from(step) * scale + 50) / 100).clamp(1, 255));
        table.iter().zip(steps).map(|(&step, standard)| u32::from(step).abs_diff(standard)).sum()
    };
    (1..=100).rev().min_by_key(|&quality| distance(quality))
}

/// The image shrunk by area while it is decoded, see [`means`]; `None` where it must be decoded whole.
pub(crate) fn shrink(
    bytes: &[u8],
    channels: u8,
    (width, height): (u32, u32),
    limits: &Limits,
    fill: bool,
) -> Result<Option<Image>, DecodeError> {
    let file = File::open(bytes)?;
    file.check_size(limits, fill)?;
    let orientation = file.orientation();
    let (width, height) = if swaps_sides(orientation) { (height, width) } else { (width, height) };
    let Some(image) = means::shrink(file, width, height) else { return Ok(None) };
    Ok(Some(orient(image, orientation).to_channels(channels)?))
}

/// A component's quantization, its blocks of a row of units, which one it is, and how many blocks a unit has across and down.
type Row = ([u16; 64], Vec<Block>, usize, (usize, usize));

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
    fn check_size(&self, limits: &Limits, fill: bool) -> Result<(), DecodeError> {
        let (width, height) = self.size();
        check_size(width, height, Format::Jpeg, limits)?;
        // A block takes at least one bit, but as good as nothing with arithmetic coding where it is like the one before.
        let blocks = u64::from(width.div_ceil(8)) * u64::from(height.div_ceil(8));
        if !fill && !self.frame.arithmetic && (self.bytes.len() as u64) < blocks / 8 {
            return Err(truncated("it is too small for the size that it announces"));
        }
        Ok(())
    }

    fn is_in_one_scan(&self) -> bool {
        !self.frame.progressive && self.scan.components.len() == self.frame.components.len()
    }

    /// Bytes that [`Self::pixels`] takes: the pixels, and the coefficients where all are read before.
    fn memory(&self) -> u64 {
        let (width, height) = self.size();
        let channels = if self.color == Color::Gray { 1 } else { 3 };
        let pixels = u64::from(width) * u64::from(height) * channels;
        if self.is_in_one_scan() {
            return pixels;
        }
        let blocks_of_unit: usize = self.frame.components.iter().map(|c| c.blocks.0 * c.blocks.1).sum();
        let blocks = self.frame.units.0 as u64 * self.frame.units.1 as u64 * blocks_of_unit as u64;
        pixels + blocks * size_of::<Block>() as u64
    }

    /// All pixels, and how many samples each has.
    fn pixels(self, fill: bool, window: Option<&Window>) -> Result<(usize, Vec<u8>), DecodeError> {
        let output = Output::new(&self.frame, self.color, window)?;
        if self.is_in_one_scan() { self.in_one_scan(output, fill) } else { self.in_many_scans(output, fill) }
    }

    /// Blocks become pixels row by row, as they are read.
    fn in_one_scan(mut self, mut output: Output, fill: bool) -> Result<(usize, Vec<u8>), DecodeError> {
        let frame = &self.frame;
        let mut rows: Vec<Row> = Vec::new();
        for &(component, ..) in &self.scan.components {
            let (across, down) = frame.components[component].blocks;
            let blocks = vec![[0; 64]; frame.units.0 * across * down];
            rows.push((steps(&self.headers, frame, component)?, blocks, component, (across, down)));
        }
        let mut reader = Reader::new(self.bytes, frame, &mut self.headers, self.scan)?;
        let interval = self.headers.restart_interval;
        let mut read_unit = |row: usize, column: usize, rows: &mut [Row]| -> Result<(), DecodeError> {
            reader.restart(row * frame.units.0 + column, interval)?;
            for (index, (_, blocks, _, (across, down))) in rows.iter_mut().enumerate() {
                for y in 0..*down {
                    let first = (y * frame.units.0 + column) * *across;
                    for block in &mut blocks[first..first + *across] {
                        reader.whole(index, block)?;
                    }
                }
            }
            reader.check()
        };
        // The unit with a fault is lost as a whole, since its codes may be made up.
        let lose = |column: usize, rows: &mut [Row]| {
            for (_, blocks, _, (across, down)) in rows {
                for y in 0..*down {
                    blocks[(y * frame.units.0 + column) * *across..][..*across].fill([0; 64]);
                }
            }
        };
        let mut failed = false;
        for row in 0..output.units().end {
            rows.iter_mut().for_each(|(_, blocks, ..)| blocks.fill([0; 64]));
            for column in 0..frame.units.0 {
                if failed {
                    break;
                }
                match read_unit(row, column, &mut rows) {
                    Err(error) if !fill => return Err(error),
                    Err(_) => {
                        lose(column, &mut rows);
                        failed = true;
                    }
                    Ok(()) => {}
                }
            }
            if row < output.units().start {
                continue;
            }
            for (steps, blocks, component, (across, _)) in &rows {
                for (y, blocks) in blocks.chunks_exact(frame.units.0 * across).enumerate() {
                    output.transform(*component, y, blocks, steps);
                }
            }
            output.finish_row(row);
        }
        if fill || output.units().end < frame.units.1 {
            return Ok(output.into_data());
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
    fn in_many_scans(mut self, mut output: Output, fill: bool) -> Result<(usize, Vec<u8>), DecodeError> {
        let frame = self.frame.clone();
        let across = |component: usize| frame.units.0 * frame.components[component].blocks.0;
        let mut coefficients: Vec<Vec<Block>> = (0..frame.components.len())
            .map(|c| vec![[0; 64]; across(c) * frame.units.1 * frame.components[c].blocks.1])
            .collect();
        let mut quantization = vec![None; frame.components.len()];
        match self.read_scans(&frame, &mut coefficients, &mut quantization) {
            Err(error) if !fill => return Err(error),
            _ => {}
        }
        if quantization.iter().all(Option::is_none) {
            return Err(malformed("its quantization table is missing".to_owned()));
        }
        // What has none is of zeros.
        let quantization: Vec<[u16; 64]> = quantization.into_iter().map(|q| q.unwrap_or([1; 64])).collect();
        for row in output.units() {
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

    /// All scans into `coefficients`, and the quantization of each component as it is when its first scan comes.
    fn read_scans(
        &mut self,
        frame: &Frame,
        coefficients: &mut [Vec<Block>],
        quantization: &mut [Option<[u16; 64]>],
    ) -> Result<(), DecodeError> {
        let mut known = Known::new(frame.components.len());
        let mut scan = self.scan.clone();
        let mut count = 0;
        loop {
            known.enter(&scan)?;
            for &(component, ..) in &scan.components {
                if quantization[component].is_none() {
                    quantization[component] = Some(steps(&self.headers, frame, component)?);
                }
            }
            let mut reader = Reader::new(self.bytes, frame, &mut self.headers, scan)?;
            read_blocks(frame, &mut reader, self.headers.restart_interval, coefficients)?;
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
        if known.all() { Ok(()) } else { Err(truncated("scans are missing")) }
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
            let shrunk = shrink(&file(name), 3, (5, 5), &limits, false).unwrap();
            assert_eq!(
                shrunk.map(|image| (image.width(), image.height(), image.channels())),
                Some((5, 5, 3)),
                "{name}"
            );
            assert!(
                shrink(&file(name), 3, (1000, 1000), &limits, false).unwrap().is_none(),
                "{name} is smaller"
            );
        }
        assert!(shrink(&file("progressive.jpg"), 3, (5, 5), &limits, false).unwrap().is_none());
    }
}
