//! Images of 8-bit samples: decoding with limits, orientation, resizing, encoding.
//!
//! In: the bytes of a file that may be broken or hostile. Out: an [`Image`] (rows of interleaved gray or RGB samples), or
//! an error that says what is wrong with the file. Never a half-decoded picture, a panic or an unbounded allocation.
//!
//! References: Pillow for what a file's pixels are (`convert("RGB")`, `convert("L")`, `ImageOps.exif_transpose`), and
//! OpenCV for what resizing them gives (`cv2.resize`).

mod bmp;
mod budget;
mod contain;
mod decode;
mod encode;
mod exif;
mod fit;
mod format;
#[doc(hidden)]
pub mod fuzz;
mod gif;
mod jpeg;
mod lzw;
mod orient;
mod pixels;
mod png;
mod raster;
mod reading;
mod resize;
mod tiff;
mod unread;

pub use budget::{Budget, Held};
pub use decode::{
    DecodeError, Header, Limits, Window, decode, decode_as, decode_resized, decode_shrunk, decode_window,
    exif_block, jpeg_quality, may_be_deep, probe, stored, why_flat,
};
pub use encode::{EncodeError, encode_jpeg, encode_png, encode_png_overlay};
pub use fit::{Fit, Framing, PADDING, shorter_side_at_most};
pub use format::Format;
pub use pixels::{Image, ImageError};
pub use reading::{Flat, NEARLY_ONE, Reading, Stored};
pub use resize::{
    Interpolation, Resampling, UnknownInterpolation, resize, resize_by, resize_samples, resize_window,
};
pub use unread::UnreadKind;
