//! Tags that are missing, that cannot be read, and what they change.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod tiff_writer;

use pupila_image::{DecodeError, Flat, Limits, Reading, decode, decode_as, probe, why_flat};
use tiff_writer::{Layout, PLAIN, Page, Value, deflate, file, page, write, write_behind};

fn noise(count: usize) -> Vec<u8> {
    (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

/// Pages whose pixels hang on arrays of every kind.
fn pages() -> Vec<(&'static str, Vec<Page>)> {
    let strip = noise(6 * 4 * 16);
    let with = |tags: &[(u16, &[u16])], more: Vec<(u16, Value)>, bytes: usize| {
        let mut page = page((6, 4), tags, &[&strip[..6 * 4 * bytes]]);
        page.tags.extend(more);
        page
    };
    let ratios = |all: &[u32], below: u32| Value::Ratio(all.iter().map(|&v| (v, below)).collect());
    let rgb = with(&[(258, &[8; 3]), (262, &[2]), (277, &[3])], vec![], 3);
    let mut rows: Page = page((6, 4), &[(258, &[8; 3]), (262, &[2]), (277, &[3]), (278, &[1])], &[]);
    rows.strips = strip[..72].chunks(18).map(<[u8]>::to_vec).collect();
    let mut deflated = rows.clone();
    deflated.tags.push((259, Value::Short(vec![8])));
    deflated.strips = rows.strips.iter().map(|row| deflate(row)).collect();
    let map: Vec<u16> = noise(3 << 8).iter().map(|&v| u16::from(v) * 257).collect();
    let ycc: [(u16, &[u16]); 4] = [(258, &[8; 3]), (262, &[6]), (277, &[3]), (530, &[1, 1])];
    let mut thumbnail = with(&[(254, &[1]), (258, &[8]), (262, &[1])], vec![], 1);
    thumbnail.size = (2, 2);
    let xmp = Value::Bytes(b"<x tiff:Orientation=\"6\">".to_vec());
    vec![
        ("bits", vec![rgb.clone()]),
        ("bits of 16", vec![with(&[(258, &[16; 3]), (262, &[2]), (277, &[3])], vec![], 6)]),
        ("signed", vec![with(&[(258, &[8; 3]), (262, &[2]), (277, &[3]), (339, &[2; 3])], vec![], 3)]),
        ("floats", vec![with(&[(258, &[32; 3]), (262, &[2]), (277, &[3]), (339, &[3; 3])], vec![], 12)]),
        ("strips", vec![rows]),
        ("compressed strips", vec![deflated]),
        ("a palette", vec![with(&[(258, &[8]), (262, &[3]), (320, &map)], vec![], 1)]),
        ("coefficients", vec![with(&ycc, vec![(529, ratios(&[2126, 7152, 722], 10_000))], 3)]),
        ("a reference", vec![with(&ycc, vec![(532, ratios(&[16, 235, 128, 240, 128, 240], 1))], 3)]),
        (
            "further samples",
            vec![with(&[(258, &[8; 6]), (262, &[2]), (277, &[6]), (338, &[1, 0, 0])], vec![], 6)],
        ),
        ("an orientation", vec![with(&[(258, &[8]), (262, &[1])], vec![(700, xmp)], 1)]),
        ("a thumbnail before it", vec![thumbnail, rgb]),
    ]
}

#[test]
fn arrays_behind_the_directory_that_are_cut_are_no_defaults() {
    for (what, pages) in pages() {
        for (little, big) in [(true, false), (false, true)] {
            let bytes = write_behind(Layout { little, big }, &pages);
            let reading = Reading { background: Some([9, 80, 200]), ..Reading::default() };
            let whole = decode_as(&bytes, 3, &Limits::default(), &reading).unwrap();
            for end in bytes.len().saturating_sub(2000)..bytes.len() {
                if let Ok(cut) = decode_as(&bytes[..end], 3, &Limits::default(), &reading) {
                    assert!(cut == whole, "{what}: other pixels at {end} of {}", bytes.len());
                }
                let _ = probe(&bytes[..end]);
            }
            // All but the place of a next page is needed.
            assert!(decode(&bytes[..bytes.len() - 9], 3, &Limits::default()).is_err(), "{what}");
        }
    }
}

#[test]
fn tags_outside_of_the_file_and_of_other_types_are_two_things() {
    let gray = |kind: u16, count: u32, value: u32| {
        let mut bytes = file(2, 1, &[(258, &[8]), (262, &[1]), (339, &[1])], &[1, 2]);
        let entry = [&339u16.to_le_bytes()[..], &3u16.to_le_bytes()].concat();
        let at = bytes.windows(4).position(|window| window == entry).unwrap();
        bytes[at + 2..at + 4].copy_from_slice(&kind.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&count.to_le_bytes());
        bytes[at + 8..at + 12].copy_from_slice(&value.to_le_bytes());
        decode(&bytes, 1, &Limits::default())
    };
    for kind in [1, 3, 4, 6, 8, 9] {
        assert_eq!(gray(kind, 1, 1).unwrap().data(), [1, 2], "{kind}");
    }
    // No values are none.
    assert!(gray(3, 0, 7).is_ok());
    for (kind, count, value) in [(3, 3, 1 << 20), (3, u32::MAX, 8), (16, 1, u32::MAX)] {
        assert!(matches!(gray(kind, count, value), Err(DecodeError::Truncated { .. })), "{kind}");
    }
    for (kind, count) in [(2, 1), (7, 1), (11, 1), (0, 1), (99, 1)] {
        assert!(matches!(gray(kind, count, 1), Err(DecodeError::Malformed { .. })), "{kind}");
    }
    // One that nothing hangs on does not matter.
    let more = [(532, Value::Ratio(vec![(1, 1); 6]))];
    let mut page = page((2, 1), &[(258, &[8]), (262, &[1])], &[&[1, 2]]);
    page.tags.extend(more);
    let bytes = write_behind(PLAIN, &[page]);
    assert!(decode(&bytes[..bytes.len() - 3], 1, &Limits::default()).is_ok());
}

#[test]
fn without_a_kind_of_color_white_is_0() {
    let gray = file(2, 1, &[(258, &[8])], &[1, 2]);
    assert_eq!(decode(&gray, 1, &Limits::default()).unwrap().data(), [254, 253]);
    assert_eq!(decode(&file(2, 1, &[], &[0x40]), 1, &Limits::default()).unwrap().data(), [255, 0]);
    let rgb = file(1, 1, &[(258, &[8; 3]), (277, &[3])], &[1, 2, 3]);
    assert_eq!(decode(&rgb, 3, &Limits::default()).unwrap().data(), [1, 2, 3]);
}

#[test]
fn wide_samples_of_which_0_is_white_count_down_from_the_one_that_is_black() {
    let strip = [0u16, 1024, 4095, 5000].map(u16::to_le_bytes).concat();
    let gray = file(4, 1, &[(258, &[16]), (262, &[0])], &strip);
    let white = |bytes: &[u8], white| {
        let reading = Reading { white, ..Reading::default() };
        decode_as(bytes, 1, &Limits::default(), &reading).unwrap().into_data()
    };
    assert_eq!(white(&gray, Some(4095)), [255, 191, 0, 0]);
    assert_eq!(white(&gray, None), [255, 251, 240, 236]);
    let strip = [0u32, 1024, 4095, 5000].map(u32::to_le_bytes).concat();
    assert_eq!(white(&file(4, 1, &[(258, &[32]), (262, &[0])], &strip), Some(4095)), [255, 191, 0, 0]);
    // That they use few bits is told as of others.
    let few = why_flat(&gray, &Limits::default()).unwrap();
    assert_eq!(few, Flat::FewBits { largest: 5000, white: 65535 });
}

#[test]
fn alpha_of_every_kind_of_color_lies_over_the_background() {
    let over = |photometric: u16, extra: u16, bits: u16, strip: &[u8]| {
        let count = strip.len() as u16 * 8 / bits;
        let all = vec![bits; usize::from(count)];
        let tags: [(u16, &[u16]); 5] =
            [(258, &all), (262, &[photometric]), (277, &[count]), (338, &[extra]), (530, &[1, 1])];
        let reading = Reading { background: Some([0, 0, 100]), ..Reading::default() };
        decode_as(&file(1, 1, &tags, strip), 3, &Limits::default(), &reading).map(|image| image.into_data())
    };
    assert_eq!(over(6, 2, 8, &[100, 128, 128, 0]).unwrap(), [0, 0, 100]);
    assert_eq!(over(6, 2, 8, &[100, 128, 128, 255]).unwrap(), [100; 3]);
    assert_eq!(over(6, 1, 8, &[50, 128, 128, 128]).unwrap(), [50, 50, 99]);
    assert_eq!(over(5, 2, 8, &[0, 0, 0, 55, 0]).unwrap(), [0, 0, 100]);
    assert_eq!(over(5, 2, 8, &[0, 0, 0, 55, 255]).unwrap(), [200; 3]);
    // Half of an ink of which nothing is seen of the half that is not there.
    assert_eq!(over(5, 1, 8, &[0, 0, 0, 64, 128]).unwrap(), [64, 64, 114]);
    assert_eq!(over(8, 2, 8, &[255, 0, 0, 0]).unwrap(), [0, 0, 100]);
    assert_eq!(over(8, 2, 8, &[255, 0, 0, 255]).unwrap(), [255; 3]);
    assert_eq!(over(8, 2, 16, &[255, 255, 0, 0, 0, 0, 0, 0]).unwrap(), [0, 0, 100]);
    assert!(over(8, 1, 8, &[255, 0, 0, 255]).unwrap_err().to_string().contains("save it as RGB"));
    // What is no alpha hides nothing.
    assert_eq!(over(6, 0, 8, &[100, 128, 128, 0]).unwrap(), [100; 3]);
}

#[test]
fn too_many_bytes_a_pixel_are_refused_however_they_are_cut() {
    let limits = Limits { max_pixels: 100 };
    let floats = |rows: u16| {
        let strips = vec![vec![0; 8 * 16 * usize::from(rows)]; 8 / usize::from(rows)];
        let tags: [(u16, &[u16]); 5] =
            [(258, &[32; 4]), (262, &[2]), (277, &[4]), (278, &[rows]), (339, &[3; 4])];
        let strips: Vec<&[u8]> = strips.iter().map(Vec::as_slice).collect();
        decode(&write(PLAIN, &[page((8, 8), &tags, &strips)]), 3, &limits).unwrap_err().to_string()
    };
    assert_eq!(floats(1), floats(8));
    assert!(floats(8).contains("magick FILE -depth 8"), "{}", floats(8));
}

#[test]
fn a_chain_that_breaks_behind_the_first_page_leaves_it_whole() {
    let gray = page((1, 1), &[(258, &[8]), (262, &[1])], &[&[5]]);
    let mut bytes = write(PLAIN, &[gray.clone(), gray.clone(), gray]);
    let last = bytes.len() - 10;
    bytes.truncate(last);
    assert_eq!(decode(&bytes, 1, &Limits::default()).unwrap().data(), [5]);
    assert_eq!(probe(&bytes).unwrap().pages, 2);
}
