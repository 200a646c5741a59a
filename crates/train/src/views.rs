//! Test-time augmentation: an image judged in several views, whose probabilities are averaged.
//!
//! The views are mirror images and quarter turns of the network's input. They are exact, and every way of normalising gives
//! the same numbers before as after them, so they are made of the normalised images.

use crate::evaluate::{EvaluateError, evaluate};
use pupila_backend::Backend;
use pupila_loader::Loader;
use pupila_metrics::Predictions;
use pupila_transforms::Shape;

/// Which views of an image are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Views {
    /// The image as it is.
    #[default]
    One,
    /// The image and its mirror image, left and right swapped.
    Flips,
    /// The eight ways to lay a square onto itself: for images without an up and a down.
    Dihedral,
}

/// A way to lay a square onto itself: its diagonal swap first, then the order of its rows and columns turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct View {
    transpose: bool,
    upside_down: bool,
    mirror: bool,
}

impl Views {
    /// The name that it is asked for by; none for the image as it is.
    pub fn name(self) -> Option<&'static str> {
        match self {
            Views::One => None,
            Views::Flips => Some("flips"),
            Views::Dihedral => Some("dihedral"),
        }
    }

    /// How many views of an image there are.
    pub fn count(self) -> usize {
        self.list().len()
    }

    fn list(self) -> Vec<View> {
        let view = |bits: usize| View {
            transpose: bits & 4 != 0,
            upside_down: bits & 2 != 0,
            mirror: bits & 1 != 0,
        };
        let views = match self {
            Views::One => 0..1,
            Views::Flips => 0..2,
            Views::Dihedral => 0..8,
        };
        views.map(view).collect()
    }
}

impl View {
    /// Lays an image out anew. `image, out: [S, S, C]`
    fn of(self, shape: Shape, image: &[f32], out: &mut [f32]) {
        let Shape { height, width, channels } = shape;
        let mut pixels = out.chunks_exact_mut(channels.max(1));
        for y in 0..height {
            for x in 0..width {
                let (row, column) = if self.transpose { (x, y) } else { (y, x) };
                let row = if self.upside_down { height - 1 - row } else { row };
                let column = if self.mirror { width - 1 - column } else { column };
                if let Some(pixel) = pixels.next() {
                    pixel.copy_from_slice(&image[(row * width + column) * channels..][..channels]);
                }
            }
        }
    }
}

/// [`evaluate`], with the mean over all views of the softmax probabilities in place of those of one. The loss is that of
/// the mean.
///
/// # Errors
/// See [`EvaluateError`].
///
/// # Panics
/// Where images that are not square are to be turned.
pub fn evaluate_views(
    engine: &mut dyn Backend,
    loader: &Loader,
    views: Views,
    stop: &mut dyn FnMut() -> bool,
) -> Result<Predictions, EvaluateError> {
    if views == Views::One {
        return evaluate(engine, loader, stop);
    }
    let (shape, classes) = (loader.shape(), engine.network().classes());
    assert!(views != Views::Dihedral || shape.height == shape.width, "only a square can be turned");
    let mut predictions = Predictions::new(classes);
    let mut laid_out = Vec::new();
    let mut batches = loader.epoch(0)?;
    while let Some(batch) = batches.next() {
        let batch = batch?;
        if stop() {
            break;
        }
        let mut sums = vec![0.0f64; batch.len() * classes];
        laid_out.resize(batch.images.len(), 0.0);
        for view in views.list() {
            let images = batch.images.chunks_exact(shape.values());
            images.zip(laid_out.chunks_exact_mut(shape.values())).for_each(|(image, out)| {
                view.of(shape, image, out);
            });
            let logits = engine.forward(&laid_out, batch.len());
            add_probabilities(logits, classes, &mut sums);
        }
        // As logits, so that what the predictions hold is made of them in the usual way: softmax(ln p) is p.
        let count = views.count() as f64;
        let logits: Vec<f32> =
            sums.iter().map(|&sum| (sum / count).max(f64::from(f32::MIN_POSITIVE)).ln() as f32).collect();
        // A sum that is not a number stays to be refused.
        let logits = if sums.iter().all(|sum| sum.is_finite()) { logits } else { vec![f32::NAN; sums.len()] };
        predictions.push_logits(&logits, &batch.targets)?;
        batches.recycle(batch);
    }
    Ok(predictions)
}

/// Adds the softmax of `logits: [N, K]` to `sums: [N, K]`.
fn add_probabilities(logits: &[f32], classes: usize, sums: &mut [f64]) {
    for (row, sums) in logits.chunks_exact(classes).zip(sums.chunks_exact_mut(classes)) {
        let max = row.iter().fold(f64::NEG_INFINITY, |max, &x| max.max(f64::from(x)));
        let total: f64 = row.iter().map(|&x| (f64::from(x) - max).exp()).sum();
        row.iter().zip(sums).for_each(|(&x, sum)| *sum += (f64::from(x) - max).exp() / total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_views_are_all_the_symmetries_of_the_square() {
        let shape = Shape { height: 3, width: 3, channels: 1 };
        let image: Vec<f32> = (0..9).map(|i| i as f32).collect();
        let lay = |views: Views| -> Vec<Vec<f32>> {
            let one = |view: View| {
                let mut out = vec![0.0; 9];
                view.of(shape, &image, &mut out);
                out
            };
            views.list().into_iter().map(one).collect()
        };
        assert_eq!(lay(Views::Flips), [image.clone(), vec![2., 1., 0., 5., 4., 3., 8., 7., 6.]]);
        let all = lay(Views::Dihedral);
        let different: BTreeSet<Vec<u32>> =
            all.iter().map(|view| view.iter().map(|&x| x as u32).collect()).collect();
        assert_eq!(different.len(), 8);
        assert!(all.iter().all(|view| view[4] == 4.0), "the centre stays");
        // A quarter turn and the diagonal swap are among them.
        for expected in [[6., 3., 0., 7., 4., 1., 8., 5., 2.], [0., 3., 6., 1., 4., 7., 2., 5., 8.]] {
            assert!(all.contains(&expected.to_vec()));
        }
    }

    #[test]
    fn pixels_keep_their_channels() {
        let shape = Shape { height: 2, width: 2, channels: 3 };
        let image: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let mut out = vec![0.0; 12];
        Views::Flips.list()[1].of(shape, &image, &mut out);
        assert_eq!(out, [3., 4., 5., 0., 1., 2., 9., 10., 11., 6., 7., 8.]);
    }
}
