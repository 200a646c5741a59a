//! What can be seen in a network besides its scores: how weights and activations are distributed, what it looks at, its
//! first filters.
//!
//! Nothing here changes a value of the engine.

use pupila_backend::{Backend, Explanation};
use pupila_image::Image;
use pupila_loader::Loader;
use pupila_metrics::Predictions;
use pupila_trackers::{Counts, Histogram};
use pupila_transforms::Normalization;
use rayon::prelude::*;

/// Images whose activations are counted, at most.
const IMAGES: usize = 32;
/// Activations that are counted at once, at most, unless those of one image are more.
const ACTIVATIONS: usize = 1 << 22;
/// Values that one job counts.
const PIECE: usize = 1 << 18;

/// How a tensor's values or a layer's outputs are distributed.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueSpread {
    /// The tensor's or the layer's name.
    pub name: String,
    /// All values.
    pub histogram: Histogram,
    /// Those that are exactly zero.
    pub zeros: u64,
    /// Standard deviation of the finite ones.
    pub std: f64,
}

/// Weights and activations at one time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Distributions {
    /// Of every trained matrix or kernel, in the network's order.
    pub weights: Vec<ValueSpread>,
    /// Of every layer's output for some images, in evaluation mode and in the network's order.
    pub activations: Vec<ValueSpread>,
}

/// The distributions now. Activations are those for up to 32 images from everywhere in `images`.
pub fn distributions(
    engine: &mut dyn Backend,
    images: &Loader,
    normalization: &Normalization,
) -> Distributions {
    let matrices = engine.tensors().into_iter().filter(|tensor| tensor.spec.shape.len() > 1);
    let weights = matrices.map(|t| spread(t.spec.name.clone(), t.values, t.filling as u64)).collect();
    let most = (ACTIVATIONS / engine.activation_count().max(1)).clamp(1, IMAGES).min(engine.capacity());
    let all = images.samples();
    let samples: Vec<usize> = (0..most.min(all)).map(|i| i * all / most.min(all)).collect();
    let batch = normalized(images, normalization, &samples);
    let activations = match samples.len() {
        0 => Vec::new(),
        n => engine
            .activations(&batch, n)
            .into_iter()
            .map(|layer| spread(format!("{} ({})", layer.layer, layer.module), &layer.values, 0))
            .collect(),
    };
    Distributions { weights, activations }
}

/// One pass in pieces on all threads, put together in order. `filling` zeros only fill up memory.
fn spread(name: String, values: &[f32], filling: u64) -> ValueSpread {
    let piece = |values: &[f32]| {
        let mut counts = Counts::default();
        counts.add(values);
        let (mut zeros, mut finite, mut sum, mut squares) = (0u64, 0u64, 0.0, 0.0);
        for &value in values {
            zeros += u64::from(value == 0.0);
            if value.is_finite() {
                let value = f64::from(value);
                (finite, sum, squares) = (finite + 1, sum + value, squares + value * value);
            }
        }
        (counts, zeros, finite, sum, squares)
    };
    let pieces: Vec<_> = values.par_chunks(PIECE).map(piece).collect();
    let mut counts = Counts::default();
    let (mut zeros, mut finite, mut sum, mut squares) = (0, 0, 0.0, 0.0);
    for piece in &pieces {
        counts.merge(&piece.0);
        (zeros, finite, sum, squares) = (zeros + piece.1, finite + piece.2, sum + piece.3, squares + piece.4);
    }
    counts.forget_zeros(filling);
    let n = finite.saturating_sub(filling) as f64;
    let std = (squares / n - (sum / n) * (sum / n)).max(0.0).sqrt();
    ValueSpread { name, histogram: counts.finish(), zeros: zeros.saturating_sub(filling), std }
}

/// Where the network sees a class in some images, by their places in the loader's order; none where it cannot be told.
///
/// `classes`: the class to explain for each of `samples`. The engine must be one for training.
pub fn explain_samples(
    engine: &mut dyn Backend,
    images: &Loader,
    normalization: &Normalization,
    samples: &[usize],
    classes: &[u32],
) -> Option<Explanation> {
    if samples.is_empty() {
        return None;
    }
    engine.explain(&normalized(images, normalization, samples), classes)
}

/// An image as the network sees it, before normalisation, by its place in the loader's order.
pub fn sample_image(images: &Loader, sample: usize) -> Option<Image> {
    let (pixels, shape) = images.pixels(*images.order(0).get(sample)?)?;
    Image::new(shape.width as u32, shape.height as u32, shape.channels as u8, pixels.into_owned()).ok()
}

/// The first filters of the first layer that has weights, and the name of these; none where it sees no image.
pub fn first_filters(engine: &dyn Backend) -> Option<(String, Image)> {
    crate::tracking::pictures::first_filters(engine)
}

/// The confusion matrix as a PNG file.
pub fn confusion_png(predictions: &Predictions, classes: &[String]) -> Option<Vec<u8>> {
    let matrix = crate::tracking::pictures::matrix(predictions, classes)?;
    pupila_image::encode_png(&matrix).ok()
}

/// Images as the network takes them. `[samples, H, W, C]`
fn normalized(images: &Loader, normalization: &Normalization, samples: &[usize]) -> Vec<f32> {
    let order = images.order(0);
    let mut batch = Vec::new();
    for pixels in samples.iter().filter_map(|&sample| Some(images.pixels(*order.get(sample)?)?.0)) {
        let start = batch.len();
        batch.resize(start + pixels.len(), 0.0);
        normalization.apply(&pixels, &mut batch[start..]);
    }
    batch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillings_and_what_is_not_finite_count_nothing() {
        let spread = spread("w".into(), &[0.0, 0.0, 0.0, 2.0, -2.0, f32::NAN], 2);
        assert_eq!((spread.zeros, spread.histogram.len(), spread.histogram.not_finite), (1, 3, 1));
        assert!((spread.std - (8.0f64 / 3.0).sqrt()).abs() < 1e-12, "{}", spread.std);
    }
}
