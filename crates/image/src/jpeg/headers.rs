//! The segments of a JPEG file (ITU-T T.81, annex B): what stands before, between and behind the scans.

use std::rc::Rc;

use super::entropy::Huffman;
use super::standard_tables;
use super::{malformed, truncated};
use crate::DecodeError;

/// Rows and columns of coefficients, in the order in which they are stored.
pub(super) const ZIGZAG: [(u8, u8); 64] = zigzag();

/// Places of coefficients in rows of a block, in the order in which they are stored.
pub(super) const NATURAL: [u8; 64] = {
    let mut natural = [0; 64];
    let mut place = 0;
    while place < 64 {
        natural[place] = ZIGZAG[place].0 * 8 + ZIGZAG[place].1;
        place += 1;
    }
    natural
};

const fn zigzag() -> [(u8, u8); 64] {
    let mut order = [(0, 0); 64];
    let (mut row, mut column, mut place) = (0u8, 0u8, 0);
    while place < 64 {
        order[place] = (row, column);
        place += 1;
        let up = (row + column) % 2 == 0;
        if up && column == 7 || !up && row == 7 {
            if up { row += 1 } else { column += 1 }
        } else if up && row == 0 || !up && column == 0 {
            if up { column += 1 } else { row += 1 }
        } else if up {
            row -= 1;
            column += 1;
        } else {
            row += 1;
            column -= 1;
        }
    }
    order
}

/// A component of the frame.
#[derive(Debug, Clone)]
pub(super) struct Component {
    pub id: u8,
    /// Blocks of it in each unit of a scan of several components, across and down.
    pub blocks: (usize, usize),
    /// Its samples, without what fills the last unit.
    pub size: (usize, usize),
    /// The place of its quantization table.
    pub quantization: usize,
}

/// The frame header.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    pub size: (usize, usize),
    pub progressive: bool,
    pub arithmetic: bool,
    pub components: Vec<Component>,
    /// The most blocks that a component has in a unit, across and down.
    pub unit: (usize, usize),
    /// Units of a scan of several components, across and down.
    pub units: (usize, usize),
}

/// The header of a scan.
#[derive(Debug, Clone)]
pub(super) struct Scan {
    /// For each of its components the place in the frame, and those of its tables for constants and for waves.
    pub components: Vec<(usize, usize, usize)>,
    /// The first and the last coefficient.
    pub band: (usize, usize),
    /// The bits of a coefficient that were known before, and that are unknown after it, counted from below; 0 before the first scan.
    pub known: u8,
    pub unknown: u8,
    /// Where its data begin.
    pub at: usize,
}

/// How arithmetic coding divides the magnitudes (F.1.4.4.1.2 and F.1.4.4.2 of T.81).
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditioning {
    /// Lower and upper bound of small differences of constants, for each table.
    pub constant: [(u8, u8); 4],
    /// The last coefficient of the low waves, for each table.
    pub waves: [u8; 4],
}

/// What a file's samples are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Color {
    Gray,
    YCbCr,
    Rgb,
    Cmyk,
    /// CMYK whose colors are stored as the YCbCr of their complements.
    Ycck,
    /// Whatever another file says: all of them, without a conversion.
    AsStored,
}

/// What comes next in a file.
pub(super) enum Next {
    Scan(Scan),
    /// The end-of-image marker.
    End,
    /// The end of the file, without such a marker.
    Nothing,
}

/// Reads a file segment by segment, and holds what they said.
pub(super) struct Headers<'a> {
    bytes: &'a [u8],
    at: usize,
    pub frame: Option<Frame>,
    pub quantization: [Option<[u16; 64]>; 4],
    pub constant: [Option<Rc<Huffman>>; 4],
    pub waves: [Option<Rc<Huffman>>; 4],
    pub conditioning: Conditioning,
    pub restart_interval: usize,
    /// The first EXIF block, without its name.
    pub exif: Option<&'a [u8]>,
    /// The first XMP packet.
    pub xmp: Option<&'a [u8]>,
    jfif: bool,
    adobe_transform: Option<u8>,
}

