//! Pictures side by side on white, with a line of text under each.

use crate::font::{Glyph, LETTER, glyphs};
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

/// Pictures that belong together, below a line of text if there is one.
pub(crate) struct Group {
    pub heading: String,
    pub cells: Vec<Cell>,
}

/// The cells in rows of `columns`, each in a square of `side` pixels. Larger pictures are shrunk; smaller ones are enlarged by
/// a whole factor, so that their pixels can be seen.
pub(crate) fn contact_sheet(groups: Vec<Group>, columns: usize, side: usize) -> Result<Image, ImageError> {
    let line = LETTER.1 * ZOOM + GAP;
    let across = side + GAP;
    let most = groups.iter().map(|group| group.cells.len()).max().unwrap_or(0);
    let columns = columns.clamp(1, most.max(1));
    let width = columns * across + GAP;
    let captioned = |group: &Group| group.cells.iter().any(|cell| !cell.caption.is_empty());
    let down = |group: &Group| across + if captioned(group) { line } else { 0 };
    let headed = |group: &Group| if group.heading.is_empty() { 0 } else { line };
    let tall = |group: &Group| headed(group) + group.cells.len().div_ceil(columns) * down(group);
    let height = GAP + groups.iter().map(tall).sum::<usize>();
    let mut page = Page { pixels: vec![WHITE; width * height * 3], width };
    let mut from = GAP;
    for group in groups {
        let (next, down, head) = (from + tall(&group), down(&group), headed(&group));
        page.write(&group.heading, width - 2 * GAP, GAP, from + GAP / 2);
        for (i, cell) in group.cells.into_iter().enumerate() {
            let (left, top) = (GAP + i % columns * across, from + head + i / columns * down);
            let image = fitted(cell.image, side).to_channels(3)?;
            let (w, h) = (image.width() as usize, image.height() as usize);
            page.draw(&image, left + (side - w) / 2, top + (side - h) / 2);
            page.write(&cell.caption, side, left, top + side + GAP / 2);
        }
        from = next;
    }
    Image::new(width as u32, height as u32, 3, page.pixels)
}

/// A picture that is no larger than a square of `side` pixels.
pub(crate) fn shrunk(image: Image, side: usize) -> Image {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let longer = width.max(height);
    if longer <= side {
        return image;
    }
    let scaled = |length: usize| (length * side / longer).max(1) as u32;
    resize(&image, scaled(width), scaled(height), Interpolation::Area)
}

fn fitted(image: Image, side: usize) -> Image {
    let image = shrunk(image, side);
    let (width, height) = (image.width(), image.height());
    let factor = (side as u32 / width.max(height)).max(1);
    resize(&image, width * factor, height * factor, Interpolation::Nearest)
}

/// As much of the text as fits into so many pixels: its beginning and its end, by which names that begin alike are told apart, with two
/// points for the rest.
fn shortened(text: &str, side: usize) -> Vec<Glyph> {
    let room = side / ((LETTER.0 + 1) * ZOOM);
    let mut letters = glyphs(text);
    if letters.len() > room {
        let kept = room.saturating_sub(2);
        let end = letters.split_off(letters.len() - kept / 2);
        letters.truncate(kept - kept / 2);
        letters.extend(glyphs(".."));
        letters.extend(end);
    }
    letters
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

    /// Writes as much of a text as fits into `room` pixels.
    fn write(&mut self, text: &str, room: usize, left: usize, top: usize) {
        for (i, glyph) in shortened(text, room).into_iter().enumerate() {
            let left = left + i * (LETTER.0 + 1) * ZOOM;
            for (y, bits) in glyph.into_iter().enumerate() {
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
        let group = |heading: &str, cells| Group { heading: heading.into(), cells };
        let groups =
            vec![group("", vec![cell(10, 16), cell(20, 64), cell(30, 5)]), group("x", vec![cell(40, 32)])];
        let page = contact_sheet(groups, 2, 32).unwrap();
        let (line, row) = (32, 40 + 32);
        assert_eq!((page.width(), page.height() as usize), (2 * 40 + 8, 8 + 2 * row + line + row));
        let at = |x: usize, y: usize| page.data()[(y * page.width() as usize + x) * 3];
        assert_eq!([at(8, 8), at(39, 39), at(48, 8), at(9 + 1, 8 + row + 1)], [10, 10, 20, 30]);
        assert_eq!([at(0, 0), at(40, 8), at(8 + 40, 8 + row)], [255; 3]);
        assert!((8..40).any(|x| (44..68).any(|y| at(x, y) == INK)), "the caption");
        let second = 8 + 2 * row;
        assert!((8..40).any(|x| (second..second + line).any(|y| at(x, y) == INK)), "the heading");
        assert_eq!(at(8, second + line), 40);
        assert_eq!(shortened("melanoma", 60), glyphs("me..a"));
    }
}
