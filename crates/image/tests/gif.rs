//! GIF, by files written here: the first image on its canvas, palettes, what programs write beside the rules, and what breaks them.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_image::{DecodeError, Image, Limits, Reading, decode, decode_as, probe};
use pupila_random::{Purpose, Stream};

const NIGHT: [u8; 3] = [10, 20, 30];
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const PALETTE: [[u8; 3]; 4] = [NIGHT, RED, GREEN, BLUE];

/// A file of one image.
#[derive(Clone)]
struct Gif {
    canvas: (u16, u16),
    place: (u16, u16),
    size: (u16, u16),
    global: Option<Vec<[u8; 3]>>,
    local: Option<Vec<[u8; 3]>>,
    interlaced: bool,
    transparent: Option<u8>,
    /// Blocks before the image.
    before: Vec<u8>,
    /// The image's codes, behind the size of the first.
    codes: Vec<u8>,
    /// What follows them.
    after: Vec<u8>,
}

/// Codes of three bits alone: the table is cleared before it would need a fourth.
fn codes(pixels: &[u8]) -> Vec<u8> {
    let mut codes = vec![];
    for pixels in pixels.chunks(2) {
        codes.push(4);
        codes.extend(pixels);
    }
    codes.push(5);
    let mut bytes = vec![0; (codes.len() * 3).div_ceil(8)];
    for (at, code) in codes.iter().enumerate() {
        for bit in 0..3 {
            bytes[(at * 3 + bit) / 8] |= (code >> bit & 1) << ((at * 3 + bit) % 8);
        }
    }
    let blocks = bytes.chunks(255).flat_map(|block| [&[block.len() as u8], block].concat());
    [2].into_iter().chain(blocks).collect()
}

impl Gif {
    fn new(size: (u16, u16), pixels: &[u8]) -> Gif {
        assert_eq!(usize::from(size.0) * usize::from(size.1), pixels.len());
        Gif {
            canvas: size,
            place: (0, 0),
            size,
            global: Some(PALETTE.to_vec()),
            local: None,
            interlaced: false,
            transparent: None,
            before: vec![],
            codes: codes(pixels),
            after: b"\0;".to_vec(),
        }
    }

    fn file(&self) -> Vec<u8> {
        let flags = |palette: &Option<Vec<[u8; 3]>>| {
            palette.as_ref().map_or(0, |colors| 0x80 | (colors.len().ilog2() as u8 - 1))
        };
        let mut file = b"GIF89a".to_vec();
        for side in [self.canvas.0, self.canvas.1] {
            file.extend(side.to_le_bytes());
        }
        // The background is of the second color, which Pillow does not look at.
        file.extend([flags(&self.global), 1, 0]);
        file.extend(self.global.iter().flatten().flatten());
        file.extend(&self.before);
        if let Some(transparent) = self.transparent {
            file.extend([b'!', 0xF9, 4, 1, 0, 0, transparent, 0]);
        }
        file.push(b',');
        for number in [self.place.0, self.place.1, self.size.0, self.size.1] {
            file.extend(number.to_le_bytes());
        }
        file.push(flags(&self.local) | u8::from(self.interlaced) << 6);
        file.extend(self.local.iter().flatten().flatten());
        file.extend(&self.codes);
        file.extend(&self.after);
        file
    }

    fn decode(&self) -> Result<Image, DecodeError> {
        let file = self.file();
        let image = decode(&file, 3, &Limits::default());
        if let Ok(image) = &image {
            let header = probe(&file).unwrap();
            assert_eq!((header.width, header.height, header.channels), (image.width(), image.height(), 3));
        }
        image
    }

    fn pixels(&self) -> Vec<[u8; 3]> {
        self.decode().unwrap().data().chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect()
    }

    /// Laid over white.
    fn over_white(&self) -> Vec<[u8; 3]> {
        let reading = Reading { background: Some([255; 3]), ..Reading::default() };
        let image = decode_as(&self.file(), 3, &Limits::default(), &reading).unwrap();
        image.data().chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect()
    }
}

