//! One strip or tile, decompressed to exactly as many bytes as its size asks for.

use std::io::Read;

use super::page::Page;
use super::{fax, malformed};
use crate::DecodeError;

pub(super) const NONE: u64 = 1;
pub(super) const LZW: u64 = 5;
pub(super) const JPEG: u64 = 7;
pub(super) const DEFLATE: u64 = 8;
pub(super) const OLD_DEFLATE: u64 = 32946;
pub(super) const PACK_BITS: u64 = 32773;
pub(super) const ZSTANDARD: u64 = 50000;

/// A frame may ask for so much of what came before it; `zstd` itself asks for as much at its highest level.
const MOST_WINDOW: u64 = 1 << 27;

/// What a compression that is not read is called.
pub(super) fn unread(compression: u64) -> Option<&'static str> {
    Some(match compression {
        6 => "old-style JPEG",
        32809 => "ThunderScan",
        32766 => "NeXT",
        32908 | 32909 => "Pixar",
        33003 | 33005 | 34712 => "JPEG 2000",
        34661 => "JBIG",
        34676 | 34677 => "SGI LogLuv",
        34887 => "LERC",
        34892 => "lossy JPEG of raw camera files",
        34925 => "LZMA",
        50001 | 34927 => "WebP",
        34933 => "PNG",
        50002 | 52546 => "JPEG XL",
        NONE | LZW | JPEG | DEFLATE | OLD_DEFLATE | PACK_BITS | ZSTANDARD => return None,
        _ if is_fax(compression) => return None,
        _ => "unknown",
    })
}

pub(super) fn is_fax(compression: u64) -> bool {
    matches!(compression, 2 | 3 | 4 | 32771)
}

/// Compressions whose data may be differences of neighbours; with the others libtiff does not look at the predictor.
pub(super) fn has_predictor(compression: u64) -> bool {
    matches!(compression, LZW | DEFLATE | OLD_DEFLATE | ZSTANDARD)
}

/// No more than so many bytes come out of one: that a strip is too small is found out before there is memory for it.
pub(super) fn most_from_a_byte(compression: u64) -> Option<usize> {
    match compression {
        LZW => Some(4096),
        DEFLATE | OLD_DEFLATE => Some(1040),
        PACK_BITS => Some(64),
        // A block of 4 bytes repeats one 128 Ki times.
        ZSTANDARD => Some(1 << 15),
        _ => None,
    }
}

/// Fills `out` from the compressed `bytes`; `width` and `height` are of the strip or tile. Some writers fill the last strip up to the
/// height of the others, so that up to `beyond` bytes may follow.
pub(super) fn decompress(
    page: &Page<'_>,
    bytes: &[u8],
    out: &mut [u8],
    (width, height): (usize, usize),
    beyond: usize,
) -> Result<(), DecodeError> {
    let (what, done) = match page.compression {
        LZW => ("LZW", lzw(bytes, out)),
        DEFLATE | OLD_DEFLATE => ("Deflate", inflate(bytes, out, beyond)),
        PACK_BITS => ("PackBits", pack_bits(bytes, out)),
        ZSTANDARD => ("Zstandard", zstandard(bytes, out)),
        other => {
            let lines = match other {
                2 => fax::Lines::Aligned(8),
                32771 => fax::Lines::Aligned(16),
                3 => fax::Lines::Group3 { changes: page.fax_options & 1 == 1 },
                _ => fax::Lines::Group4,
            };
            ("fax", fax::decode(lines, bytes, out, width, height))
        }
    };
    done.ok_or_else(|| {
        malformed(&format!("a strip's {what} data are damaged, or fewer than its size asks for"))
    })
}

fn lzw(bytes: &[u8], out: &mut [u8]) -> Option<()> {
    // The first code clears the table: 256, of 9 bits. Files of before TIFF 5 write it from the lowest bit, and lengthen codes one later.
    let old = matches!(bytes, [0, second, ..] if second & 1 == 1);
    let mut decoder = if old {
        weezl::decode::Decoder::new(weezl::BitOrder::Lsb, 8)
    } else {
        weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
    };
    let (mut from, mut to) = (0, 0);
    while to < out.len() {
        let step = decoder.decode_bytes(&bytes[from..], &mut out[to..]);
        (from, to) = (from + step.consumed_in, to + step.consumed_out);
        if step.status.is_err() || (step.consumed_in == 0 && step.consumed_out == 0) {
            return None;
        }
    }
    Some(())
}

fn inflate(bytes: &[u8], out: &mut [u8], beyond: usize) -> Option<()> {
    let mut decoder = flate2::bufread::ZlibDecoder::new(bytes);
    decoder.read_exact(out).ok()?;
    // The checksum stands at the end. Data that go on for as long again are damage, or were made to expand without an end.
    let most = beyond.saturating_add(out.len()) as u64;
    let more = std::io::copy(&mut decoder.take(most + 1), &mut std::io::sink()).ok()?;
    (more <= most).then_some(())
}

fn zstandard(bytes: &[u8], out: &mut [u8]) -> Option<()> {
    let decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(bytes, MOST_WINDOW);
    decoder.ok()?.read_exact(out).ok()
}

fn pack_bits(bytes: &[u8], mut out: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while !out.is_empty() {
        let control = *bytes.get(at)?;
        at += 1;
        let length = match control {
            0..=127 => {
                // A run may go on beyond the strip, as libtiff has it.
                let length = (usize::from(control) + 1).min(out.len());
                out[..length].copy_from_slice(bytes.get(at..at + length)?);
                at += usize::from(control) + 1;
                length
            }
            128 => 0,
            129..=255 => {
                let length = (257 - usize::from(control)).min(out.len());
                out[..length].fill(*bytes.get(at)?);
                at += 1;
                length
            }
        };
        out = &mut out[length..];
    }
    Some(())
}
