//! Broken and hostile TIFF files: the whole picture, or an error; never gray, zeros or the row before, and no memory for what is not there.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod tiff_writer;

use pupila_image::{DecodeError, Limits, decode, probe};
use pupila_random::{Purpose, Stream};
use tiff_writer::{PLAIN, Page, Value, bits, deflate, file, lzw, pack_bits, page, write, zstandard};

fn refused(bytes: &[u8]) -> String {
    let error = decode(bytes, 3, &Limits::default()).unwrap_err();
    let expected = matches!(error, DecodeError::Truncated { .. } | DecodeError::Malformed { .. });
    assert!(expected && !error.to_string().contains("gave up"), "{error}");
    error.to_string()
}

/// 16x16 RGB with detail everywhere.
fn samples() -> Vec<u8> {
    (0..16 * 16 * 3u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// The picture in every compression, in strips of eight rows and in tiles.
fn wholes() -> Vec<(u16, Vec<u8>)> {
    let samples = samples();
    type Code = fn(&[u8]) -> Vec<u8>;
    let codes: [(u16, Code); 5] = [
        (1, |data| data.to_vec()),
        (5, |data| lzw(data, false)),
        (8, deflate),
        (32773, pack_bits),
        (50000, zstandard),
    ];
    let mut all = Vec::new();
    for (compression, code) in codes {
        let tags: [(u16, &[u16]); 5] =
            [(258, &[8; 3]), (259, &[compression]), (262, &[2]), (277, &[3]), (278, &[8])];
        let strips = [code(&samples[..16 * 8 * 3]), code(&samples[16 * 8 * 3..])];
        all.push((compression, write(PLAIN, &[page((16, 16), &tags, &[&strips[0], &strips[1]])])));
        let tags: Vec<(u16, &[u16])> = [&tags[..4], &[(322, &[16]), (323, &[16])]].concat();
        all.push((compression, write(PLAIN, &[page((16, 16), &tags, &[&code(&samples)])])));
    }
    all
}

#[test]
fn a_file_that_is_cut_anywhere_is_refused() {
    for (compression, bytes) in wholes() {
        assert_eq!(decode(&bytes, 3, &Limits::default()).unwrap().data(), samples(), "{compression}");
        for end in 8..bytes.len() {
            let cut = decode(&bytes[..end], 3, &Limits::default());
            // The place of a next page may be missing: there is none.
            assert!(cut.is_err() || end >= bytes.len() - 4, "{compression}: {end} of {}", bytes.len());
            let _ = probe(&bytes[..end]);
        }
        let longer = [&bytes[..], b"what follows"].concat();
        assert_eq!(decode(&longer, 3, &Limits::default()).unwrap().data(), samples());
    }
}

#[test]
fn random_damage_never_panics() {
    let mut random = Stream::new(23, Purpose::Bootstrap, 0, 0);
    let limits = Limits { max_pixels: 1 << 20 };
    let fax = [2, 3, 4].map(|compression: u16| {
        let tags: [(u16, &[u16]); 4] = [(258, &[1]), (259, &[compression]), (262, &[0]), (292, &[1])];
        file(24, 4, &tags, &bits("000000000001 1 0111 11 1011 001 0111 11 1 111 010 011 0001 1"))
    });
    for bytes in wholes().into_iter().map(|(_, bytes)| bytes).chain(fax) {
        for _ in 0..2000 {
            let mut damaged = bytes.clone();
            for _ in 0..=random.below(6) {
                // Half of the damage to the tags, at the end.
                let reach = if random.chance(0.5) { bytes.len().min(140) } else { bytes.len() };
                let at = bytes.len() - 1 - random.below(reach as u32) as usize;
                damaged[at] = random.next_u32() as u8;
            }
            let _ = probe(&damaged);
            match decode(&damaged, 3, &limits) {
                Ok(image) => {
                    assert!(u64::from(image.width()) * u64::from(image.height()) <= limits.max_pixels)
                }
                Err(error) => assert!(!error.to_string().contains("gave up"), "{error}"),
            }
        }
    }
}

#[test]
fn a_strip_that_is_short_or_missing_is_refused() {
    let gray = |compression: u16, strips: &[&[u8]], more: &[(u16, Value)]| {
        let mut page = page((4, 4), &[(258, &[8]), (259, &[compression]), (262, &[1]), (278, &[2])], strips);
        page.tags.extend(more.iter().cloned());
        write(PLAIN, &[page])
    };
    let half = [7; 8];
    assert!(decode(&gray(1, &[&half, &half], &[]), 1, &Limits::default()).is_ok());
    assert!(refused(&gray(1, &[&half], &[])).contains("missing"));
    assert!(refused(&gray(1, &[&half, &half[..7]], &[])).contains("shorter"));
    // Left out on purpose, or beyond the end.
    for (places, lengths) in [([8, 0], [8, 0]), ([8, 999_999], [8, 8]), ([8, u32::MAX], [8, u32::MAX])] {
        let more = [(273, Value::Long(places.to_vec())), (279, Value::Long(lengths.to_vec()))];
        refused(&gray(1, &[&half, &half], &more));
    }
    // A length beyond the end says nothing where the pixels are all there.
    let long = [(279, Value::Long(vec![8, 999_999]))];
    assert_eq!(decode(&gray(1, &[&half, &half], &long), 1, &Limits::default()).unwrap().data(), [7; 16]);
    refused(&gray(8, &[&deflate(&half), &deflate(&half)], &long));
    // Old writers leave the lengths out.
    let without = gray(1, &[&half, &half], &[(279, Value::Bytes(Vec::new()))]);
    assert_eq!(decode(&without, 1, &Limits::default()).unwrap().data(), [7; 16]);
    type Code = fn(&[u8]) -> Vec<u8>;
    let codes: [(u16, Code); 4] =
        [(5, |data| lzw(data, false)), (8, deflate), (32773, pack_bits), (50000, zstandard)];
    for (compression, code) in codes {
        let (whole, short) = (code(&half), code(&half[..7]));
        refused(&gray(compression, &[&whole, &short], &[]));
        refused(&gray(compression, &[&short, &whole], &[]));
        refused(&gray(compression, &[&[], &whole], &[]));
        refused(&gray(compression, &[&[0x7F, 0], &whole], &[]));
        // What is left over behind a strip's data is of no concern.
        let longer = [&whole[..], b"left over"].concat();
        let bytes = gray(compression, &[&longer, &longer], &[]);
        assert_eq!(decode(&bytes, 1, &Limits::default()).unwrap().data(), [7; 16], "{compression}");
    }
}

#[test]
fn a_deflate_strip_is_checked_to_its_end_and_no_further() {
    let gray = |rows: u16, strips: &[&[u8]]| {
        let tags: [(u16, &[u16]); 4] = [(258, &[8]), (259, &[8]), (262, &[1]), (278, &[rows])];
        decode(&write(PLAIN, &[page((4, 3), &tags, strips)]), 1, &Limits::default())
    };
    let mut whole = deflate(&[9; 12]);
    assert!(gray(3, &[&whole]).is_ok());
    *whole.last_mut().unwrap() ^= 1;
    assert!(gray(3, &[&whole]).is_err(), "another checksum");
    assert!(gray(3, &[&whole[..whole.len() - 4]]).is_err(), "no checksum");
    // Some writers fill the last strip up.
    assert!(gray(2, &[&deflate(&[9; 8]), &deflate(&[9; 8])]).is_ok());
    // A hundred megabytes of zeros.
    assert!(gray(3, &[&deflate(&vec![0; 100 << 20])]).is_err());
}

#[test]
fn a_frame_of_zstandard_is_checked_to_its_end() {
    let gray = |strip: &[u8]| {
        let tags: [(u16, &[u16]); 3] = [(258, &[8]), (259, &[50000]), (262, &[1])];
        decode(&file(4, 3, &tags, strip), 1, &Limits::default())
    };
    let mut whole = zstandard(&[9; 12]);
    assert_eq!(gray(&whole).unwrap().data(), [9; 12]);
    assert!(gray(&whole[..whole.len() - 4]).is_err(), "no checksum");
    *whole.last_mut().unwrap() ^= 1;
    assert!(gray(&whole).is_err(), "another checksum");
    // More than a strip, and a block that asks for more than a picture has.
    assert!(gray(&zstandard(&[9; 13])).is_err());
    // A window of 128 MB, of which nothing is needed, as libtiff announces it; raw data, the last block.
    let frame =
        |window: u8| [&b"\x28\xB5\x2F\xFD\x00"[..], &[window], &[12 << 3 | 1, 0, 0], &[9; 12]].concat();
    for window in [0, 8 * 17, 8 * 21 + 7] {
        assert_eq!(gray(&frame(window)).unwrap().data(), [9; 12], "{window}");
    }
}

#[test]
fn no_memory_is_waited_for_before_the_strips_are_there() {
    // No limit but that of what there is: nothing gives so much memory.
    let limits = Limits { max_pixels: u64::MAX / 64 };
    let side = i32::MAX as u32 / 8;
    for compression in [1, 5, 8, 32773, 50000, 4] {
        let bits = if compression == 4 { 1 } else { 8 };
        let bytes = file(side, side, &[(258, &[bits]), (259, &[compression]), (262, &[1])], &[0; 40]);
        let error = decode(&bytes, 1, &limits).unwrap_err();
        assert!(matches!(error, DecodeError::Truncated { .. }), "{compression}: {error}");
    }
}

#[test]
fn codes_of_lzw_that_give_nothing_are_passed_over() {
    // The table is cleared forty times before the first pixel.
    let codes = ["100000000".repeat(40), "000000111".repeat(16), "100000001".to_owned()].concat();
    let bytes = file(4, 4, &[(258, &[8]), (259, &[5]), (262, &[1])], &bits(&codes));
    assert_eq!(decode(&bytes, 1, &Limits::default()).unwrap().data(), [7; 16]);
}

#[test]
fn lines_of_a_fax_are_whole() {
    let fax = |compression: u16, options: u16, text: &str| {
        let tags: [(u16, &[u16]); 4] = [(258, &[1]), (259, &[compression]), (262, &[0]), (292, &[options])];
        decode(&file(8, 2, &tags, &bits(text)), 1, &Limits::default())
    };
    let (runs, end) = ("0111 11 1011", "000000000001");
    assert!(fax(4, 0, "001 0111 11 1 111").is_ok());
    for (compression, options, text, what) in [
        (4, 0, "001 0111 11 1", "one line of two, and zeros"),
        (4, 0, "001 0111 11 1 000000000001 000000000001", "an end after one line"),
        (4, 0, "001 0111 11 1 0000001 111 1", "an uncompressed part"),
        (4, 0, "001 10011 11 1 111", "a run beyond the line"),
        (4, 0, "001 0111 11 1 0000010 0000010 1", "a step to the left of the line"),
        (2, 0, "0111 11 1011 000000", "one line"),
        (2, 0, "0111 11 10011 00000 0111 11 1011", "a longer line"),
        (3, 0, &format!("{end} {runs} {end} 0111 11"), "a line that ends early"),
        (3, 0, &format!("{end} {runs} {end} {end} {end} {end} {end} {end}"), "an end after one line"),
        (3, 0, &format!("{end} {runs} 1 {end} {runs}"), "something between the lines"),
        (3, 1, &format!("{runs} {runs}"), "lines of which nobody knows the kind"),
    ] {
        assert!(fax(compression, options, text).is_err(), "{what}");
    }
}

#[test]
fn directories_that_lead_nowhere_or_back_end() {
    let whole = |pages: &[Page]| write(PLAIN, pages);
    let gray = page((1, 1), &[(258, &[8]), (262, &[1])], &[&[5]]);
    let mut bytes = whole(&[gray.clone(), gray.clone()]);
    // The second page leads back to the first.
    let first = bytes[4..8].to_vec();
    let last = bytes.len() - 4;
    bytes[last..].copy_from_slice(&first);
    assert_eq!(decode(&bytes, 1, &Limits::default()).unwrap().data(), [5]);
    assert_eq!(probe(&bytes).unwrap().pages, 2);
    bytes[last..].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(probe(&bytes).unwrap().pages, 2);
    for place in [0u32, 4, 7, 1 << 20, u32::MAX] {
        bytes[4..8].copy_from_slice(&place.to_le_bytes());
        refused(&bytes);
    }
    for (start, length) in
        [(&b"II+\0\x08\0\0\0"[..], 8), (b"II+\0\x08\0\0\0\x10\0\0\0\0\0\0\0", 64), (b"MM\0*\0\0\0\x08", 9)]
    {
        let mut bytes = start.to_vec();
        bytes.resize(length, 0xFF);
        refused(&bytes);
    }
    // More tags than any file has.
    let mut many = b"II*\0\x08\0\0\0\xFF\xFF".to_vec();
    many.resize(1 << 20, 1);
    refused(&many);
}

#[test]
fn a_jpeg_of_another_size_is_not_decoded() {
    let jpeg = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/files/gray.jpg")).unwrap();
    let own = probe(&jpeg).unwrap();
    let gray = |size: (u32, u32), count: usize| {
        let tags: [(u16, &[u16]); 4] = [
            (258, &vec![8; count]),
            (259, &[7]),
            (262, &[if count == 3 { 6 } else { 1 }]),
            (277, &[count as u16]),
        ];
        write(PLAIN, &[page(size, &tags, &[&jpeg])])
    };
    let (width, height) = (own.width, own.height);
    assert!(decode(&gray((width, height), 1), 1, &Limits::default()).is_ok());
    for (size, count) in
        [((width + 1, height), 1), ((width - 1, height), 1), ((width, height + 1), 1), ((width, height), 3)]
    {
        assert!(refused(&gray(size, count)).contains("of another size"), "{size:?} {count}");
    }
}
