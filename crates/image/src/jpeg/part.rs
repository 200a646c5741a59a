//! JPEG inside of another file, such as a strip of a TIFF.

use crate::{DecodeError, Format};

/// The samples of such a JPEG.
pub(crate) struct Part {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Samples a pixel.
    pub(crate) components: usize,
    /// Interleaved, without padding.
    pub(crate) data: Vec<u8>,
}

/// Decodes an abbreviated JPEG with the tables that it shares with others; `ycc` converts YCbCr to RGB.
pub(crate) fn decode_part(_tables: Option<&[u8]>, _bytes: &[u8], _ycc: bool) -> Result<Part, DecodeError> {
    Err(DecodeError::Malformed {
        format: Format::Jpeg,
        reason: "JPEG inside of another file is not read".to_owned(),
    })
}