const XMP: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";

impl<'a> Headers<'a> {
    /// Of a file, which begins with the start-of-image marker.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Headers {
            bytes,
            at: 2,
            frame: None,
            quantization: [None; 4],
            constant: [const { None }; 4],
            waves: [const { None }; 4],
            conditioning: Conditioning { constant: [(0, 1); 4], waves: [5; 4] },
            restart_interval: 0,
            exif: None,
            xmp: None,
            jfif: false,
            adobe_transform: None,
        }
    }

    /// Goes on with another file, which begins with the start-of-image marker.
    pub(super) fn go_on_with(&mut self, bytes: &'a [u8]) {
        (self.bytes, self.at) = (bytes, 2);
    }

    /// Goes on behind a scan.
    pub(super) fn go_on_at(&mut self, at: usize) {
        self.at = at;
    }

    /// Reads up to the next scan or the end.
    pub(super) fn next(&mut self) -> Result<Next, DecodeError> {
        while let Some(marker) = self.marker() {
            match marker {
                0xD9 => return Ok(Next::End),
                // A start of image, restart markers and the marker of arithmetic coders have no segment.
                0x01 | 0xD0..=0xD8 => continue,
                _ => {}
            }
            let segment = self.segment()?;
            match marker {
                0xC0..=0xC2 | 0xC9 | 0xCA => self.read_frame(marker, segment)?,
                0xC3 | 0xCB => return Err(refused("lossless JPEG")),
                0xC5..=0xC7 | 0xCD..=0xCF => return Err(refused("hierarchical JPEG")),
                0xC4 => self.read_huffman(segment).ok_or_else(|| broken("Huffman table"))?,
                0xCC => self.read_conditioning(segment).ok_or_else(|| broken("arithmetic coding table"))?,
                0xDB => self.read_quantization(segment).ok_or_else(|| broken("quantization table"))?,
                0xDD => {
                    let interval = segment.try_into().map_err(|_| broken("restart interval"))?;
                    self.restart_interval = usize::from(u16::from_be_bytes(interval));
                }
                0xDA => return self.read_scan(segment).map(Next::Scan),
                0xE0 => self.jfif |= segment.starts_with(b"JFIF\0") && segment.len() >= 12,
                0xE1 => self.read_metadata(segment),
                0xEE if segment.starts_with(b"Adobe") => self.adobe_transform = segment.get(11).copied(),
                // The number of lines, which was looked up where the frame left it open; the segments of applications; comments.
                _ => {}
            }
        }
        Ok(Next::Nothing)
    }

    /// What the samples are, by the rules of libjpeg (`default_decompress_parms`).
    pub(super) fn color(&self, frame: &Frame) -> Result<Color, DecodeError> {
        let ids: Vec<u8> = frame.components.iter().map(|component| component.id).collect();
        Ok(match (ids.len(), self.adobe_transform) {
            (1, _) => Color::Gray,
            (3, _) if self.jfif => Color::YCbCr,
            (3, Some(0)) => Color::Rgb,
            (3, None) if ids == *b"RGB" => Color::Rgb,
            (3, _) => Color::YCbCr,
            (4, None | Some(0)) => Color::Cmyk,
            (4, Some(_)) => Color::Ycck,
            (count, _) => return Err(refused(&format!("JPEG of {count} components"))),
        })
    }

    /// The code of the next marker; what stands before it is of no concern, as libjpeg has it.
    fn marker(&mut self) -> Option<u8> {
        loop {
            let rest = self.bytes.get(self.at..)?;
            self.at += rest.iter().position(|&byte| byte == 0xFF)? + 1;
            // Fill bytes.
            self.at += self.bytes[self.at..].iter().take_while(|&&byte| byte == 0xFF).count();
            let marker = *self.bytes.get(self.at)?;
            self.at += 1;
            if marker != 0 {
                return Some(marker);
            }
        }
    }

    fn segment(&mut self) -> Result<&'a [u8], DecodeError> {
        let rest = &self.bytes[self.at..];
        let early = || truncated("the file ends within its headers");
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk().ok_or_else(early)?));
        let segment = rest.get(2..length).ok_or_else(|| {
            if length < 2 { malformed("a segment of no length".to_owned()) } else { early() }
        })?;
        self.at += length;
        Ok(segment)
    }

    fn read_metadata(&mut self, segment: &'a [u8]) {
        if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
            self.exif.get_or_insert(exif);
        } else if let Some(xmp) = segment.strip_prefix(XMP) {
            self.xmp.get_or_insert(xmp);
        }
    }

    fn read_frame(&mut self, marker: u8, segment: &[u8]) -> Result<(), DecodeError> {
        if self.frame.is_some() {
            return Err(malformed("two frame headers".to_owned()));
        }
        let &[precision, h0, h1, w0, w1, count, ref components @ ..] = segment else {
            return Err(broken("frame header"));
        };
        if precision != 8 {
            return Err(refused(&format!("JPEG of {precision} bits a sample")));
        }
        let width = usize::from(u16::from_be_bytes([w0, w1]));
        let height = match usize::from(u16::from_be_bytes([h0, h1])) {
            0 => self.number_of_lines().unwrap_or(0),
            height => height,
        };
        let components = components.as_chunks::<3>().0;
        if width == 0 || height == 0 || count == 0 || components.len() != usize::from(count) {
            return Err(broken("frame header"));
        }
        let sampling = |sampling: u8| (usize::from(sampling >> 4), usize::from(sampling & 15));
        if components.iter().any(|&[_, s, _]| !(1..=4).contains(&(s >> 4)) || !(1..=4).contains(&(s & 15))) {
            return Err(broken("sampling factor"));
        }
        let blocks = |s: u8| if count == 1 { (1, 1) } else { sampling(s) };
        let most = |of: fn((usize, usize)) -> usize| {
            components.iter().map(|&[_, s, _]| of(blocks(s))).max().unwrap_or(1)
        };
        let unit = (most(|b| b.0), most(|b| b.1));
        let of = |&[id, s, quantization]: &[u8; 3]| {
            let blocks = blocks(s);
            let size = ((width * blocks.0).div_ceil(unit.0), (height * blocks.1).div_ceil(unit.1));
            Component { id, blocks, size, quantization: quantization.into() }
        };
        self.frame = Some(Frame {
            size: (width, height),
            progressive: matches!(marker, 0xC2 | 0xCA),
            arithmetic: marker >= 0xC9,
            components: components.iter().map(of).collect(),
            unit,
            units: (width.div_ceil(8 * unit.0), height.div_ceil(8 * unit.1)),
        });
        Ok(())
    }

    /// The height that stands behind the first scan (DNL) where the frame header leaves it open.
    fn number_of_lines(&self) -> Option<usize> {
        let rest = self.bytes.get(self.at..)?;
        let at = rest.windows(4).position(|bytes| *bytes == [0xFF, 0xDC, 0, 4])?;
        Some(usize::from(u16::from_be_bytes(*rest.get(at + 4..)?.first_chunk()?)))
    }

    fn read_scan(&self, segment: &[u8]) -> Result<Scan, DecodeError> {
        let frame =
            self.frame.as_ref().ok_or_else(|| malformed("a scan before the frame header".to_owned()))?;
        let header = || -> Option<(&[[u8; 2]], [u8; 3])> {
            let (&count, rest) = segment.split_first()?;
            let (components, rest) = rest.split_at_checked(2 * usize::from(count))?;
            Some((components.as_chunks::<2>().0, rest.try_into().ok()?))
        };
        let (named, [first, last, bits]) = header().ok_or_else(|| broken("scan header"))?;
        let mut components: Vec<(usize, usize, usize)> = Vec::new();
        for &[id, tables] in named {
            // Ids may occur twice: then components come in the order of the frame.
            let free = |&place: &usize| {
                frame.components[place].id == id && components.iter().all(|&(taken, ..)| taken != place)
            };
            let place = (0..frame.components.len()).find(free).ok_or_else(|| broken("scan header"))?;
            components.push((place, (tables >> 4).into(), (tables & 15).into()));
        }
        let (first, last) = if frame.progressive { (first.into(), last.into()) } else { (0, 63) };
        let (known, unknown) = if frame.progressive { (bits >> 4, bits & 15) } else { (0, 0) };
        let band = if first == 0 { !frame.progressive || last == 0 } else { last < 64 && first <= last };
        let right = (1..=4).contains(&components.len())
            && components.iter().all(|&(_, constant, waves)| constant < 4 && waves < 4)
            && band
            && (first == 0 || components.len() == 1)
            && (known == 0 || unknown + 1 == known)
            && unknown <= 13;
        if !right {
            return Err(broken("scan header"));
        }
        Ok(Scan { components, band: (first, last), known, unknown, at: self.at })
    }

    fn read_huffman(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&which, rest)) = segment.split_first() {
            let (counts, rest) = rest.split_first_chunk::<16>()?;
            let (symbols, rest) = rest.split_at_checked(counts.iter().map(|&n| usize::from(n)).sum())?;
            let tables = if which >> 4 == 0 { &mut self.constant } else { &mut self.waves };
            *tables.get_mut(usize::from(which & 15))? = Some(Rc::new(Huffman::new(counts, symbols)?));
            segment = rest;
        }
        Some(())
    }

    /// The tables of a component's scan. Files of frames of a film leave the standard ones out.
    pub(super) fn huffman(&mut self, constant: bool, place: usize) -> Result<Rc<Huffman>, DecodeError> {
        let (tables, listed) = if constant {
            (&mut self.constant, &standard_tables::CONSTANT)
        } else {
            (&mut self.waves, &standard_tables::WAVES)
        };
        let missing = || malformed("its Huffman table is missing".to_owned());
        let table = tables.get_mut(place).ok_or_else(missing)?;
        if table.is_none() {
            let (counts, symbols) = listed.get(place).ok_or_else(missing)?;
            *table = Huffman::new(counts, symbols).map(Rc::new);
        }
        table.clone().ok_or_else(missing)
    }

    fn read_conditioning(&mut self, segment: &[u8]) -> Option<()> {
        for &[which, value] in segment.as_chunks::<2>().0 {
            let place = usize::from(which & 15);
            if which >> 4 == 0 {
                let (low, high) = (value & 15, value >> 4);
                (low <= high).then_some(())?;
                *self.conditioning.constant.get_mut(place)? = (low, high);
            } else {
                *self.conditioning.waves.get_mut(place)? = value;
            }
        }
        Some(())
    }

    fn read_quantization(&mut self, mut segment: &[u8]) -> Option<()> {
        while let Some((&which, rest)) = segment.split_first() {
            let wide = which >> 4 != 0;
            let (steps, rest) = rest.split_at_checked(if wide { 128 } else { 64 })?;
            let step = |i: usize| {
                if wide { u16::from_be_bytes([steps[2 * i], steps[2 * i + 1]]) } else { steps[i].into() }
            };
            *self.quantization.get_mut(usize::from(which & 15))? = Some(std::array::from_fn(step));
            segment = rest;
        }
        Some(())
    }
}

fn broken(what: &str) -> DecodeError {
    malformed(format!("its {what} is out of order"))
}

fn refused(what: &str) -> DecodeError {
    malformed(format!(
        "{what} is not read here: save it as an ordinary JPEG, such as by `magick FILE -depth 8 FILE.jpg`"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coefficients_go_in_diagonals() {
        assert_eq!(
            ZIGZAG[..10],
            [(0, 0), (0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0)]
        );
        assert_eq!(ZIGZAG[60..], [(5, 7), (6, 7), (7, 6), (7, 7)]);
        let mut all: Vec<_> = NATURAL.to_vec();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..64));
    }
}