#[test]
fn the_first_image_is_put_on_its_canvas() {
    let all = Gif::new((2, 2), &[0, 1, 2, 3]);
    assert_eq!(all.pixels(), PALETTE);
    assert_eq!(all.over_white(), PALETTE);
    let small = Gif { canvas: (3, 3), place: (1, 0), ..all.clone() };
    let around = |color| vec![color, NIGHT, RED, color, GREEN, BLUE, color, color, color];
    assert_eq!(small.pixels(), around(NIGHT));
    assert_eq!(small.over_white(), around([255; 3]));
    let clear = Gif { transparent: Some(3), ..small.clone() };
    assert_eq!(clear.pixels(), around(BLUE));
    let mut shown = around([255; 3]);
    shown[5] = [255; 3];
    assert_eq!(clear.over_white(), shown);
    // Of a palette of its own it takes the color around it too.
    let local = Gif { local: Some(vec![[7; 3], RED, GREEN, BLUE]), ..small };
    assert_eq!(local.pixels()[..3], [[7; 3], [7; 3], RED]);
    // Beyond the canvas, or on one of no size, an image makes it larger.
    for canvas in [(0, 0), (1, 4), (2, 2)] {
        let beyond = Gif { canvas, place: (1, 2), ..all.clone() }.decode().unwrap();
        assert_eq!((beyond.width(), beyond.height()), (3, 4));
        assert_eq!(beyond.data()[3 * 3 * 3 + 3..], [GREEN, BLUE].concat());
    }
}

#[test]
fn palettes_may_be_missing_or_too_short() {
    let all = Gif::new((2, 2), &[0, 1, 2, 3]);
    let none = Gif { global: None, ..all.clone() };
    assert_eq!(none.pixels(), [[0; 3], [1; 3], [2; 3], [3; 3]]);
    let clear = Gif { canvas: (3, 2), transparent: Some(1), ..none.clone() };
    assert_eq!(clear.pixels(), [[0; 3], [1; 3], [1; 3], [2; 3], [3; 3], [1; 3]]);
    let white = [255; 3];
    assert_eq!(clear.over_white(), [[0; 3], white, white, [2; 3], [3; 3], white]);
    let local = Gif { local: Some(PALETTE.to_vec()), ..none };
    assert_eq!(local.pixels(), PALETTE);
    let short = Gif { global: Some(vec![NIGHT, RED]), ..all };
    assert_eq!(short.pixels(), [NIGHT, RED, [0; 3], [0; 3]]);
    let clear = Gif { transparent: Some(3), ..short };
    assert_eq!(clear.over_white(), [NIGHT, RED, [0; 3], white]);
}

#[test]
fn interlaced_rows_are_put_in_their_places() {
    for height in 1..=17u16 {
        for width in [1, 2, 3, 300] {
            let rows = [(0, 8), (4, 8), (2, 4), (1, 2)];
            let order = rows.iter().flat_map(|&(first, step)| (first..height).step_by(step));
            let pixel = |y: u16| (0..width).map(move |x| ((x + 3 * y) % 4) as u8);
            let stored: Vec<u8> = order.flat_map(pixel).collect();
            let plain = Gif::new((width, height), &(0..height).flat_map(pixel).collect::<Vec<u8>>());
            let interlaced = Gif { interlaced: true, ..Gif::new((width, height), &stored) };
            assert_eq!(interlaced.pixels(), plain.pixels(), "{width}x{height}");
        }
    }
}

