//! How a picture is to be turned, as its EXIF block or its XMP packet says: what Pillow's `ImageOps.exif_transpose` makes of them.

use image::metadata::Orientation;

/// The tag of the orientation (EXIF 2.32, table 4).
const TAG: u16 = 0x0112;

/// The orientation by an EXIF block, with or without its name before it, else by an XMP packet.
pub(crate) fn orientation(exif: Option<&[u8]>, xmp: Option<&[u8]>) -> Orientation {
    let said = exif.and_then(of_exif).or_else(|| xmp.and_then(of_xmp));
    said.and_then(Orientation::from_exif).unwrap_or(Orientation::NoTransforms)
}

/// The EXIF block of a PNG file, which may stand before its pixels or after them.
pub(crate) fn in_png(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 8;
    loop {
        let (length, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
        let length = u32::from_be_bytes(*length) as usize;
        if let Some(data) = rest.strip_prefix(b"eXIf") {
            return data.get(..length);
        }
        // Its length, its name, its data and its checksum.
        at = at.checked_add(length)?.checked_add(12)?;
    }
}

/// A chunk of a WebP file of the extended kind, such as its EXIF block; none where it says that it is longer than the file.
pub(crate) fn in_webp<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    let mut at = 12;
    // Files of the other kinds have pixels alone.
    bytes.get(at..)?.strip_prefix(b"VP8X")?;
    loop {
        let (found, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        if found == name {
            return rest.get(..length);
        }
        // Its name, its length, its data, and a byte where these are odd.
        at = at.checked_add(length)?.checked_add(8 + length % 2)?;
    }
}

/// The value in the first directory, stored as SHORT or, by some programs, as LONG. `None` where there is none, or the block is broken.
fn of_exif(exif: &[u8]) -> Option<u8> {
    let exif = exif.strip_prefix(b"Exif\0\0").unwrap_or(exif);
    let little = match exif.first_chunk()? {
        b"II*\0" => true,
        b"MM\0*" => false,
        _ => return None,
    };
    let short = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let long = |at: usize| {
        let bytes = *exif.get(at..)?.first_chunk()?;
        Some(if little { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) })
    };
    let directory = usize::try_from(long(4)?).ok()?;
    let entries = usize::from(short(directory)?);
    let entry = (0..entries).map(|i| directory + 2 + 12 * i).find(|&at| short(at) == Some(TAG))?;
    let value = match short(entry + 2)? {
        3 => u32::from(short(entry + 8)?),
        4 => long(entry + 8)?,
        _ => return None,
    };
    u8::try_from(value).ok()
}

