//! One strip or tile, decompressed to exactly as many bytes as its size asks for.

use std::io::Read;

use super::page::Page;
use super::{fax, malformed, webp};
use crate::{DecodeError, lzw};

pub(super) const NONE: u64 = 1;
pub(super) const GROUP_3: u64 = 3;
pub(super) const LZW: u64 = 5;
pub(super) const JPEG: u64 = 7;
pub(super) const DEFLATE: u64 = 8;
pub(super) const OLD_DEFLATE: u64 = 32946;
pub(super) const PACK_BITS: u64 = 32773;
pub(super) const ZSTANDARD: u64 = 50000;
pub(super) const WEBP: u64 = 50001;

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
        34927 => "WebP of before it had a number of its own",
        34933 => "PNG",
        50002 | 52546 => "JPEG XL",
        NONE | LZW | JPEG | DEFLATE | OLD_DEFLATE | PACK_BITS | ZSTANDARD | WEBP => return None,
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
        WEBP => return webp::decode(bytes, out, (width, height), page.samples),
        LZW => ("LZW", lzw_codes(bytes, out)),
        DEFLATE | OLD_DEFLATE => ("Deflate", inflate(bytes, out, beyond)),
        PACK_BITS => ("PackBits", pack_bits(bytes, out)),
        ZSTANDARD => ("Zstandard", zstandard(bytes, out, beyond)),
        other => {
            let lines = match other {
                2 => fax::Lines::Aligned(8),
                32771 => fax::Lines::Aligned(16),
                GROUP_3 => fax::Lines::Group3 { changes: page.fax_options & 1 == 1 },
                _ => fax::Lines::Group4,
            };
            ("fax", fax::decode(lines, bytes, out, width, height))
        }
    };
    done.ok_or_else(|| {
        malformed(&format!("a strip's {what} data are damaged, or fewer than its size asks for"))
    })
}

fn lzw_codes(bytes: &[u8], out: &mut [u8]) -> Option<()> {
    // The first code clears the table: 256, of 9 bits. Files of before TIFF 5 write it from the lowest bit, and lengthen codes one later.
    let old = matches!(bytes, [0, second, ..] if second & 1 == 1);
    let mut decoder = if old {
        weezl::decode::Decoder::new(weezl::BitOrder::Lsb, 8)
    } else {
        weezl::decode::Decoder::with_tiff_size_switch(weezl::BitOrder::Msb, 8)
    };
    let mut parts = [bytes].into_iter();
    lzw::fill(&mut decoder, || parts.next().unwrap_or_default(), out).ok()
}

fn inflate(bytes: &[u8], out: &mut [u8], beyond: usize) -> Option<()> {
    let mut decoder = flate2::bufread::ZlibDecoder::new(bytes);
    decoder.read_exact(out).ok()?;
    // The checksum stands at the end. Data that go on for as long again are damage, or were made to expand without an end.
    let most = beyond.saturating_add(out.len()) as u64;
    let more = std::io::copy(&mut decoder.take(most + 1), &mut std::io::sink()).ok()?;
    (more <= most).then_some(())
}

/// A frame that announces a longer memory of what came before than a strip can use is given one of the strip's size: libtiff announces
/// that of its level, up to 128 MB, whatever the size of its strips, and the decoder fills it before it gives anything back.
fn zstandard(bytes: &[u8], out: &mut [u8], beyond: usize) -> Option<()> {
    let most = out.len().saturating_add(beyond);
    let (descriptor, window) = least_window(most)?;
    let mut start = *bytes.first_chunk::<6>()?;
    // The fifth byte says whether the sixth is the window; without it the window is the whole frame.
    if start[4] & 0x20 == 0 {
        start[5] = start[5].min(descriptor);
    }
    let source = start.chain(&bytes[start.len()..]);
    let mut decoder = ruzstd::decoding::StreamingDecoder::new_with_max_window_size(source, window).ok()?;
    decoder.read_exact(out).ok()?;
    let more = std::io::copy(&mut (&mut decoder).take(beyond as u64 + 1), &mut std::io::sink()).ok()?;
    let decoder = decoder.into_frame_decoder();
    let said = decoder.get_checksum_from_data();
    // Most frames have none.
    let right = said.is_none() || said == decoder.get_calculated_checksum();
    (more <= beyond as u64 && right).then_some(())
}

/// The least window, of those that a frame can announce, of at least so many bytes, and its descriptor (RFC 8878, section 3.1.1.1.2). A
/// block of 128 KiB must fit.
pub(super) fn least_window(bytes: usize) -> Option<(u8, u64)> {
    let bytes = bytes.max(1 << 17) as u64;
    let window = |descriptor: u8| {
        let base = 1u64 << (10 + (descriptor >> 3));
        base + base / 8 * u64::from(descriptor & 7)
    };
    (0..=u8::MAX).map(|descriptor| (descriptor, window(descriptor))).find(|&(_, window)| window >= bytes)
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