#[test]
fn what_stands_before_the_image_is_passed_over() {
    let plain = Gif::new((2, 2), &[0, 1, 2, 3]);
    for before in [
        &b"\0\0\0"[..],
        b"!\xFE\0",
        b"!\xFE\x05hello\0",
        b"!\x42\x03abc\x01d\0",
        b"!\x01\x0c            \0",
        b"!\xFF\x0bNETSCAPE2.0\x03\x01\0\0\0",
        b"!\xF9\0",
        b"!\xF9\x02\0\0\0",
        b"!\xF9\x04\x0c\0\0\0\0",
    ] {
        assert_eq!(Gif { before: before.to_vec(), ..plain.clone() }.pixels(), PALETTE, "{before:?}");
    }
    let mut old = plain.file();
    old[3..6].copy_from_slice(b"87a");
    assert_eq!(decode(&old, 3, &Limits::default()).unwrap(), plain.decode().unwrap());
    // XMP, whose bytes stand as they are, with the bytes behind it that end it wherever a reader of blocks is.
    let packet = b"!\xFF\x0bXMP DataXMP<rdf:Description tiff:Orientation=\"6\"/>\x01";
    let xmp = [&packet[..], &(0..=255).rev().collect::<Vec<u8>>(), &[0]].concat();
    let turned = Gif { before: xmp, ..plain }.pixels();
    assert_eq!(turned, [GREEN, NIGHT, BLUE, RED]);
}

#[test]
fn what_follows_the_pixels_does_not_count() {
    let plain = Gif::new((3, 2), &[0, 1, 2, 3, 2, 1]);
    let whole = plain.decode().unwrap();
    for after in [&b""[..], b"\0", b";", b"\0;garbage", b"\x05abc", b"\0,\x01\0\x01\0\x09\0\x09\0\0\x02\0;"] {
        assert_eq!(Gif { after: after.to_vec(), ..plain.clone() }.decode().unwrap(), whole, "{after:?}");
    }
    // More pixels than there is room for; and no code of the end.
    let more = Gif { codes: codes(&[0, 1, 2, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0]), ..plain.clone() };
    assert_eq!(more.decode().unwrap(), whole);
    let mut open = plain;
    open.codes = codes(&[0, 1, 2, 3, 2, 1, 0]);
    let last = open.codes.len() - 1;
    open.codes[1] -= 1;
    open.codes.truncate(last);
    assert_eq!(open.decode().unwrap(), whole);
}

#[test]
fn codes_that_clear_the_table_may_stand_anywhere() {
    // Three bits each: 4 clears, 5 ends. Twenty of them, a pixel, and so on.
    let run = [4].repeat(20);
    let codes: Vec<u8> = (0..4).flat_map(|pixel| [&run[..], &[pixel]].concat()).chain([5]).collect();
    let mut bytes = vec![0u8; (codes.len() * 3).div_ceil(8)];
    for bit in 0..codes.len() * 3 {
        bytes[bit / 8] |= (codes[bit / 3] >> (bit % 3) & 1) << (bit % 8);
    }
    for size in [1, 3, 255] {
        let blocks = bytes.chunks(size).flat_map(|block| [&[block.len() as u8], block].concat());
        let gif = Gif { codes: [2].into_iter().chain(blocks).collect(), ..Gif::new((2, 2), &[0; 4]) };
        assert_eq!(gif.pixels(), PALETTE, "{size}");
        let narrow = Gif { size: (1, 4), canvas: (1, 4), interlaced: true, ..gif };
        assert_eq!(narrow.pixels(), [NIGHT, GREEN, RED, BLUE], "{size}");
    }
}

