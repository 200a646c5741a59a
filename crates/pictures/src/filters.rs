//! The filters of a first layer as pictures.

use crate::grid::{Tile, grid};
use pupila_image::Image;

/// Filters in a row.
const COLUMNS: usize = 8;

/// A grid of filters. `weights: [N, C, H, W]` (C of 1 or 3; others are shown as their mean over the channels); each filter
/// is stretched so that zero is gray and its largest magnitude black or white.
pub fn filters(weights: &[f32], channels: usize, height: usize, width: usize) -> Option<Image> {
    let plane = height * width;
    let tile = |filter: &[f32]| {
        let largest = filter.iter().fold(0f32, |largest, w| largest.max(w.abs()));
        let scale = if largest > 0.0 && largest.is_finite() { 127.0 / largest } else { 0.0 };
        let byte = |w: f32| (128.0 + w * scale).clamp(0.0, 255.0) as u8;
        let (shown, data) = if channels == 3 {
            (3, (0..plane).flat_map(|p| [0, 1, 2].map(|c| byte(filter[c * plane + p]))).collect())
        } else {
            let mean = |p: usize| (0..channels).map(|c| filter[c * plane + p]).sum::<f32>() / channels as f32;
            (1, (0..plane).map(|p| byte(mean(p))).collect())
        };
        let image = Image::new(width as u32, height as u32, shown, data).ok()?;
        Some(Tile { image, caption: Vec::new(), color: [0; 3] })
    };
    let tiles: Option<Vec<Tile>> = weights.chunks_exact((channels * plane).max(1)).map(tile).collect();
    grid(&tiles?, COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_gray_and_the_largest_weight_is_white_or_black() {
        let picture = filters(&[0.0, 0.5, -0.5, 0.25], 1, 2, 2).unwrap();
        let mut shades: Vec<u8> = picture.data().to_vec();
        shades.sort_unstable();
        shades.dedup();
        assert_eq!(shades, [1, 128, 191, 255]);
        assert!(filters(&[], 3, 2, 2).is_none());
    }
}
