//! Pictures of a page: each is in it once, however often it is shown.

use crate::html::{base64, escape};
use pupila_image::{Image, Interpolation, encode_jpeg, encode_png, encode_png_overlay, resize};
use std::fmt::Write as _;

/// Side of a picture in a page, at most, in px.
const SIDE: u32 = 112;
/// Pictures up to this side are stored exactly and shown pixel by pixel.
const SMALL: u32 = 40;
/// Side of a map over a picture, at most.
const HEAT_SIDE: usize = 56;
/// Quality of JPEG.
const QUALITY: u8 = 85;

/// Where in an image a class is seen.
#[derive(Debug, Clone, PartialEq)]
pub struct Heat {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// Weights, not negative, in any scale. `[height, width]`
    pub values: Vec<f32>,
}

/// An image of the judged ones.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    /// Its place among the predictions.
    pub sample: usize,
    /// The image as the network sees it.
    pub image: Image,
    /// Where the predicted class is seen.
    pub heat: Option<Heat>,
}

/// The definition of a picture, to be shown by [`shown`]; none where it cannot be encoded.
pub(crate) fn sprite(picture: &Picture) -> Option<String> {
    let mut sprite = image_sprite(&format!("p{}", picture.sample), &picture.image)?;
    if let Some(heat) = &picture.heat {
        let (rgba, width, height) = overlay(heat)?;
        let png = encode_png_overlay(&rgba, width, height).ok()?;
        let _ = write!(
            sprite,
            "<image id=\"h{}\" width=\"100\" height=\"100\" preserveAspectRatio=\"none\" href=\"data:image/png;base64,{}\"/>",
            picture.sample,
            base64(&png)
        );
    }
    Some(sprite)
}

/// The definition of an image by an id of its own.
pub(crate) fn image_sprite(id: &str, image: &Image) -> Option<String> {
    let (uri, small) = data_uri(image, SIDE)?;
    let class = if small { " class=\"pixel\"" } else { "" };
    Some(format!("<image id=\"{id}\" width=\"100\" height=\"100\"{class} href=\"{uri}\"/>"))
}

/// An image as a data URI with sides of at most `side` px, and whether it is small enough to be stored exactly.
pub(crate) fn data_uri(image: &Image, side: u32) -> Option<(String, bool)> {
    let longest = image.width().max(image.height());
    if longest <= SMALL {
        return Some((format!("data:image/png;base64,{}", base64(&encode_png(image).ok()?)), true));
    }
    let jpeg = if longest > side {
        let scaled = |length: u32| (length * side / longest).max(1);
        let smaller = resize(image, scaled(image.width()), scaled(image.height()), Interpolation::Area);
        encode_jpeg(&smaller, QUALITY)
    } else {
        encode_jpeg(image, QUALITY)
    };
    Some((format!("data:image/jpeg;base64,{}", base64(&jpeg.ok()?)), false))
}

/// A picture beside itself with the map over it, where it has one.
pub(crate) fn shown(picture: &Picture, title: &str) -> String {
    let id = picture.sample;
    let title = escape(title);
    match picture.heat {
        Some(_) => format!(
            "<svg viewBox=\"0 0 203 100\" role=\"img\"><title>{title}</title><use href=\"#p{id}\"/>\
             <g transform=\"translate(103 0)\"><use href=\"#p{id}\" class=\"gray\"/><use href=\"#h{id}\"/></g></svg>"
        ),
        None => single(&format!("p{id}"), &title),
    }
}

/// A picture by itself.
pub(crate) fn single(id: &str, title: &str) -> String {
    format!("<svg viewBox=\"0 0 100 100\" role=\"img\"><title>{}</title><use href=\"#{id}\"/></svg>", title)
}

/// The map as colors whose opacity follows the weight: purple, orange, yellow, which order by lightness too. None where
/// it holds nothing.
fn overlay(heat: &Heat) -> Option<(Vec<u8>, u32, u32)> {
    let heat = shrunk(heat)?;
    let mut sorted: Vec<f32> = heat.values.iter().copied().filter(|v| v.is_finite()).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    // One bright pixel must not hide the rest.
    let most = match sorted.len() {
        0 => 0.0,
        n if n < 400 => sorted[n - 1],
        n => sorted[n - 1 - n / 200],
    };
    let color = |&value: &f32| -> [u8; 4] {
        let share = if most > 0.0 && value.is_finite() { (value / most).clamp(0.0, 1.0) } else { 0.0 };
        let (from, to, t) = if share < 0.5 {
            ([87.0, 16.0, 110.0], [249.0, 120.0, 30.0], share * 2.0)
        } else {
            ([249.0, 120.0, 30.0], [252.0, 245.0, 130.0], share * 2.0 - 1.0)
        };
        let mix = |i: usize| (from[i] + t * (to[i] - from[i])) as u8;
        [mix(0), mix(1), mix(2), (255.0 * (0.78 * share.powf(0.7))) as u8]
    };
    let rgba = heat.values.iter().flat_map(color).collect();
    Some((rgba, heat.width as u32, heat.height as u32))
}

/// The map with sides of at most [`HEAT_SIDE`], by the largest value of each block, so that fine lines stay.
fn shrunk(heat: &Heat) -> Option<Heat> {
    if heat.width == 0 || heat.height == 0 || heat.values.len() != heat.width * heat.height {
        return None;
    }
    let factor = heat.width.max(heat.height).div_ceil(HEAT_SIDE);
    let (width, height) = (heat.width.div_ceil(factor), heat.height.div_ceil(factor));
    let mut values = vec![0.0f32; width * height];
    for (i, &value) in heat.values.iter().enumerate() {
        let (column, row) = (i % heat.width / factor, i / heat.width / factor);
        let to = &mut values[row * width + column];
        *to = to.max(value);
    }
    Some(Heat { height, width, values })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opacity_follows_the_weight_and_large_maps_shrink() {
        let heat = Heat { height: 1, width: 3, values: vec![0.0, 1.0, 2.0] };
        let (rgba, width, height) = overlay(&heat).unwrap();
        assert_eq!((width, height, rgba[3], rgba[11]), (3, 1, 0, 198));
        assert!(rgba[3] < rgba[7] && rgba[7] < rgba[11]);
        let large = Heat { height: 224, width: 224, values: (0..224 * 224).map(|i| i as f32).collect() };
        let small = shrunk(&large).unwrap();
        assert_eq!((small.width, small.height, small.values[56 * 56 - 1]), (56, 56, (224 * 224 - 1) as f32));
        let empty = Heat { height: 2, width: 2, values: vec![0.0; 4] };
        assert!(overlay(&empty).unwrap().0.chunks(4).all(|pixel| pixel[3] == 0));
        assert!(overlay(&Heat { height: 2, width: 2, values: vec![] }).is_none());
    }

    #[test]
    fn small_pictures_are_exact_and_large_ones_bounded() {
        let image = |side: u32| Image::new(side, side, 3, vec![9; (side * side * 3) as usize]).unwrap();
        let small = image_sprite("a", &image(28)).unwrap();
        assert!(small.contains("image/png") && small.contains("pixel"));
        let large = image_sprite("a", &image(500)).unwrap();
        assert!(large.contains("image/jpeg") && large.len() < 4000, "{}", large.len());
    }
}
