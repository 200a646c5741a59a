//! Which format a file is in, by its first bytes: file extensions are often wrong.

/// An image file format that can be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// JPEG of 8 bits: sequential and progressive, with Huffman or arithmetic coding.
    Jpeg,
    /// PNG; the first image of an animated one.
    Png,
    /// Bitmap of Windows or OS/2.
    Bmp,
    /// GIF; the first image of an animated one.
    Gif,
    /// TIFF; the first page.
    Tiff,
    /// WebP, lossy and lossless; the first image of an animated one.
    WebP,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 6] =
        [Format::Jpeg, Format::Png, Format::Bmp, Format::Gif, Format::Tiff, Format::WebP];

    /// The format that `bytes`, the start of a file, announce.
    pub fn sniff(bytes: &[u8]) -> Option<Format> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Format::Png),
            [b'B', b'M', ..] => Some(Format::Bmp),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            // Classic TIFF is version 42, BigTIFF 43.
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Format::Tiff),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::WebP),
            _ => None,
        }
    }

    /// The usual name, such as `JPEG`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::Bmp => "BMP",
            Format::Gif => "GIF",
            Format::Tiff => "TIFF",
            Format::WebP => "WebP",
        }
    }

    /// The file extensions that this format goes by, in lower case and without the dot.
    pub fn extensions(self) -> &'static [&'static str] {
        match self {
            Format::Jpeg => &["jpg", "jpeg", "jfif", "jpe", "jif"],
            Format::Png => &["png"],
            Format::Bmp => &["bmp"],
            Format::Gif => &["gif"],
            Format::Tiff => &["tif", "tiff"],
            Format::WebP => &["webp"],
        }
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
