//! Which part of its pixels an image shows: all of it, or what a negative control leaves.
//!
//! A negative control trains on what should not suffice. Networks that never saw the lesion have beaten published benchmarks (Bissoto,
//! Fornaciali, Valle and Avila, "(De)Constructing Bias on Skin Lesion Datasets", arXiv 1904.08818). What is hidden has one gray, the same
//! in every image. It is hidden before anything else is done with the pixels: no augmentation and no normalisation can bring it back.

use pupila_image::{Interpolation, resize_samples};
use std::fmt;
use std::str::FromStr;

/// What hidden pixels are, of 255: the middle, which is near 0 once the mean of photographs is taken off. It is no mean of the images
/// themselves, which would say something of what is hidden.
const HIDDEN: u8 = 128;
/// The share of height and width that is hidden in the middle by [`Show::Outside`].
const CENTRE_FRAC: f64 = 0.5;
/// The share of height and width that is shown on each side by [`Show::Border`]: 71 % of the pixels are hidden, as in the strictest
/// of Bissoto et al.'s sets, whose boxes hide at least 70 %.
const BORDER_FRAC: f64 = 0.08;
/// Height and width of [`Show::Thumbnail`], in pixels.
const THUMBNAIL_PX: u32 = 4;

/// Which part of its pixels an image shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Show {
    /// All.
    #[default]
    All,
    /// What lies outside of the centre: half of the height and half of the width in the middle are hidden.
    Outside,
    /// The outer 8 % of height and width on each side, one pixel at least.
    Border,
    /// 4x4 means over equal areas.
    Thumbnail,
}

impl Show {
    /// Every one.
    pub const ALL: [Show; 4] = [Show::All, Show::Outside, Show::Border, Show::Thumbnail];

    /// The name that a recipe uses.
    pub fn name(self) -> &'static str {
        match self {
            Show::All => "all",
            Show::Outside => "outside",
            Show::Border => "border",
            Show::Thumbnail => "thumbnail",
        }
    }

    /// What is left of an image, in words; none where all is.
    pub fn words(self) -> Option<&'static str> {
        match self {
            Show::All => None,
            Show::Outside => Some("without the centre half of its height and width"),
            Show::Border => Some("the outer 8 % on each side alone"),
            Show::Thumbnail => Some("a thumbnail of 4x4 pixels alone"),
        }
    }

    /// Hides what is not shown of an image. `pixels: [H, W, C]`, `C` of 1 or 3.
    ///
    /// # Panics
    /// Where `width` or `channels` is 0.
    pub fn apply(self, pixels: &mut [u8], width: u32, height: u32, channels: u8) {
        match self {
            Show::All => {}
            Show::Outside => {
                let (rows, columns) = (centre(height), centre(width));
                hide(pixels, width, channels, |y, x| rows.contains(&y) && columns.contains(&x));
            }
            Show::Border => {
                let (rows, columns) = (inside(height), inside(width));
                hide(pixels, width, channels, |y, x| rows.contains(&y) && columns.contains(&x));
            }
            Show::Thumbnail => {
                let small = [height.min(THUMBNAIL_PX), width.min(THUMBNAIL_PX)];
                let mut means = vec![0; small[0] as usize * small[1] as usize * usize::from(channels)];
                let full = [height, width];
                resize_samples(pixels, full, &mut means, small, channels, Interpolation::Area);
                resize_samples(&means, small, pixels, full, channels, Interpolation::Nearest);
            }
        }
    }
}

/// The places along a side that are in its middle.
fn centre(side: u32) -> std::ops::Range<usize> {
    let side = side as usize;
    let hidden = ((side as f64 * CENTRE_FRAC).round() as usize).clamp(1, side.max(1));
    let first = (side - hidden.min(side)) / 2;
    first..first + hidden
}

/// The places along a side that are not at its border.
fn inside(side: u32) -> std::ops::Range<usize> {
    let shown = ((f64::from(side) * BORDER_FRAC).round() as usize).max(1);
    shown..(side as usize).saturating_sub(shown)
}

fn hide(pixels: &mut [u8], width: u32, channels: u8, hidden: impl Fn(usize, usize) -> bool) {
    let channels = usize::from(channels);
    for (y, row) in pixels.chunks_exact_mut(width as usize * channels).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
            if hidden(y, x) {
                pixel.fill(HIDDEN);
            }
        }
    }
}

impl fmt::Display for Show {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no part of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot be \"{0}\": use all, outside, border or thumbnail")]
pub struct UnknownShow(String);

impl FromStr for Show {
    type Err = UnknownShow;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|show| show.name() == name).ok_or_else(|| UnknownShow(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(width: u32, height: u32) -> Vec<u8> {
        (0..width * height * 3).map(|i| (i * 7 % 127) as u8).collect()
    }

    fn shown(show: Show, width: u32, height: u32) -> Vec<u8> {
        let mut pixels = image(width, height);
        show.apply(&mut pixels, width, height, 3);
        pixels
    }

    #[test]
    fn what_is_hidden_says_nothing_and_the_rest_stays() {
        for (show, hidden) in [(Show::Outside, 32 * 32), (Show::Border, 54 * 54)] {
            let (before, after) = (image(64, 64), shown(show, 64, 64));
            let mut count = 0;
            for (a, b) in before.chunks_exact(3).zip(after.chunks_exact(3)) {
                if a != b {
                    assert_eq!(b, [HIDDEN; 3]);
                    count += 1;
                }
            }
            assert_eq!(count, hidden, "{show}");
            // Another image with the same rest becomes the same.
            let mut other = before.clone();
            let middle = (32 * 64 + 32) * 3;
            other[middle..middle + 3].fill(255);
            show.apply(&mut other, 64, 64, 3);
            assert_eq!(other, after);
        }
        assert_eq!(shown(Show::All, 5, 3), image(5, 3));
    }

    #[test]
    fn a_thumbnail_is_sixteen_means() {
        let pixels = shown(Show::Thumbnail, 64, 32);
        let mut colors: Vec<&[u8]> = pixels.chunks_exact(3).collect();
        let first: f64 = (0..8)
            .flat_map(|y| (0..16).map(move |x| (y * 64 + x) * 3))
            .map(|at| f64::from(image(64, 32)[at]))
            .sum::<f64>()
            / 128.0;
        assert!((f64::from(pixels[0]) - first).abs() <= 1.0, "{} {first}", pixels[0]);
        colors.sort_unstable();
        colors.dedup();
        assert!(colors.len() <= 16, "{}", colors.len());
    }

    #[test]
    fn the_smallest_images_have_a_border_and_a_centre_too() {
        for side in 1..9 {
            for show in Show::ALL {
                let pixels = shown(show, side, side);
                assert_eq!(pixels.len(), (side * side * 3) as usize);
                let hides = pixels.chunks_exact(3).any(|pixel| pixel == [HIDDEN; 3]);
                match show {
                    Show::Outside => assert!(hides, "{side}"),
                    Show::Border => assert_eq!(hides, side > 2, "{side}"),
                    _ => {}
                }
            }
        }
        assert_eq!("outside".parse(), Ok(Show::Outside));
        assert!("center".parse::<Show>().unwrap_err().to_string().contains("outside, border"));
    }
}
