//! Kinds of pictures that are known by their name or their first bytes and cannot be read here, so that they can be called
//! what they are instead of being passed over.

/// A kind of picture that is not read here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnreadKind {
    /// The usual name, such as `HEIC`.
    pub name: &'static str,
    /// The file extensions that it goes by, in lower case and without the dot.
    pub extensions: &'static [&'static str],
    /// Whether it is better converted to PNG than to JPEG: it has sharp edges, or few and exact values.
    pub to_png: bool,
}

const fn kind(name: &'static str, extensions: &'static [&'static str], to_png: bool) -> UnreadKind {
    UnreadKind { name, extensions, to_png }
}

/// Every such kind. Extensions that other files go by more often than pictures (`.raw`, `.ai`, `.mos`) are left out.
const KINDS: [UnreadKind; 16] = [
    kind("HEIC", &["heic", "heif", "heics", "heifs", "hif"], false),
    kind("AVIF", &["avif", "avifs"], false),
    kind("JPEG 2000", &["jp2", "j2k", "j2c", "jpc", "jpf", "jpx", "jpm"], false),
    kind("JPEG XL", &["jxl"], false),
    kind("JPEG XR", &["jxr", "wdp", "hdp"], false),
    kind("DICOM", &["dcm", "dicom"], true),
    kind("SVG", &["svg", "svgz"], true),
    kind("Photoshop", &["psd", "psb", "xcf"], true),
    kind("Netpbm", &["ppm", "pgm", "pbm", "pnm", "pam", "pfm"], true),
    kind("Targa", &["tga"], true),
    kind("HDR", &["exr", "hdr"], true),
    kind("PCX", &["pcx"], true),
    kind("OS/2 bitmap array", &["bga"], true),
    kind("NIfTI", &["nii", "mha", "mhd", "nrrd"], true),
    kind("whole-slide", &["svs", "ndpi", "mrxs", "scn"], false),
    kind(
        "raw camera",
        &[
            "cr2", "cr3", "crw", "nef", "nrw", "arw", "sr2", "srf", "dng", "orf", "rw2", "raf", "pef", "srw",
            "x3f", "3fr", "erf", "kdc", "mef", "mrw", "rwl", "iiq",
        ],
        false,
    ),
];

impl UnreadKind {
    /// The kind that an extension, without its dot and in any case, stands for.
    pub fn of_extension(extension: &str) -> Option<UnreadKind> {
        let is =
            |kind: &&UnreadKind| kind.extensions.iter().any(|known| known.eq_ignore_ascii_case(extension));
        KINDS.iter().find(is).copied()
    }

    /// The kind that `bytes`, the start of a file, announce.
    ///
    /// Sources: ISO 14496-12 (`ftyp` and its brands), ISO 23008-12 and the AVIF specification, ISO 15444-1, ISO 18181-2, DICOM
    /// part 10, and the makers' marks of raw files that are no TIFF files.
    pub fn sniff(bytes: &[u8]) -> Option<UnreadKind> {
        let extension = match bytes {
            [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => match brand.get(..4)? {
                b"avif" | b"avis" => "avif",
                b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" | b"hevm" | b"hevs" => "heic",
                // Any still image: the brands that follow say of which kind.
                b"mif1" | b"msf1" => {
                    let length = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
                    let brands = &bytes[..bytes.len().min(length)];
                    if brands.windows(4).any(|brand| brand == b"avif") { "avif" } else { "heic" }
                }
                b"crx " => "cr3",
                _ => return None,
            },
            [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xFF, 0x4F, 0xFF, 0x51, ..] => "jp2",
            [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] | [0xFF, 0x0A, ..] => "jxl",
            [b'I', b'I', 0xBC, ..] => "jxr",
            [b'8', b'B', b'P', b'S', ..] => "psd",
            [b'F', b'U', b'J', b'I', b'F', b'I', b'L', b'M', ..] => "raf",
            [b'F', b'O', b'V', b'b', ..] => "x3f",
            [b'I', b'I', b'R', b'O' | b'S', ..] => "orf",
            [b'I', b'I', b'U', 0, ..] => "rw2",
            // The first of its bitmaps follows its 14 bytes; two letters alone are too few.
            [b'B', b'A', _, _, _, _, _, _, _, _, _, _, _, _, b'B', b'M', ..] => "bga",
            [0x76, 0x2F, 0x31, 0x01, ..] => "exr",
            [b'P', b'1'..=b'7', b'\n' | b' ' | b'\r' | b'\t', ..] => "ppm",
            _ if bytes.get(128..132) == Some(b"DICM") => "dcm",
            _ if is_svg(bytes) => "svg",
            _ => return None,
        };
        UnreadKind::of_extension(extension)
    }
}

fn is_svg(bytes: &[u8]) -> bool {
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(1024)]);
    let start = start.trim_start_matches('\u{feff}').trim_start();
    start.starts_with("<svg") || (start.starts_with("<?xml") && start.contains("<svg"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_extensions_and_none_twice() {
        let mut all: Vec<&str> = KINDS.iter().flat_map(|kind| kind.extensions).copied().collect();
        all.extend(crate::Format::ALL.iter().flat_map(|format| format.extensions()));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
        assert_eq!(UnreadKind::of_extension("HEIC").map(|kind| kind.name), Some("HEIC"));
        assert_eq!(UnreadKind::of_extension("jpg"), None);
    }

    #[test]
    fn kinds_are_known_by_their_first_bytes() {
        let name = |bytes: &[u8]| UnreadKind::sniff(bytes).map(|kind| kind.name);
        for (bytes, expected) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], Some("HEIC")),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1heic", Some("HEIC")),
            (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", Some("AVIF")),
            (b"\0\0\0\x1cftypavif\0\0\0\0", Some("AVIF")),
            (b"\0\0\0\x18ftypmp42\0\0\0\0", None),
            (b"\0\0\0\x0cjP  \r\n\x87\n", Some("JPEG 2000")),
            (b"\xff\x0a", Some("JPEG XL")),
            (b"<?xml version=\"1.0\"?>\n<svg xmlns=\"x\">", Some("SVG")),
            (b"<html><svg>", None),
            (b"8BPS", Some("Photoshop")),
            (b"P6\n1 1", Some("Netpbm")),
            (b"BA\x28\0\0\0\0\0\0\0\0\0\0\0BM", Some("OS/2 bitmap array")),
            (b"BAnanas, apples, BM", None),
            (b"\xff\xd8\xff\xe0", None),
            (b"\0\0\0\x18ftyp", None),
            (b"", None),
        ] {
            assert_eq!(name(bytes), expected, "{bytes:?}");
        }
        let mut dicom = vec![0; 128];
        dicom.extend(b"DICM");
        assert_eq!(name(&dicom), Some("DICOM"));
    }
}
