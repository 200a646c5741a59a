//! BMP, by files written here: every header and coding, what programs write beside the rules, and what breaks them.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_image::{DecodeError, Image, Limits, Reading, decode, decode_as, probe};
use pupila_random::{Purpose, Stream};

/// A file of two by two pixels, unless said otherwise.
#[derive(Clone, Default)]
struct Bmp {
    header: usize,
    width: i32,
    height: i32,
    bits: u16,
    compression: u32,
    colors: u32,
    masks: Vec<u32>,
    palette: Vec<[u8; 3]>,
    offset: Option<u32>,
    pixels: Vec<u8>,
}

const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BLUE: [u8; 3] = [0, 0, 255];
const GRAY: [u8; 3] = [9, 9, 9];

impl Bmp {
    /// Colors red, green over blue, gray.
    fn new(header: usize) -> Bmp {
        let pixels = vec![255, 0, 0, 9, 9, 9, 0, 0, /* below */ 0, 0, 255, 0, 255, 0, 0, 0];
        Bmp { header, width: 2, height: 2, bits: 24, pixels, ..Bmp::default() }
    }

    fn indexed(bits: u16, palette: &[[u8; 3]], pixels: &[u8]) -> Bmp {
        Bmp { bits, palette: palette.to_vec(), pixels: pixels.to_vec(), ..Bmp::new(40) }
    }

    fn masked(header: usize, bits: u16, masks: &[u32], pixels: &[u32]) -> Bmp {
        let bytes = usize::from(bits / 8);
        let pixels = pixels.iter().flat_map(|pixel| pixel.to_le_bytes()[..bytes].to_vec()).collect();
        Bmp { bits, compression: 3, masks: masks.to_vec(), pixels, ..Bmp::new(header) }
    }

    fn runs(bits: u16, width: i32, height: i32, pixels: &[u8]) -> Bmp {
        let palette = [GRAY, RED, GREEN, BLUE];
        let compression = if bits == 8 { 1 } else { 2 };
        Bmp { width, height, compression, colors: 4, ..Bmp::indexed(bits, &palette, pixels) }
    }