#[test]
fn damage_is_refused() {
    let plain = Gif::new((3, 3), &[0, 1, 2, 3, 2, 1, 0, 1, 2]);
    let said = |gif: &Gif| gif.decode().unwrap_err().to_string();
    let fewer = Gif { codes: codes(&[0, 1, 2, 3, 2, 1, 0]), ..plain.clone() };
    assert!(said(&fewer).starts_with("truncated GIF: its data end after 2 of 3 rows"), "{}", said(&fewer));
    // A code that is not in the table yet.
    let wrong = Gif { codes: vec![2, 1, 0b00_111_100], ..plain.clone() };
    assert!(said(&wrong).contains("stands for nothing"), "{}", said(&wrong));
    for size in [13, 255] {
        let mut gif = plain.clone();
        gif.codes[0] = size;
        assert!(said(&gif).contains(&format!("begin with {size} bits")), "{}", said(&gif));
    }
    for size in [(0, 3), (3, 0), (0, 0)] {
        assert!(said(&Gif { size, ..plain.clone() }).contains("has no pixels"));
    }
    let none = [&plain.file()[..13 + 12], b";"].concat();
    let error = decode(&none, 3, &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("no image in it"), "{error}");
    let (file, whole) = (plain.file(), plain.decode().unwrap());
    for end in 0..file.len() {
        let _ = probe(&file[..end]);
        match decode(&file[..end], 3, &Limits::default()) {
            // The end of the blocks, the trailer, and the code of the end.
            Ok(image) => assert!(image == whole && file.len() - end <= 3, "{end} of {}", file.len()),
            Err(error) => assert!(end < 6 || matches!(error, DecodeError::Truncated { .. }), "{error}"),
        }
    }
}

#[test]
fn a_giant_canvas_is_refused_before_it_is_allocated() {
    let plain = Gif::new((1, 1), &[0]);
    let end = u16::MAX;
    for gif in [
        Gif { canvas: (end, end), ..plain.clone() },
        Gif { place: (end, end), ..plain.clone() },
        Gif { size: (end, end), ..plain.clone() },
        Gif { size: (end, end), place: (end, end), ..plain },
    ] {
        assert!(matches!(gif.decode(), Err(DecodeError::TooLarge { .. })));
    }
}

#[test]
fn random_damage_never_panics() {
    let mut random = Stream::new(9, Purpose::Bootstrap, 0, 0);
    let limits = Limits { max_pixels: 1 << 16 };
    let small = Gif::new((3, 3), &[0, 1, 2, 3, 2, 1, 0, 1, 2]);
    let noise: Vec<u8> = (0..60 * 40).map(|_| random.below(4) as u8).collect();
    let mut read = 0;
    for gif in [
        Gif { canvas: (9, 7), place: (2, 1), transparent: Some(3), ..small.clone() },
        Gif { interlaced: true, local: Some(PALETTE.to_vec()), ..small.clone() },
        Gif { global: None, before: b"!\xFF\x0bXMP DataXMP<x/>\x02\x01\0\0".to_vec(), ..small },
        Gif::new((60, 40), &noise),
    ] {
        let file = gif.file();
        for _ in 0..5000 {
            let mut damaged = file.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(file.len() as u32) as usize;
                damaged[at] = if random.chance(0.5) { 0xFF } else { random.next_u32() as u8 };
            }
            let _ = probe(&damaged);
            match decode(&damaged, 3, &limits) {
                Ok(image) => {
                    read += 1;
                    assert!(u64::from(image.width()) * u64::from(image.height()) <= limits.max_pixels);
                }
                // A panic that was contained is one nevertheless.
                Err(error) => assert!(!error.to_string().contains("gave up"), "{error}"),
            }
        }
    }
    assert!(read > 1000, "{read}");
}

#[test]
fn a_second_reader_agrees() {
    let mut random = Stream::new(10, Purpose::Bootstrap, 0, 0);
    for (width, height) in [(5, 1), (8, 9), (31, 17), (200, 150)] {
        let pixels: Vec<u8> = (0..width * height).map(|_| random.below(4) as u8).collect();
        let plain = Gif::new((width, height), &pixels);
        for gif in [
            plain.clone(),
            Gif { interlaced: true, ..plain.clone() },
            Gif { local: Some(vec![RED, GREEN, BLUE, NIGHT]), ..plain },
        ] {
            let theirs = image::load_from_memory_with_format(&gif.file(), image::ImageFormat::Gif).unwrap();
            assert_eq!(gif.decode().unwrap().data(), theirs.to_rgb8().as_raw(), "{width}x{height}");
        }
    }
}
