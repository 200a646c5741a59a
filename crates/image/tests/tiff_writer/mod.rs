//! TIFF files written by hand: any tags, strips as they are.

#![allow(dead_code, clippy::unwrap_used)] // each test file uses a part of it; clippy's exception for tests misses their own functions

use std::io::Write;

/// Numbers of a tag, which are written as SHORT, LONG, RATIONAL (pairs), or as bytes.
#[derive(Clone)]
pub enum Value {
    Short(Vec<u16>),
    Long(Vec<u32>),
    Ratio(Vec<(u32, u32)>),
    Bytes(Vec<u8>),
}

/// How a file writes its numbers.
#[derive(Clone, Copy)]
pub struct Layout {
    pub little: bool,
    pub big: bool,
}

pub const PLAIN: Layout = Layout { little: true, big: false };

impl Layout {
    pub fn number(self, value: u64, size: usize) -> Vec<u8> {
        if self.little {
            value.to_le_bytes()[..size].to_vec()
        } else {
            value.to_be_bytes()[8 - size..].to_vec()
        }
    }
}

/// A page: its tags besides its size, its strips and their places, and the strips or tiles.
#[derive(Clone)]
pub struct Page {
    pub size: (u32, u32),
    pub tags: Vec<(u16, Value)>,
    pub strips: Vec<Vec<u8>>,
}

pub fn page(size: (u32, u32), tags: &[(u16, &[u16])], strips: &[&[u8]]) -> Page {
    let tags = tags.iter().map(|&(tag, values)| (tag, Value::Short(values.to_vec()))).collect();
    Page { size, tags, strips: strips.iter().map(|strip| strip.to_vec()).collect() }
}

/// A little-endian file of one strip.
pub fn file(width: u32, height: u32, tags: &[(u16, &[u16])], strip: &[u8]) -> Vec<u8> {
    write(PLAIN, &[page((width, height), tags, &[strip])])
}

/// A file of pages, each before the next, with its tags' arrays before its directory.
pub fn write(layout: Layout, pages: &[Page]) -> Vec<u8> {
    write_with(layout, pages, false)
}

/// A file of pages, with each page's arrays behind its directory, as libtiff writes them.
pub fn write_behind(layout: Layout, pages: &[Page]) -> Vec<u8> {
    write_with(layout, pages, true)
}

fn write_with(layout: Layout, pages: &[Page], behind: bool) -> Vec<u8> {
    let word = if layout.big { 8 } else { 4 };
    let mut bytes = if layout.little { b"II".to_vec() } else { b"MM".to_vec() };
    bytes.extend(layout.number(if layout.big { 43 } else { 42 }, 2));
    if layout.big {
        bytes.extend([layout.number(8, 2), vec![0; 2]].concat());
    }
    let mut link = bytes.len();
    bytes.extend(vec![0; word]);
    for page in pages {
        let mut places = Vec::new();
        for strip in &page.strips {
            places.push(bytes.len() as u32);
            bytes.extend(strip);
        }
        let mut tags = page.tags.clone();
        let tiled = tags.iter().any(|&(tag, _)| tag == 322);
        let lengths = page.strips.iter().map(|strip| strip.len() as u32).collect();
        for (tag, value) in [
            (256, Value::Long(vec![page.size.0])),
            (257, Value::Long(vec![page.size.1])),
            (if tiled { 324 } else { 273 }, Value::Long(places)),
            (if tiled { 325 } else { 279 }, Value::Long(lengths)),
        ] {
            // What a test gives itself stands.
            if tags.iter().all(|&(given, _)| given != tag) {
                tags.push((tag, value));
            }
        }
        tags.sort_by_key(|&(tag, _)| tag);
        let mut directory = layout.number(tags.len() as u64, if layout.big { 8 } else { 2 });
        let own = directory.len() + tags.len() * (4 + 2 * word) + word;
        let (start, mut arrays) = (bytes.len(), Vec::new());
        for (tag, value) in &tags {
            let (kind, count, mut data): (u64, usize, Vec<u8>) = match value {
                Value::Short(all) => {
                    (3, all.len(), all.iter().flat_map(|&v| layout.number(v.into(), 2)).collect())
                }
                Value::Long(all) => {
                    (4, all.len(), all.iter().flat_map(|&v| layout.number(v.into(), 4)).collect())
                }
                Value::Ratio(all) => {
                    let both =
                        |&(a, b): &(u32, u32)| [layout.number(a.into(), 4), layout.number(b.into(), 4)];
                    (5, all.len(), all.iter().flat_map(both).flatten().collect())
                }
                Value::Bytes(all) => (7, all.len(), all.clone()),
            };
            directory.extend([layout.number((*tag).into(), 2), layout.number(kind, 2)].concat());
            directory.extend(layout.number(count as u64, word));
            if data.len() > word {
                let place = if behind { start + own + arrays.len() } else { start + arrays.len() };
                arrays.extend(std::mem::replace(&mut data, layout.number(place as u64, word)));
            }
            data.resize(word, 0);
            directory.extend(data);
        }
        if !behind {
            bytes.append(&mut arrays);
        }
        let place = layout.number(bytes.len() as u64, word);
        bytes[link..link + word].copy_from_slice(&place);
        bytes.extend(directory);
        link = bytes.len();
        bytes.extend(vec![0; word]);
        bytes.extend(arrays);
    }
    bytes
}

pub fn deflate(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

/// Of TIFF, or of files of before TIFF 5.
pub fn lzw(data: &[u8], old: bool) -> Vec<u8> {
    let mut encoder = if old {
        weezl::encode::Encoder::new(weezl::BitOrder::Lsb, 8)
    } else {
        weezl::encode::Encoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
    };
    encoder.encode(data).unwrap()
}

pub fn pack_bits(data: &[u8]) -> Vec<u8> {
    data.chunks(128).flat_map(|part| [&[part.len() as u8 - 1], part].concat()).collect()
}

pub fn zstandard(data: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
}

/// A number of bits, as they are written down.
pub fn bits(text: &str) -> Vec<u8> {
    let all: Vec<u8> = text.bytes().filter(|&c| c != b' ').map(|c| c - b'0').collect();
    all.chunks(8)
        .map(|bits| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | bit << (7 - at)))
        .collect()
}