    fn file(&self) -> Vec<u8> {
        let mut info = (self.header as u32).to_le_bytes().to_vec();
        if self.header == 12 {
            info.extend((self.width as u16).to_le_bytes());
            info.extend((self.height as u16).to_le_bytes());
            info.extend([1, 0]);
            info.extend(self.bits.to_le_bytes());
        } else {
            info.extend(self.width.to_le_bytes());
            info.extend(self.height.to_le_bytes());
            info.extend([1, 0]);
            info.extend(self.bits.to_le_bytes());
            for field in [self.compression, 0, 2835, 2835, self.colors, 0] {
                info.extend(field.to_le_bytes());
            }
            info.extend(self.masks.iter().flat_map(|mask| mask.to_le_bytes()));
            // Behind the shorter header masks follow, in longer ones they stand.
            let end = if self.header == 40 { info.len() } else { self.header };
            info.resize(end, 0);
        }
        for &[r, g, b] in &self.palette {
            info.extend([b, g, r]);
            if self.header != 12 {
                info.push(0);
            }
        }
        let start = self.offset.unwrap_or(14 + info.len() as u32);
        let length = (14 + info.len() + self.pixels.len()) as u32;
        [&b"BM"[..], &length.to_le_bytes(), &[0; 4], &start.to_le_bytes(), &info, &self.pixels].concat()
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

    fn refusal(&self) -> String {
        self.decode().unwrap_err().to_string()
    }
}

#[test]
fn every_header_is_read() {
    for header in [12, 16, 20, 40, 48, 52, 56, 64, 108, 124] {
        let mut bmp = Bmp::new(header);
        assert_eq!(bmp.pixels(), [RED, GREEN, BLUE, GRAY], "{header}");
        if header != 12 {
            bmp.height = -2;
            assert_eq!(bmp.pixels(), [BLUE, GRAY, RED, GREEN], "{header}");
        }
        // Old programs leave anything where an offset belongs, or zero.
        bmp.offset = Some(0);
        assert_eq!(bmp.pixels().len(), 4);
    }
    for header in [0, 11, 13, 15, 65, 107, 125, 4000] {
        let mut file = Bmp::new(40).file();
        file[14..18].copy_from_slice(&u32::to_le_bytes(header));
        let said = decode(&file, 3, &Limits::default()).unwrap_err().to_string();
        assert!(said.contains(&format!("no header of a bitmap has {header} bytes")), "{said}");
    }
}

#[test]
fn numbers_of_colors_are_read() {
    let palette = [GRAY, RED, GREEN, BLUE];
    let rows = |below: u8, above: u8| [below, 0, 0, 0, above, 0, 0, 0];
    for (bits, pixels, expected) in [
        (1, rows(0b1000_0000, 0b0100_0000), [GRAY, RED, RED, GRAY]),
        (2, rows(0b0001_0000, 0b1011_0000), [GREEN, BLUE, GRAY, RED]),
        (4, rows(0x01, 0x23), [GREEN, BLUE, GRAY, RED]),
        (8, [0, 1, 0, 0, 2, 3, 0, 0], [GREEN, BLUE, GRAY, RED]),
    ] {
        let count = if bits == 1 { 2 } else { 4 };
        let mut bmp = Bmp::indexed(bits, &palette[..count], &pixels);
        bmp.colors = count as u32;
        assert_eq!(bmp.pixels(), expected, "{bits}");
        // The offset alone says how many colors there are.
        bmp.colors = 0;
        assert_eq!(bmp.pixels(), expected, "{bits}");
        bmp.colors = u32::MAX;
        assert_eq!(bmp.pixels(), expected, "{bits}");
        // Without an offset so many of them do not fit the file.
        bmp.offset = Some(0);
        assert!(bmp.refusal().contains("0 of 2 rows"), "{}", bmp.refusal());
        bmp.colors = count as u32;
        assert_eq!(bmp.pixels(), expected, "{bits}");
        bmp.offset = Some(14 + 40);
        assert_eq!(bmp.pixels(), expected, "{bits}");
    }
    // A color that is not there is black; neither what follows the palette nor gray.
    let mut bmp = Bmp::indexed(8, &palette, &[3, 4, 0, 0, 255, 1, 0, 0]);
    bmp.colors = 3;
    assert_eq!(bmp.pixels(), [[0; 3], RED, [0; 3], [0; 3]]);
    bmp.header = 12;
    bmp.offset = Some(14 + 12 + 4 * 3);
    assert_eq!(bmp.pixels(), [[0; 3], RED, BLUE, [0; 3]]);
}

#[test]
fn masks_cut_out_the_colors() {
    let five = [0xF800, 0x7E0, 0x1F];
    let values = [0xFFFF, 0, 0x0821, 0x8410];
    let expected = [[8, 4, 8], [131, 129, 131], [255; 3], [0; 3]];
    for header in [40, 52, 56, 108, 124] {
        assert_eq!(Bmp::masked(header, 16, &five, &values).pixels(), expected, "{header}");
    }
    // Without masks 16 bits are three times five.
    let mut bmp = Bmp::masked(40, 16, &[], &[0x7FFF, 0x8000, 0x0421, 0xC210]);
    bmp.compression = 0;
    assert_eq!(bmp.pixels(), [[8; 3], [131; 3], [255; 3], [0; 3]]);
    let ten = Bmp::masked(40, 32, &[0x3FF0_0000, 0xF_FC00, 0x3FF], &[u32::MAX, 0x3FF, 0x200 << 20, 1 << 30]);
    assert_eq!(ten.pixels(), [[127, 0, 0], [0; 3], [255; 3], BLUE]);
    // One color of all bits but two.
    let wide = Bmp::masked(40, 32, &[0xFFFF_FFFC, 2, 1], &[0xFFFF_FFFC, 2, 1, 0x7FFF_FFFC]);
    assert_eq!(wide.pixels(), [BLUE, [127, 0, 0], RED, GREEN]);
    // The compression with a mask for alpha behind the short header, and one of 24 bits.
    let mut four = Bmp::masked(40, 16, &[0xF00, 0xF0, 0xF, 0xF000], &[0xF00, 0xF0, 0xF, 0xF888]);
    four.compression = 6;
    assert_eq!(four.pixels(), [BLUE, [136; 3], RED, GREEN]);
    let swapped = Bmp { compression: 3, masks: vec![0xFF, 0xFF00, 0xFF_0000], ..Bmp::new(40) };
    assert_eq!(swapped.pixels(), [BLUE, GREEN, RED, GRAY]);
    for masks in [[0xFF00FF, 0xFF00, 0xFF00_0000], [0xF800, 0, 0x1F], [0x1F_0000, 0x7E0, 0x1F], [0, 0, 0]] {
        let said = Bmp::masked(108, 16, &masks, &values).refusal();
        assert!(said.contains("the masks of its colors are"), "{said}");
    }
}

#[test]
fn alpha_is_what_a_mask_says_it_is() {
    let below = Reading { background: Some([200; 3]), ..Reading::default() };
    let laid = |bmp: &Bmp| decode_as(&bmp.file(), 3, &Limits::default(), &below).unwrap().data().to_vec();
    let masks = [0xFF_0000, 0xFF00, 0xFF, 0xFF00_0000];
    let values = [0x0000_0000, 0x80FF_FFFF, 0xFF01_0203, 0x0001_0203];
    let shown = [1, 2, 3, 200, 200, 200, 200, 200, 200, 228, 228, 228];
    for header in [56, 108, 124] {
        let bmp = Bmp::masked(header, 32, &masks, &values);
        assert_eq!(laid(&bmp), shown, "{header}");
        assert_eq!(bmp.pixels(), [[1, 2, 3], [1, 2, 3], [0; 3], [255; 3]]);
        // Of masks that say nothing Pillow thinks the same; where they do not count, the fourth byte may be anything.
        assert_eq!(laid(&Bmp { masks: vec![], ..bmp.clone() }), shown, "{header}");
        let plain = Bmp { compression: 0, ..bmp };
        assert_eq!(laid(&plain), plain.decode().unwrap().data(), "{header}");
    }
    let short = Bmp::masked(40, 32, &masks[..3], &values);
    assert_eq!(laid(&short), short.decode().unwrap().data());
    let bit = Bmp::masked(56, 16, &[0x7C00, 0x3E0, 0x1F, 0x8000], &[0x7FFF, 0xFFFF, 0, 0x8000]);
    assert_eq!(laid(&bit), [200, 200, 200, 0, 0, 0, 200, 200, 200, 255, 255, 255]);
}

#[test]
fn runs_are_read() {
    let rows = |bits, pixels: &[u8]| Bmp::runs(bits, 4, 2, pixels).pixels();
    let full = [RED, GREEN, RED, GREEN, BLUE, BLUE, BLUE, RED];
    // Pairs, and pixels as they are with a byte that makes them even.
    let bytes = [3, 3, 1, 1, 0, 0, 0, 3, 1, 2, 1, 0, 1, 2, 0, 1];
    assert_eq!(rows(8, &bytes), full);
    assert_eq!(rows(4, &[3, 0x33, 1, 0x10, 0, 0, 4, 0x12, 0, 1]), full);
    assert_eq!(rows(4, &[0, 4, 0x33, 0x31, 0, 0, 0, 3, 0x12, 0x10, 1, 0x20, 0, 1]), full);
    assert_eq!(Bmp::runs(8, 4, -2, &bytes).pixels(), [&full[4..], &full[..4]].concat());
    // Behind the last pixel no mark is needed, nor the byte that makes them even.
    assert_eq!(rows(8, &bytes[..14]), full);
    assert_eq!(rows(8, &[4, 1, 0, 0, 4, 1, 0, 0]), [RED; 8]);
    assert_eq!(rows(8, &[4, 1, 0, 0, 1, 1, 0, 3, 1, 1, 1]), [RED; 8]);
    // What fills up rows to four bytes may be counted too.
    let narrow = |bits, pixels: &[u8]| Bmp::runs(bits, 1, 2, pixels).pixels();
    assert_eq!(narrow(8, &[4, 1, 0, 0, 0, 4, 2, 3, 3, 3, 0, 1]), [GREEN, RED]);
    assert_eq!(narrow(4, &[2, 0x11, 6, 0x33, 0, 0, 0, 8, 0x21, 1, 1, 1, 0, 1]), [GREEN, RED]);
    // Jumps, early ends of a row and of all: of the first color.
    assert_eq!(rows(8, &[0, 2, 1, 0, 1, 1, 0, 2, 1, 1, 1, 2, 0, 1]), {
        [GRAY, GRAY, GRAY, GREEN, GRAY, RED, GRAY, GRAY]
    });
    assert_eq!(rows(8, &[1, 1, 0, 0, 1, 2, 0, 0, 0, 1]), [GREEN, GRAY, GRAY, GRAY, RED, GRAY, GRAY, GRAY]);
    assert_eq!(rows(8, &[0, 2, 4, 0, 0, 0, 4, 1, 0, 1]), [RED, RED, RED, RED, GRAY, GRAY, GRAY, GRAY]);
    assert_eq!(rows(8, &[0, 1]), [GRAY; 8]);
    assert_eq!(rows(8, &[0, 2, 0, 2]), [GRAY; 8]);

    for (bits, pixels, reason) in [
        (8, &[5, 1, 0, 1][..], "beyond its row"),
        (8, &[4, 1, 1, 1, 0, 1], "beyond its row"),
        (8, &[2, 1, 0, 3, 1, 1, 1, 0, 0, 1], "beyond its row"),
        (4, &[9, 0x11, 0, 1], "beyond its row"),
        (8, &[0, 2, 5, 0, 0, 1], "jumps out"),
        (8, &[0, 2, 0, 3, 0, 1], "jumps out"),
        (8, &[], "0 of 2 rows"),
        (8, &[4, 1, 0, 0, 3, 1], "1 of 2 rows"),
        (8, &[4, 1, 0, 0, 3, 1, 0, 2, 1], "1 of 2 rows"),
        (8, &[4, 1, 0, 0, 0, 4, 1, 1, 1], "1 of 2 rows"),
    ] {
        let said = Bmp::runs(bits, 4, 2, pixels).refusal();
        assert!(said.contains(reason), "{pixels:?}: {said}");
    }
    // What fills a row up counts once, however many runs there are.
    for (bits, pixels) in [
        (8, &[8, 1, 2, 2, 0, 0, 6, 1, 0, 1][..]),
        (8, &[6, 1, 2, 2, 2, 2, 0, 0, 6, 1, 0, 1]),
        (8, &[7, 1, 0, 3, 1, 1, 1, 0, 0, 0, 6, 1, 0, 1]),
        (4, &[8, 0x11, 1, 0x11, 0, 0, 6, 0x11, 0, 1]),
    ] {
        let said = Bmp::runs(bits, 6, 2, pixels).refusal();
        assert!(said.contains("beyond its row"), "{pixels:?}: {said}");
    }
    assert_eq!(Bmp::runs(8, 6, 2, &[6, 1, 2, 2, 0, 0, 7, 1, 1, 2, 0, 1]).pixels(), [RED; 12]);
}

#[test]
fn what_is_not_read_is_named() {
    for (header, compression, bits, name) in [
        (40, 4, 0, "a JPEG inside"),
        (124, 5, 0, "a PNG inside"),
        (124, 11, 32, "CMYK"),
        (64, 3, 1, "Huffman codes"),
        (64, 4, 24, "run lengths of 24 bits"),
        (40, 0, 64, "64 bits a pixel"),
        (40, 0, 3, "3 bits a pixel"),
        (40, 1, 4, "compression 1 with 4 bits"),
        (40, 77, 8, "compression 77"),
    ] {
        let said = Bmp { compression, bits, ..Bmp::new(header) }.refusal();
        assert!(said.contains(name), "{said}");
    }
    let array = [&b"BA\x28\0\0\0\0\0\0\0\0\0\0\0"[..], &Bmp::new(12).file()].concat();
    let said = decode(&array, 3, &Limits::default()).unwrap_err().to_string();
    assert!(said.starts_with("its content is OS/2 bitmap array"), "{said}");
}

#[test]
fn sides_and_offsets_that_cannot_be_are_refused() {
    for (width, height) in [(0, 2), (2, 0), (-2, 2), (i32::MIN, 2)] {
        let said = Bmp { width, height, ..Bmp::new(40) }.refusal();
        assert!(said.contains(&format!("its size is {width}x{height}")), "{said}");
    }
    // No limit but that of what there is: nothing is allocated for rows that are not there.
    let limits = Limits { max_pixels: u64::MAX };
    for (width, height) in [(2, i32::MIN), (i32::MAX, i32::MIN), (i32::MAX, i32::MAX), (2, 3), (i32::MAX, 1)]
    {
        let bmp = Bmp { width, height, ..Bmp::new(40) };
        let error = decode(&bmp.file(), 3, &limits).unwrap_err();
        assert!(matches!(error, DecodeError::Truncated { .. }), "{width}x{height}: {error}");
        if width == i32::MAX || height == i32::MIN {
            assert!(matches!(bmp.decode(), Err(DecodeError::TooLarge { .. })), "{width}x{height}");
        }
    }
    // A short stream may stand for many rows, so there the limit alone counts.
    let runs = Bmp::runs(8, i32::MAX, i32::MIN, &[0, 1]);
    assert!(matches!(runs.decode(), Err(DecodeError::TooLarge { .. })));
    assert!(matches!(decode(&runs.file(), 3, &limits), Err(DecodeError::Memory { .. })));

    for offset in [1, 14, 53] {
        let said = Bmp { offset: Some(offset), ..Bmp::new(40) }.refusal();
        assert!(said.contains("begin within its header"), "{said}");
    }
    for offset in [71, 10_000, u32::MAX] {
        let said = Bmp { offset: Some(offset), ..Bmp::new(40) }.refusal();
        assert!(said.contains("of 2 rows are there"), "{said}");
    }
}

/// Files of each kind.
fn kinds() -> Vec<Bmp> {
    let palette = [GRAY, RED, GREEN, BLUE];
    let mut kinds: Vec<Bmp> = [12, 16, 40, 52, 56, 64, 108, 124].map(Bmp::new).into();
    kinds.push(Bmp { height: -2, ..Bmp::new(40) });
    kinds.extend([1, 2, 4, 8].map(|bits| Bmp::indexed(bits, &palette, &[1, 2, 3, 0, 3, 2, 1, 0])));
    kinds.push(Bmp::masked(40, 16, &[0xF800, 0x7E0, 0x1F], &[1, 2, 3, 4]));
    kinds.push(Bmp::masked(108, 32, &[0xFF, 0xFF00, 0xFF_0000, 0xFF00_0000], &[1, 2, 3, 4]));
    kinds.push(Bmp::masked(124, 32, &[0x3FF0_0000, 0xF_FC00, 0x3FF, 3 << 30], &[1, 2, 3, 4]));
    kinds.push(Bmp::runs(8, 4, 3, &[2, 1, 0, 2, 1, 1, 1, 2, 0, 0, 0, 3, 1, 2, 1, 0, 1, 2, 0, 1]));
    kinds.push(Bmp::runs(4, 4, 3, &[4, 0x12, 0, 0, 0, 3, 0x12, 0x10, 1, 0x20, 0, 2, 0, 1, 0, 1]));
    kinds
}

#[test]
fn a_cut_file_is_refused_unless_nothing_is_lost() {
    let mut refused = 0;
    for bmp in kinds() {
        let (file, whole) = (bmp.file(), bmp.decode().unwrap());
        for end in 0..file.len() {
            let _ = probe(&file[..end]);
            match decode(&file[..end], 3, &Limits::default()) {
                Ok(image) => {
                    // What fills up the last row.
                    assert!(file.len() - end <= 3, "{} of {} bytes", end, file.len());
                    assert_eq!(image, whole);
                }
                Err(DecodeError::Truncated { .. }) => refused += 1,
                Err(error) => assert!(end < 2, "{end}: {error}"),
            }
        }
    }
    assert!(refused > 1000, "{refused}");
}

#[test]
fn random_damage_never_panics() {
    let mut random = Stream::new(7, Purpose::Bootstrap, 0, 0);
    let limits = Limits { max_pixels: 1 << 16 };
    let mut read = 0;
    for bmp in kinds() {
        let file = bmp.file();
        for _ in 0..2000 {
            let mut damaged = file.clone();
            for _ in 0..=random.below(4) {
                let at = random.below(file.len() as u32) as usize;
                // Signs, and counts of all or none, are where sums go wrong.
                damaged[at] = match random.below(4) {
                    0 => 0xFF,
                    1 => 0,
                    2 => 0x80,
                    _ => random.next_u32() as u8,
                };
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
    let mut random = Stream::new(8, Purpose::Bootstrap, 0, 0);
    let mut bytes = |count: usize| (0..count).map(|_| random.next_u32() as u8).collect::<Vec<u8>>();
    let mut cases = 0;
    for (width, height) in [(1i32, 1i32), (3, 5), (8, 2), (17, 9), (33, -7), (70, 3)] {
        let palette: Vec<[u8; 3]> = bytes(768).chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect();
        for header in [12, 40, 52, 56, 108, 124] {
            for bits in [1u16, 2, 4, 8, 24, 32] {
                // Not its reading: rows from the top, and two and 32 bits, in the oldest header.
                if header == 12 && (height < 0 || matches!(bits, 2 | 32)) {
                    continue;
                }
                let stride = (width as usize * usize::from(bits)).div_ceil(32) * 4;
                let pixels = bytes(stride * height.unsigned_abs() as usize);
                let palette = if bits <= 8 { palette[..1 << bits].to_vec() } else { vec![] };
                let bmp = Bmp { width, height, bits, palette, pixels, ..Bmp::new(header) };
                let theirs =
                    image::load_from_memory_with_format(&bmp.file(), image::ImageFormat::Bmp).unwrap();
                assert_eq!(bmp.decode().unwrap().data(), theirs.to_rgb8().as_raw(), "{header} {bits}");
                cases += 1;
            }
        }
    }
    assert_eq!(cases, 200);
}
