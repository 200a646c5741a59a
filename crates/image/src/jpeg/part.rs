//! A part of another file's picture: a strip or tile of a TIFF file.

use super::File;
use super::headers::{Color, Headers, Next};
use super::malformed;
use crate::{DecodeError, Limits};

/// The samples of a part, `[height, width, components]`.
pub(crate) struct Part {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) components: usize,
    pub(crate) data: Vec<u8>,
}

/// Decodes a part whose tables may stand in a file of their own (`JPEGTables`). With `ycc` three components are YCbCr and become
/// RGB, else all are as they are stored: the TIFF file says what they are, and markers of the JPEG do not count, as in libtiff.
pub(crate) fn decode_part(
    tables: Option<&[u8]>,
    bytes: &[u8],
    ycc: bool,
    limits: &Limits,
) -> Result<Part, DecodeError> {
    let mut headers = Headers::new(tables.unwrap_or(bytes));
    if tables.is_some() {
        if let Next::Scan(_) = headers.next()? {
            return Err(malformed("its tables hold an image".to_owned()));
        }
        headers.go_on_with(bytes);
    }
    let mut file = File::open_with(bytes, headers)?;
    file.check_size(limits)?;
    let (width, height) = file.frame.size;
    file.color = if ycc && file.frame.components.len() == 3 { Color::YCbCr } else { Color::AsStored };
    let (components, data) = file.pixels()?;
    Ok(Part { width, height, components, data })
}
