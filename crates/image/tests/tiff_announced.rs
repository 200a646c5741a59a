//! What a TIFF announces and does not have takes neither memory nor time. One test, since the peak is the process's.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

mod common;
mod tiff_writer;

use common::peak;
use pupila_image::{DecodeError, Limits, decode, probe};
use tiff_writer::{Layout, PLAIN, Page, Value, deflate, page, write};

fn refused(bytes: &[u8]) -> String {
    let error = decode(bytes, 3, &Limits::default()).unwrap_err();
    let expected = matches!(error, DecodeError::Truncated { .. } | DecodeError::Malformed { .. });
    assert!(expected && !error.to_string().contains("gave up"), "{error}");
    error.to_string()
}

#[test]
fn what_is_announced_takes_no_memory() {
    // Made before the peak is looked at: 50 million numbers, of which one or none is needed.
    let counts = long_arrays();
    let empty_runs = fax_of_empty_runs();
    let reversed = reversed_strips();
    let Some(before) = peak() else { return };
    announced_sizes();
    let grown = peak().unwrap() - before;
    assert!(grown < 16 << 20, "{grown} bytes for announced sizes");
    for bytes in counts {
        let _ = probe(&bytes);
        assert!(decode(&bytes, 1, &Limits::default()).is_ok());
    }
    let grown = peak().unwrap() - before;
    assert!(grown < 16 << 20, "{grown} bytes for long arrays");
    refused(&empty_runs);
    let grown = peak().unwrap() - before;
    assert!(grown < 16 << 20, "{grown} bytes for runs of no length");
    for bytes in reversed {
        assert!(decode(&bytes, 1, &Limits::default()).is_ok());
    }
    let grown = peak().unwrap() - before;
    assert!(grown < 16 << 20, "{grown} bytes for reversed bits");
    // A strip of 4 KB in a frame of 100 MB that announces a window of 128 MB: 800 blocks of a byte that is repeated 128 Ki times.
    let block = [&((1u32 << 17) << 3 | 1 << 1).to_le_bytes()[..3], &[7]].concat();
    let frame = [&b"\x28\xB5\x2F\xFD\x00\x88"[..], &block.repeat(800)].concat();
    let tags: [(u16, &[u16]); 3] = [(258, &[8]), (259, &[50000]), (262, &[1])];
    let bytes = write(PLAIN, &[page((64, 64), &tags, &[&frame])]);
    let before = peak().unwrap();
    refused(&bytes);
    let grown = peak().unwrap() - before;
    assert!(grown < 16 << 20, "{grown} bytes for a frame of Zstandard");
}

/// Tags of which one number is asked for, of 50 million each.
fn long_arrays() -> Vec<Vec<u8>> {
    const COUNT: u32 = 50_000_000;
    let gray = page((1, 1), &[(258, &[8]), (262, &[1])], &[&[5]]);
    [(254u16, 0), (256, 1), (258, 8), (259, 1), (262, 1), (274, 1), (277, 1), (278, 1), (279, 1), (339, 1)]
        .into_iter()
        .map(|(tag, first)| {
            let mut page: Page = gray.clone();
            page.tags.retain(|&(given, _)| given != tag);
            // Three numbers, of which the array is made longer below.
            page.tags.push((tag, Value::Short(vec![first; 3])));
            let mut bytes = write(PLAIN, &[page]);
            let entry = [&tag.to_le_bytes()[..], &3u16.to_le_bytes(), &3u32.to_le_bytes()].concat();
            let at = bytes.windows(entry.len()).position(|window| window == entry).unwrap();
            bytes[at + 4..at + 8].copy_from_slice(&COUNT.to_le_bytes());
            // Zeros that the system gives on demand.
            let length = bytes.len() + 2 * COUNT as usize;
            let mut whole = vec![0; length];
            whole[..bytes.len()].copy_from_slice(&bytes);
            whole
        })
        .collect()
}

/// A strip of a pixel, of reversed bits, that is said to be 100 MB long, and one whose length nobody says.
fn reversed_strips() -> Vec<Vec<u8>> {
    let strip = |compression: u16, data: &[u8], lengths: Value| {
        let mut page = page(
            (1, 1),
            &[(258, &[8]), (259, &[compression]), (262, &[1]), (266, &[2])],
            &[&data.iter().map(|byte| byte.reverse_bits()).collect::<Vec<u8>>()],
        );
        page.tags.push((279, lengths));
        let bytes = write(PLAIN, &[page]);
        let mut whole = vec![0; 101 << 20];
        whole[..bytes.len()].copy_from_slice(&bytes);
        whole
    };
    let long = || Value::Long(vec![100 << 20]);
    vec![
        strip(1, &[7], long()),
        strip(8, &deflate(&[7]), long()),
        strip(8, &deflate(&[7]), Value::Bytes(Vec::new())),
    ]
}

/// A line of eight pixels before which there are ten million runs of nothing.
fn fax_of_empty_runs() -> Vec<u8> {
    // None of white, none of black: 00110101 0000110111, nine times make whole bytes four times over.
    let pair = tiff_writer::bits(&"00110101 0000110111".repeat(4));
    let strip = pair.repeat(1_000_000);
    let tags: [(u16, &[u16]); 3] = [(258, &[1]), (259, &[2]), (262, &[0])];
    write(PLAIN, &[page((8, 1), &tags, &[&strip])])
}

fn announced_sizes() {
    let long = |tag: u16, value: u32| (tag, Value::Long(vec![value]));
    let with = |size: (u32, u32), tags: Vec<(u16, Value)>, strip: &[u8]| {
        let mut page = page(size, &[(258, &[8]), (262, &[1])], &[strip]);
        page.tags.extend(tags);
        write(Layout { little: false, big: true }, &[page])
    };
    for (size, tags) in [
        ((0, 1), vec![]),
        ((1, 0), vec![]),
        ((13_000, 13_000), vec![]),
        ((13_000, 13_000), vec![(259, Value::Short(vec![8]))]),
        ((13_000, 13_000), vec![(259, Value::Short(vec![50000]))]),
        ((13_000, 13_000), vec![(259, Value::Short(vec![7]))]),
        ((65_000, 2_000), vec![(258, Value::Short(vec![1])), (259, Value::Short(vec![4]))]),
        ((16, 16), vec![long(322, 0), long(323, 16)]),
        ((16, 16), vec![long(322, u32::MAX), long(323, u32::MAX)]),
        ((16, 16), vec![long(322, 13_000), long(323, 13_000), (259, Value::Short(vec![5]))]),
        ((16, 16), vec![long(322, 1 << 30), long(323, 1)]),
        ((1, 100_000_000), vec![long(278, 1)]),
        ((16, 16), vec![long(277, u32::MAX)]),
        ((16, 16), vec![long(258, u32::MAX)]),
    ] {
        for strip in [&[][..], &[0; 40], &deflate(&[0; 4000])] {
            refused(&with(size, tags.clone(), strip));
        }
    }
    let large = decode(&with((50_000, 50_000), vec![], &[0; 40]), 3, &Limits::default());
    assert!(matches!(large, Err(DecodeError::TooLarge { .. })), "{large:?}");
    // No rows in a strip are all of them, as libtiff has it.
    let rows = with((2, 2), vec![long(278, 0)], &[1, 2, 3, 4]);
    assert_eq!(decode(&rows, 1, &Limits::default()).unwrap().data(), [1, 2, 3, 4]);
}
