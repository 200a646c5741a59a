//! Pictures side by side on white, with a line of text under each.

use crate::font::{LETTER, rows};
use pupila_image::{Image, ImageError, Interpolation, resize};

/// Pixels around every picture.
const GAP: usize = 8;
/// Pixels of the page for one of a letter.
const ZOOM: usize = 2;
const WHITE: u8 = 255;
const INK: u8 = 40;

/// A picture and what stands under it.
pub(crate) struct Cell {
    pub image: Image,
    pub caption: String,
}

/// The cells in rows of `columns`, each in a square of `side` pixels. Larger pictures are shrunk; smaller ones are enlarged by
/// a whole factor, so that their pixels can be seen.
pub(crate) fn contact_sheet(cells: Vec<Cell>, columns: usize, side: usize) -> Result<Image, ImageError> {
    let caption = LETTER.1 * ZOOM + GAP;
    let captioned = cells.iter().any(|cell| !cell.caption.is_empty());
    let (across, down) = (side + GAP, side + GAP + if captioned { caption } else { 0 });
    let columns = columns.clamp(1, cells.len().max(1));
    let (width, height) = (columns * across + GAP, cells.len().div_ceil(columns) * down + GAP);
    let mut page = Page { pixels: vec![WHITE; width * height * 3], width };
    for (i, cell) in cells.into_iter().enumerate() {
        let (left, top) = (GAP + i % columns * across, GAP + i / columns * down);
        let image = fitted(cell.image, side).to_channels(3)?;
        let (w, h) = (image.width() as usize, image.height() as usize);
        page.draw(&image, left + (side - w) / 2, top + (side - h) / 2);
        page.write(&shortened(&cell.caption, side), left, top + side + GAP / 2);
    }
    Image::new(width as u32, height as u32, 3, page.pixels)
}

fn fitted(image: Image, side: usize) -> Image {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let longer = width.max(height);
    if longer > side {
        let scaled = |length: usize| (length * side / longer).max(1) as u32;
        resize(&image, scaled(width), scaled(height), Interpolation::Area)
    } else {
        let factor = side / longer;
        resize(&image, (width * factor) as u32, (height * factor) as u32, Interpolation::Nearest)
    }
}

/// As much of the text as fits, with two points for the rest.
fn shortened(text: &str, side: usize) -> String {
    let room = side / ((LETTER.0 + 1) * ZOOM);
    if text.chars().count() <= room {
        return text.to_owned();
    }
    text.chars().take(room.saturating_sub(2)).chain("..".chars()).collect()
}

/// RGB pixels that are drawn on. `pixels: [H, width, 3]`
struct Page {
    pixels: Vec<u8>,
    width: usize,
}

impl Page {
    fn draw(&mut self, image: &Image, left: usize, top: usize) {
        let row = image.width() as usize * 3;
        for (y, from) in image.data().chunks_exact(row).enumerate() {
            let at = ((top + y) * self.width + left) * 3;
            self.pixels[at..at + row].copy_from_slice(from);
        }
    }

    fn write(&mut self, text: &str, left: usize, top: usize) {
        for (i, character) in text.chars().enumerate() {
            let left = left + i * (LETTER.0 + 1) * ZOOM;
            for (y, bits) in rows(character).into_iter().enumerate() {
                for x in (0..LETTER.0).filter(|x| bits >> (LETTER.0 - 1 - x) & 1 == 1) {
                    for dy in 0..ZOOM {
                        let at = ((top + y * ZOOM + dy) * self.width + left + x * ZOOM) * 3;
                        self.pixels[at..at + 3 * ZOOM].fill(INK);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_picture_is_where_it_should_be() {
        let cell = |value: u8, side: u32| {
            let data = vec![value; (side * side) as usize];
            Cell { image: Image::new(side, side, 1, data).unwrap(), caption: "ab".into() }
        };
        let page = contact_sheet(vec![cell(10, 16), cell(20, 64), cell(30, 5)], 2, 32).unwrap();
        assert_eq!((page.width(), page.height()), (2 * 40 + 8, 2 * (40 + 22) + 8));
        let at = |x: usize, y: usize| page.data()[(y * page.width() as usize + x) * 3];
        assert_eq!([at(8, 8), at(39, 39), at(48, 8), at(9 + 1, 8 + 62 + 1)], [10, 10, 20, 30]);
        assert_eq!([at(0, 0), at(40, 8), at(8 + 40, 8 + 62)], [255; 3]);
        assert!((8..40).any(|x| (44..58).any(|y| at(x, y) == INK)), "the caption");
        assert_eq!(shortened("melanoma", 60), "mel..");
    }
}
