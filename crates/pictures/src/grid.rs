//! Images side by side, each with a caption.

use crate::canvas::{CHARACTER, Canvas, Color};
use pupila_image::Image;

/// An image with what is said below it.
#[derive(Debug, Clone)]
pub struct Tile {
    /// The image.
    pub image: Image,
    /// Lines below it.
    pub caption: Vec<String>,
    /// The color of the lines.
    pub color: Color,
}

/// The least side at which an image is shown, in px; smaller ones are enlarged pixel by pixel.
const MIN_SIDE: u32 = 96;
/// Space between tiles, in px.
const GAP: u32 = 6;
/// Height of a line of a caption, in px.
const LINE: u32 = CHARACTER.1 + 2;

/// The tiles in rows of `columns`; none where there are no tiles. They are laid out by the largest.
pub fn grid(tiles: &[Tile], columns: usize) -> Option<Image> {
    let side = |side: &dyn Fn(&Image) -> u32| tiles.iter().map(|tile| side(&tile.image)).max();
    let (width, height) = (side(&Image::width)?, side(&Image::height)?);
    let scale = MIN_SIDE.div_ceil(width.max(height)).max(1);
    let lines = tiles.iter().map(|tile| tile.caption.len()).max().unwrap_or(0) as u32;
    let columns = columns.clamp(1, tiles.len());
    let rows = tiles.len().div_ceil(columns) as u32;
    let (cell_width, cell_height) = (width * scale + GAP, height * scale + lines * LINE + GAP);
    let mut canvas = Canvas::new(columns as u32 * cell_width + GAP, rows * cell_height + GAP, [255; 3]);
    for (i, tile) in tiles.iter().enumerate() {
        let x = GAP + (i % columns) as u32 * cell_width;
        let y = GAP + (i / columns) as u32 * cell_height;
        canvas.draw(&tile.image, x, y, scale);
        for (line, text) in tile.caption.iter().enumerate() {
            let y = y + height * scale + 2 + line as u32 * LINE;
            canvas.text(text, x, y, width * scale, tile.color);
        }
    }
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_enlarged_and_laid_out_in_rows() {
        let tile = |value| Tile {
            image: Image::new(32, 16, 1, vec![value; 512]).unwrap(),
            caption: vec!["a".into(), "b".into()],
            color: [0; 3],
        };
        let image = grid(&[tile(10), tile(20), tile(30)], 2).unwrap();
        // Three times as large: 96 x 48, two lines of 12 below, gaps of 6.
        assert_eq!((image.width(), image.height()), (6 + 2 * 102, 6 + 2 * (48 + 24 + 6)));
        let at = |x: usize, y: usize| image.data()[(y * 210 + x) * 3];
        assert_eq!([at(50, 30), at(150, 30), at(50, 108), at(150, 108)], [10, 20, 30, 255]);
        assert!(grid(&[], 3).is_none());
    }
}
