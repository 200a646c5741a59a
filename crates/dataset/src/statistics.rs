//! The mean and standard deviation of the pixels of many images, by channel.
//!
//! The sums are whole numbers, so they are exact, and the same for any number of threads.

use std::borrow::Cow;
use std::io::Write;
use std::path::PathBuf;

use rayon::prelude::*;
use twox_hash::XxHash3_128;

use crate::{Cache, ResizeRule};

/// Statistics of the pixels of many images, as fractions of white. `[C]`
#[derive(Debug, Clone, PartialEq)]
pub struct PixelStatistics {
    /// The mean of each channel.
    pub mean: Vec<f64>,
    /// The standard deviation of each channel, over all pixels of all images.
    pub std: Vec<f64>,
    /// Whether they were known from an earlier run.
    pub from_cache: bool,
}

/// Pixels, their sum and the sum of their squares, by channel of at most 3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Sums([[u64; 3]; 3]);

impl Sums {
    fn of(channels: usize, image: &[u8]) -> Sums {
        let mut sums = Sums::default();
        for pixel in image.chunks_exact(channels.clamp(1, 3)) {
            for (sums, &value) in sums.0.iter_mut().zip(pixel) {
                let value = u64::from(value);
                sums[0] += 1;
                sums[1] += value;
                sums[2] += value * value;
            }
        }
        sums
    }

    fn plus(mut self, other: Sums) -> Sums {
        for (sums, others) in self.0.iter_mut().zip(other.0) {
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += other);
        }
        self
    }

    fn statistics(&self, channels: usize, from_cache: bool) -> PixelStatistics {
        let (mut mean, mut std) = (Vec::new(), Vec::new());
        for &[n, sum, squares] in &self.0[..channels.min(3)] {
            // n^2 times the variance, which is never negative; u128 holds it for any number of pixels in memory.
            let spread = u128::from(n) * u128::from(squares) - u128::from(sum) * u128::from(sum);
            let scale = n.max(1) as f64 * 255.0;
            mean.push(sum as f64 / scale);
            std.push((spread as f64).sqrt() / scale);
        }
        PixelStatistics { mean, std, from_cache }
    }

    fn to_bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.0.iter().flatten().flat_map(|sum| sum.to_le_bytes()));
        let checksum = XxHash3_128::oneshot(&bytes);
        bytes.extend(checksum.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Sums> {
        let (content, checksum) = bytes.split_at_checked(MAGIC.len() + 72)?;
        if !content.starts_with(&MAGIC) || checksum != XxHash3_128::oneshot(content).to_le_bytes() {
            return None;
        }
        let mut sums = Sums::default();
        let words = content[MAGIC.len()..].as_chunks::<8>().0.iter();
        sums.0.iter_mut().flatten().zip(words).for_each(|(sum, word)| *sum = u64::from_le_bytes(*word));
        Some(sums)
    }
}

const MAGIC: [u8; 8] = *b"PUPSTAT1";

/// The statistics of images, given by the hashes of their contents and, by their place among these, their pixels by `rule`. With a
/// cache they are worked out once for the same images, in whichever order they come.
///
/// # Errors
/// Where an image cannot be had.
pub fn pixel_statistics<'a, E: Send>(
    contents: &[u128],
    pixels: impl Fn(usize) -> Result<Cow<'a, [u8]>, E> + Sync,
    rule: &ResizeRule,
    cache: Option<&Cache>,
) -> Result<PixelStatistics, E> {
    let channels = usize::from(rule.channels);
    let known = cache.map(|cache| (cache, cache.statistics_path(contents, rule)));
    if let Some((_, path)) = &known
        && let Some(sums) = std::fs::read(path).ok().and_then(|bytes| Sums::parse(&bytes))
    {
        return Ok(sums.statistics(channels, true));
    }
    let of_image = |place: usize| Ok(Sums::of(channels, &pixels(place)?));
    let plus = |a: Sums, b: Sums| Ok(a.plus(b));
    let sums = (0..contents.len()).into_par_iter().map(of_image).try_reduce(Sums::default, plus)?;
    if let Some((cache, path)) = known
        && let Err(error) = cache.write(&path, |file| file.write_all(&sums.to_bytes()))
    {
        cache.warn(&path, &error);
    }
    Ok(sums.statistics(channels, false))
}

impl Cache {
    /// Beside the pixels of the rule, so that a change of the decoder or the rule is another place.
    fn statistics_path(&self, contents: &[u128], rule: &ResizeRule) -> PathBuf {
        let mut contents = contents.to_vec();
        contents.sort_unstable();
        let bytes: Vec<u8> = contents.iter().flat_map(|content| content.to_le_bytes()).collect();
        let shown = rule.show.words().map_or(String::new(), |_| format!("-{}", rule.show));
        self.rule_dir(rule).join(format!("{:032x}{shown}.statistics", XxHash3_128::oneshot(&bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_those_of_all_pixels_and_are_remembered() {
        for channels in [1u8, 3] {
            let rule = ResizeRule::squash(5, 4, channels);
            let images: Vec<Vec<u8>> = (0..37usize)
                .map(|i| {
                    (0..rule.bytes()).map(|p| ((i * 31 + p * 17) % (100 + 50 * (p % 3))) as u8).collect()
                })
                .collect();
            let contents: Vec<u128> = (0..images.len() as u128).collect();
            let image = |place: usize| Ok::<_, ()>(Cow::Borrowed(images[place].as_slice()));
            let folder = tempfile::tempdir().unwrap();
            let cache = Cache::open(folder.path(), 1 << 20);
            let cold = pixel_statistics(&contents, image, &rule, Some(&cache)).unwrap();
            assert!(!cold.from_cache);
            for c in 0..usize::from(channels) {
                let values: Vec<f64> = images
                    .iter()
                    .flat_map(|image| image.iter().skip(c).step_by(usize::from(channels)))
                    .map(|&v| f64::from(v) / 255.0)
                    .collect();
                let mean = values.iter().sum::<f64>() / values.len() as f64;
                let var = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
                assert!((cold.mean[c] - mean).abs() < 1e-12 && (cold.std[c] - var.sqrt()).abs() < 1e-12);
            }
            let reversed: Vec<u128> = contents.iter().rev().copied().collect();
            let from_behind = |place: usize| image(images.len() - 1 - place);
            let warm = pixel_statistics(&reversed, from_behind, &rule, Some(&cache)).unwrap();
            assert_eq!(warm, PixelStatistics { from_cache: true, ..cold.clone() });
            // Other images, and a torn file, are worked out.
            let others = |place: usize| image(place + 1);
            assert!(!pixel_statistics(&contents[1..], others, &rule, Some(&cache)).unwrap().from_cache);
            let path = cache.statistics_path(&contents, &rule);
            let bytes = std::fs::read(&path).unwrap();
            std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
            assert_eq!(pixel_statistics(&contents, image, &rule, Some(&cache)).unwrap(), cold);
            assert!(cache.take_warnings().is_empty());
        }
    }
}
