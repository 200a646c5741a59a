//! Images: a string tensor of width, height and one PNG file.

use super::plugin;
use super::proto::{Tensor, Value};
use pupila_image::{Image, encode_png};
use std::io;

pub(super) fn value(tag: &str, image: &Image) -> io::Result<Value> {
    let png = encode_png(image).map_err(io::Error::other)?;
    let side = |pixels: u32| pixels.to_string().into_bytes();
    let strings = vec![side(image.width()), side(image.height()), png];
    Ok(plugin(tag, "images", Vec::new(), Tensor::strings(&[3], strings)))
}
