//! A part of another file's picture: a strip or tile of a TIFF file.

use super::File;
use super::headers::{Color, Headers, Next};
use super::malformed;
use crate::{DecodeError, Limits};

/// Decodes a part whose tables may stand in a file of their own (`JPEGTables`). With `ycc` three components are YCbCr and become
/// RGB, else all are as they are stored: the TIFF file says what they are, and markers of the JPEG do not count, as in libtiff.
/// `fits` is asked of the width, the height and the number of components, before there is memory for them.
pub(crate) fn decode_part(
    tables: Option<&[u8]>,
    bytes: &[u8],
    ycc: bool,
    fits: impl Fn(usize, usize, usize) -> bool,
    limits: &Limits,
) -> Result<Vec<u8>, DecodeError> {
    let mut headers = Headers::new(tables.unwrap_or(bytes));
    if tables.is_some() {
        if let Next::Scan(_) = headers.next()? {
            return Err(malformed("its tables hold an image".to_owned()));
        }
        headers.go_on_with(bytes);
    }
    let mut file = File::open_with(bytes, headers)?;
    file.check_size(limits, false)?;
    let (width, height) = file.frame.size;
    if !fits(width, height, file.frame.components.len()) {
        return Err(malformed("it is of another size than the part that it is of".to_owned()));
    }
    file.color = if ycc && file.frame.components.len() == 3 { Color::YCbCr } else { Color::AsStored };
    Ok(file.pixels(false, None)?.1)
}