/// The value of `tiff:Orientation`, an attribute or an element.
fn of_xmp(xmp: &[u8]) -> Option<u8> {
    const NAME: &[u8] = b"tiff:Orientation";
    let mut rest = xmp;
    while let Some(at) = rest.windows(NAME.len()).position(|bytes| bytes == NAME) {
        rest = &rest[at + NAME.len()..];
        let value = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"));
        if let Some(&digit @ b'0'..=b'9') = value.and_then(<[u8]>::first) {
            return Some(digit - b'0');
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(little: bool, kind: u16, value: &[u8]) -> Vec<u8> {
        let short = |x: u16| if little { x.to_le_bytes() } else { x.to_be_bytes() };
        let long = |x: u32| if little { x.to_le_bytes() } else { x.to_be_bytes() };
        let mut exif = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        exif.extend(long(8));
        exif.extend(short(2));
        exif.extend([&short(0x0110)[..], &short(3), &long(1), &short(6), &[0, 0]].concat());
        exif.extend([&short(TAG)[..], &short(kind), &long(1), value].concat());
        exif
    }

    #[test]
    fn short_and_long_numbers_are_read() {
        for (little, kind, value) in [
            (true, 3, [6, 0, 0, 0]),
            (false, 3, [0, 6, 0, 0]),
            (true, 4, [6, 0, 0, 0]),
            (false, 4, [0, 0, 0, 6]),
        ] {
            let exif = block(little, kind, &value);
            assert_eq!(orientation(Some(&exif), None), Orientation::Rotate90, "{little} {kind}");
            let named = [b"Exif\0\0", &exif[..]].concat();
            assert_eq!(orientation(Some(&named), None), Orientation::Rotate90);
            for end in 0..exif.len() {
                let _ = orientation(Some(&exif[..end]), None);
            }
        }
        // What is no orientation turns nothing.
        assert_eq!(orientation(Some(&block(true, 3, &[9, 0, 0, 0])), None), Orientation::NoTransforms);
        assert_eq!(orientation(Some(&block(true, 5, &[6, 0, 0, 0])), None), Orientation::NoTransforms);
        assert_eq!(orientation(Some(b"II*\0\xff\xff\xff\xff"), None), Orientation::NoTransforms);
    }

    #[test]
    fn a_png_holds_it_anywhere() {
        let chunk = |name: &[u8; 4], data: &[u8]| {
            [&(data.len() as u32).to_be_bytes()[..], name, data, &[0; 4]].concat()
        };
        let start = b"\x89PNG\r\n\x1a\n";
        let png = [&start[..], &chunk(b"IDAT", b"pixels"), &chunk(b"eXIf", b"block"), &chunk(b"IEND", b"")]
            .concat();
        assert_eq!(in_png(&png), Some(&b"block"[..]));
        assert_eq!(in_png(&[&start[..], &chunk(b"IEND", b"eXIf")].concat()), None);
        assert_eq!(in_png(&[&start[..], &[0xFF; 8]].concat()), None);
        for end in 0..png.len() {
            assert!(matches!(in_png(&png[..end]), None | Some(b"block")));
        }
    }

    #[test]
    fn a_chunk_of_a_webp_file_is_no_longer_than_the_file() {
        let chunk = |name: &[u8; 4], data: &[u8]| {
            let pad = &[0][..data.len() % 2];
            [name, &(data.len() as u32).to_le_bytes()[..], data, pad].concat()
        };
        let front = [&b"RIFF____WEBP"[..], &chunk(b"VP8X", &[0; 10]), &chunk(b"VP8 ", b"odd")].concat();
        let webp = [&front[..], &chunk(b"EXIF", b"block"), &chunk(b"XMP ", b"text")].concat();
        assert_eq!(in_webp(&webp, b"EXIF"), Some(&b"block"[..]));
        assert_eq!(in_webp(&webp, b"XMP "), Some(&b"text"[..]));
        assert_eq!(in_webp(&webp, b"ICCP"), None);
        // 4 GiB of a few bytes.
        assert_eq!(in_webp(&[&front[..], b"EXIF\xfe\xff\xff\xff..."].concat(), b"EXIF"), None);
        assert_eq!(in_webp(&[&b"RIFF____WEBP"[..], &chunk(b"VP8 ", b"pixels")].concat(), b"EXIF"), None);
        for end in 0..webp.len() {
            assert!(matches!(in_webp(&webp[..end], b"EXIF"), None | Some(b"block")));
        }
    }

    #[test]
    fn xmp_counts_where_exif_says_nothing() {
        for xmp in [
            &b"<rdf:Description tiff:Orientation=\"3\">"[..],
            b"<tiff:Orientation>3</tiff:Orientation>",
            b"tiff:Orientation is <tiff:Orientation>3<",
        ] {
            assert_eq!(orientation(None, Some(xmp)), Orientation::Rotate180);
            let exif = block(true, 3, &[6, 0, 0, 0]);
            assert_eq!(orientation(Some(&exif), Some(xmp)), Orientation::Rotate90);
        }
        assert_eq!(orientation(None, Some(b"tiff:Orientation")), Orientation::NoTransforms);
        assert_eq!(orientation(None, Some(b"tiff:Orientation=\"x\"")), Orientation::NoTransforms);
    }
}
