//! One strip or tile, decompressed to exactly as many bytes as its size asks for.

use std::io::Read;

use fax::Color;
use fax::decoder::{DecodeStatus, Group4Decoder, pels};

use super::{malformed, truncated};
use crate::DecodeError;

/// What a compression that is not read is called.
pub(crate) fn unread(compression: u64) -> Option<&'static str> {
    Some(match compression {
        2 => "CCITT run lengths",
        3 => "CCITT group 3",
        6 => "old-style JPEG",
        33003 | 33005 | 34712 => "JPEG 2000",
        34676 | 34677 => "SGI LogLuv",
        34887 => "LERC",
        34925 => "LZMA",
        50001 => "WebP",
        50002 => "JPEG XL",
        1 | 4 | 5 | 7 | 8 | 32773 | 32946 | 50000 => return None,
        _ => "an unknown one",
    })
}

/// Fills `out` from the compressed `bytes`; `width` and `height` are of the strip or tile, for fax.
pub(crate) fn decompress(
    compression: u64,
    bytes: &[u8],
    out: &mut [u8],
    (width, height): (usize, usize),
) -> Result<(), DecodeError> {
    let failed = |what: &str| malformed(&format!("a strip's {what} data do not decode to its size"));
    match compression {
        4 => group_4(bytes, out, width, height).ok_or_else(|| failed("fax")),
        5 => {
            // The first code clears the table: 256, of 9 bits. Files of before TIFF 6 write it from the lowest bit.
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
                    return Err(failed("LZW"));
                }
            }
            Ok(())
        }
        8 | 32946 => flate2::read::ZlibDecoder::new(bytes).read_exact(out).map_err(|_| failed("Deflate")),
        32773 => pack_bits(bytes, out).ok_or_else(|| failed("PackBits")),
        50000 => {
            let mut decoder =
                ruzstd::decoding::StreamingDecoder::new(bytes).map_err(|_| failed("Zstandard"))?;
            decoder.read_exact(out).map_err(|_| failed("Zstandard"))
        }
        _ => Err(truncated("a strip is missing")),
    }
}

fn pack_bits(bytes: &[u8], mut out: &mut [u8]) -> Option<()> {
    let mut at = 0;
    while !out.is_empty() {
        let control = *bytes.get(at)?;
        at += 1;
        let length = match control {
            0..=127 => {
                let length = usize::from(control) + 1;
                out.get_mut(..length)?.copy_from_slice(bytes.get(at..at + length)?);
                at += length;
                length
            }
            128 => 0,
            129..=255 => {
                let length = 257 - usize::from(control);
                out.get_mut(..length)?.fill(*bytes.get(at)?);
                at += 1;
                length
            }
        };
        out = &mut out[length..];
    }
    Some(())
}

/// CCITT group 4: black is 1.
fn group_4(bytes: &[u8], out: &mut [u8], width: usize, height: usize) -> Option<()> {
    let width16 = u16::try_from(width).ok()?;
    let input = bytes.iter().map(|&byte| Ok::<u8, std::convert::Infallible>(byte));
    let mut decoder = Group4Decoder::new(input, width16).ok()?;
    let mut rows = out.chunks_exact_mut(width.div_ceil(8));
    for _ in 0..height {
        if decoder.advance().ok()? == DecodeStatus::End {
            return None;
        }
        let row = rows.next()?;
        row.fill(0);
        for (x, color) in pels(decoder.transition(), width16).enumerate() {
            row[x / 8] |= u8::from(color == Color::Black) << (7 - x % 8);
        }
    }
    Some(())
}
