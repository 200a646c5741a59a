//! An RGB image to draw on. What lies outside of it is not drawn.

use embedded_graphics::Drawable;
use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::FONT_6X10;
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::{DrawTarget, OriginDimensions, Pixel, Point, RgbColor, Size};
use embedded_graphics::text::{Baseline, Text};
use pupila_image::Image;
use std::convert::Infallible;

/// Red, green, blue.
pub type Color = [u8; 3];

/// Width and height of a character, in px.
pub(crate) const CHARACTER: (u32, u32) = (6, 10);

/// An RGB image in the making.
#[derive(Debug, Clone)]
pub struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// Width of a line of text, in px.
pub fn text_width(text: &str) -> u32 {
    text.chars().count() as u32 * CHARACTER.0
}

impl Canvas {
    /// A canvas of at least one pixel in one color.
    pub fn new(width: u32, height: u32, color: Color) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Canvas { width, height, pixels: color.repeat(width as usize * height as usize) }
    }

    /// Fills a rectangle.
    pub fn fill(&mut self, x: u32, y: u32, width: u32, height: u32, color: Color) {
        for row in y..y.saturating_add(height).min(self.height) {
            for column in x..x.saturating_add(width).min(self.width) {
                self.set(column, row, color);
            }
        }
    }

    /// Draws an image, each of its pixels as a square of `scale` px.
    pub fn draw(&mut self, image: &Image, x: u32, y: u32, scale: u32) {
        let channels = usize::from(image.channels());
        for (i, pixel) in image.data().chunks_exact(channels).enumerate() {
            let (column, row) = (i as u32 % image.width(), i as u32 / image.width());
            let color = if channels == 1 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] };
            self.fill(x + column * scale, y + row * scale, scale, scale, color);
        }
    }

    /// Writes one line of text whose upper left corner is given, cut with an ellipsis where it is wider than `width` px.
    /// Characters outside of Latin-1 become question marks.
    pub fn text(&mut self, text: &str, x: u32, y: u32, width: u32, color: Color) {
        let fitting = (width / CHARACTER.0) as usize;
        let text = if text.chars().count() > fitting {
            text.chars().take(fitting.saturating_sub(2)).chain("..".chars()).take(fitting).collect()
        } else {
            text.to_owned()
        };
        let style = MonoTextStyle::new(&FONT_6X10, Rgb888::new(color[0], color[1], color[2]));
        let at = Point::new(x as i32, y as i32);
        let drawn: Result<Point, Infallible> =
            Text::with_baseline(&text, at, style, Baseline::Top).draw(self);
        match drawn {
            Ok(_) => {}
        }
    }

    /// The image.
    pub fn finish(self) -> Option<Image> {
        Image::new(self.width, self.height, 3, self.pixels).ok()
    }

    fn set(&mut self, x: u32, y: u32, color: Color) {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        self.pixels[at..at + 3].copy_from_slice(&color);
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        for Pixel(Point { x, y }, color) in pixels {
            if let (Ok(x), Ok(y)) = (u32::try_from(x), u32::try_from(y))
                && x < self.width
                && y < self.height
            {
                self.set(x, y, [color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawing_stays_inside_and_text_leaves_ink() {
        let mut canvas = Canvas::new(20, 12, [255; 3]);
        canvas.fill(18, 10, 99, 99, [1, 2, 3]);
        canvas.text("naïve class name", 2, 1, 16, [0; 3]);
        canvas.draw(&Image::new(1, 1, 1, vec![7]).unwrap(), 19, 0, 3);
        let image = canvas.finish().unwrap();
        assert_eq!(&image.data()[image.data().len() - 3..], [1, 2, 3]);
        assert_eq!(&image.data()[19 * 3..20 * 3], [7, 7, 7]);
        let ink = image.data().chunks_exact(3).filter(|pixel| *pixel == [0, 0, 0]).count();
        assert!((5..60).contains(&ink), "{ink}");
    }
}
