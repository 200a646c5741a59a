//! Two training images become one: MixUp (Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization") and CutMix (Yun
//! et al. 2019, "CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features").
//!
//! The arithmetic, the box and the adjusted share are those of `torchvision.transforms.v2.MixUp` and `CutMix`, and as there
//! an image's partner is the one before it. But torchvision draws one share for a batch and goes round within it; here
//! every image has its own share, by (seed, epoch, sample), and its partner is the one before it in the epoch's order. So
//! the batch size changes nothing.

use pupila_random::{Purpose, Stream};
use pupila_transforms::{SampleKey, Shape};

/// How training images are mixed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mixing {
    /// The parameter of the Beta distribution that MixUp draws shares from; none leaves MixUp out.
    pub mixup: Option<f64>,
    /// The same of CutMix. With both, one of the two is drawn for each image, equally likely.
    pub cutmix: Option<f64>,
    /// The probability that an image is mixed at all.
    pub p: f64,
}

/// What becomes of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Drawn {
    Nothing,
    /// The share of the image itself.
    MixUp(f64),
    /// The rows and columns that are the partner's: `[from, to)` of each.
    CutMix {
        rows: [usize; 2],
        columns: [usize; 2],
    },
}

impl Mixing {
    fn draw(&self, shape: Shape, key: SampleKey) -> Drawn {
        let mut stream = Stream::new(key.seed, Purpose::Mix, key.epoch, key.sample);
        if !stream.chance(self.p) {
            return Drawn::Nothing;
        }
        let second = stream.chance(0.5);
        match (self.mixup, self.cutmix) {
            (Some(alpha), None) => Drawn::MixUp(stream.beta(alpha)),
            (Some(alpha), Some(_)) if !second => Drawn::MixUp(stream.beta(alpha)),
            (_, Some(alpha)) => {
                let half = 0.5 * (1.0 - stream.beta(alpha)).sqrt();
                let mut span = |side: usize| {
                    let (centre, half) = (stream.below(side as u32) as usize, (half * side as f64) as usize);
                    [centre.saturating_sub(half), (centre + half).min(side)]
                };
                let columns = span(shape.width);
                Drawn::CutMix { rows: span(shape.height), columns }
            }
            (None, None) => Drawn::Nothing,
        }
    }

    /// Mixes `partner` into `image`, both `[H, W, C]`, by the draw of `key`, and gives the share that the image keeps.
    pub fn mix(&self, shape: Shape, key: SampleKey, image: &mut [f32], partner: &[f32]) -> f64 {
        match self.draw(shape, key) {
            Drawn::Nothing => 1.0,
            Drawn::MixUp(share) => {
                let (own, other) = (share as f32, (1.0 - share) as f32);
                image.iter_mut().zip(partner).for_each(|(x, &y)| *x = other * y + own * *x);
                share
            }
            Drawn::CutMix { rows: [top, bottom], columns: [left, right] } => {
                let row = shape.width * shape.channels;
                let (left, right) = (left * shape.channels, right * shape.channels);
                for y in top..bottom {
                    let run = y * row + left..y * row + right;
                    image[run.clone()].copy_from_slice(&partner[run]);
                }
                let pasted = (bottom - top) * (right - left) / shape.channels.max(1);
                1.0 - pasted as f64 / (shape.height * shape.width) as f64
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { height: 6, width: 10, channels: 3 };

    fn key(epoch: u32, sample: u32) -> SampleKey {
        SampleKey { seed: 3, epoch, sample }
    }

    fn mix(mixing: &Mixing, sample: u32) -> (Vec<f32>, f64) {
        let mut image = vec![1.0; SHAPE.values()];
        let share = mixing.mix(SHAPE, key(2, sample), &mut image, &vec![0.0; SHAPE.values()]);
        (image, share)
    }

    #[test]
    fn mixup_keeps_its_share_everywhere() {
        let mixing = Mixing { mixup: Some(0.4), cutmix: None, p: 1.0 };
        let shares: Vec<f64> = (0..500).map(|key| mix(&mixing, key).1).collect();
        for (key, &share) in shares.iter().enumerate() {
            assert!(mix(&mixing, key as u32).0.iter().all(|&x| x == share as f32));
        }
        // Beta(0.4, 0.4) has its mass at the ends: half of it within 0.13 of one.
        let ends = shares.iter().filter(|share| (**share - 0.5).abs() > 0.37).count();
        assert!((200..320).contains(&ends), "{ends}");
    }

    #[test]
    fn cutmix_pastes_one_box_and_counts_it() {
        let mixing = Mixing { mixup: None, cutmix: Some(1.0), p: 1.0 };
        let mut sizes = std::collections::BTreeSet::new();
        for key in 0..300 {
            let (image, share) = mix(&mixing, key);
            let pixels: Vec<bool> = image.chunks(3).map(|pixel| pixel == [0.0; 3]).collect();
            assert!(image.iter().all(|&x| x == 0.0 || x == 1.0));
            let pasted = pixels.iter().filter(|&&pasted| pasted).count();
            assert!((share - (1.0 - pasted as f64 / 60.0)).abs() < 1e-12);
            let rows: Vec<usize> = (0..6).filter(|y| (0..10).any(|x| pixels[y * 10 + x])).collect();
            let columns: Vec<usize> = (0..10).filter(|x| (0..6).any(|y| pixels[y * 10 + x])).collect();
            assert_eq!(pasted, rows.len() * columns.len(), "a box has no holes");
            if pasted > 0 {
                assert_eq!(rows[rows.len() - 1] - rows[0] + 1, rows.len());
                assert_eq!(columns[columns.len() - 1] - columns[0] + 1, columns.len());
            }
            sizes.insert(pasted);
        }
        assert!(sizes.len() > 10 && sizes.contains(&0), "{sizes:?}");
    }

    #[test]
    fn with_both_each_has_half_and_p_leaves_the_rest_alone() {
        let mixing = Mixing { mixup: Some(1.0), cutmix: Some(1.0), p: 0.6 };
        let mut counts = [0; 3];
        for sample in 0..3000 {
            match mixing.draw(SHAPE, key(1, sample)) {
                Drawn::Nothing => counts[0] += 1,
                Drawn::MixUp(_) => counts[1] += 1,
                Drawn::CutMix { .. } => counts[2] += 1,
            }
        }
        // Five standard deviations.
        for (got, expected) in counts.into_iter().zip([1200.0, 900.0, 900.0f64]) {
            assert!((f64::from(got) - expected).abs() < 5.0 * expected.sqrt(), "{counts:?}");
        }
        assert_ne!(mixing.draw(SHAPE, key(1, 5)), mixing.draw(SHAPE, key(2, 5)));
    }
}
