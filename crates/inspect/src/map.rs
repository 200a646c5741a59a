//! A map of the images in two dimensions: t-SNE (van der Maaten and Hinton 2008) of their small pictures, exact, begun from classical scaling,
//! since a random beginning scatters what belongs together (Kobak and Linderman 2021).

use pupila_dataset::Dataset;
use pupila_random::{Purpose, Stream};
use rayon::prelude::*;

use crate::Looked;

/// Images on the map; of more so many are drawn, from each class its share.
const MOST: usize = 700;
/// Neighbours that count, about.
const PERPLEXITY: f64 = 30.0;
/// Steps in all, and those in which neighbours attract each other so much more.
const STEPS: usize = 450;
const EXAGGERATED: usize = 100;
const EXAGGERATION: f64 = 12.0;

/// An image on the map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// The sample.
    pub sample: usize,
    /// From the left, 0 to 1.
    pub x: f64,
    /// From the top, 0 to 1.
    pub y: f64,
}

/// Where the images are on a map on which similar ones are near each other. `None` where `interrupted`, which is asked in every step, says so.
pub fn map(dataset: &Dataset, looked: &Looked, interrupted: &dyn Fn() -> bool) -> Option<Vec<Point>> {
    let which = drawn(dataset, looked);
    let thumbs: Vec<&[u8]> = which.iter().map(|&at| looked.color(at)).collect();
    if thumbs.len() < 5 {
        return Some(Vec::new());
    }
    let distances = squared_distances(&thumbs);
    let places = scaled(embed(&distances, thumbs.len(), interrupted)?);
    Some(which.into_iter().zip(places).map(|(sample, (x, y))| Point { sample, x, y }).collect())
}

/// The images that are shown, ascending.
fn drawn(dataset: &Dataset, looked: &Looked) -> Vec<usize> {
    let seen: Vec<usize> =
        (0..dataset.samples.len()).filter(|&at| looked.measurements[at].is_some()).collect();
    if seen.len() <= MOST {
        return seen;
    }
    // Of each class its share, by rank within the class: the images whose rank is below that share of it.
    let classes = dataset.classes.len().max(1);
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
    seen.iter().for_each(|&at| of_class[dataset.samples[at].label as usize].push(at));
    let mut ranked: Vec<(f64, usize)> = Vec::with_capacity(seen.len());
    for (class, mut of) in of_class.into_iter().enumerate() {
        Stream::new(0, Purpose::Subset, class as u32, 2).shuffle(&mut of);
        let count = of.len() as f64;
        ranked.extend(of.into_iter().enumerate().map(|(rank, at)| ((rank as f64 + 0.5) / count, at)));
    }
    ranked.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut which: Vec<usize> = ranked.into_iter().take(MOST).map(|(_, at)| at).collect();
    which.sort_unstable();
    which
}

/// `[n, n]`
fn squared_distances(thumbs: &[&[u8]]) -> Vec<f64> {
    let row = |a: &&[u8]| {
        let distance = |b: &&[u8]| {
            let sum: u32 = a.iter().zip(*b).map(|(&x, &y)| u32::from(x.abs_diff(y)).pow(2)).sum();
            f64::from(sum) / (255.0 * 255.0)
        };
        thumbs.iter().map(distance).collect::<Vec<f64>>()
    };
    thumbs.par_iter().flat_map_iter(row).collect()
}

/// The places of `n` points whose squared distances are given.
fn embed(distances: &[f64], n: usize, interrupted: &dyn Fn() -> bool) -> Option<Vec<[f64; 2]>> {
    // Rows are as long as whole vectors; what fills them up attracts nothing, and is so far away that it pushes nothing.
    let row = n.next_multiple_of(LANES);
    let mut padded = vec![0.0; n * row];
    for (padded, of) in padded.chunks_exact_mut(row).zip(attraction(distances, n).chunks_exact(n)) {
        padded[..n].copy_from_slice(of);
    }
    let mut places = classical_scaling(distances, n);
    let mut axes = [vec![FAR; row], vec![FAR; row]];
    let (mut speed, mut gain) = (vec![[0.0; 2]; n], vec![[1.0f64; 2]; n]);
    // Belkina et al. 2019.
    let rate = (n as f64 / EXAGGERATION).max(50.0);
    for step in 0..STEPS {
        if interrupted() {
            return None;
        }
        let exaggeration = if step < EXAGGERATED { EXAGGERATION } else { 1.0 };
        let momentum = if step < EXAGGERATED { 0.5 } else { 0.8 };
        for (axis, values) in axes.iter_mut().enumerate() {
            values.iter_mut().zip(&places).for_each(|(value, place)| *value = place[axis]);
        }
        let [xs, ys] = &axes;
        // Each row by itself, so that the sums do not depend on the threads.
        let rows: Vec<([f64; 2], [f64; 2], f64)> =
            (0..n).into_par_iter().map(|i| forces(&padded[i * row..][..row], xs, ys, i)).collect();
        let total: f64 = rows.iter().map(|(_, _, sum)| sum).sum();
        for (i, (attracted, repelled, _)) in rows.iter().enumerate() {
            for axis in 0..2 {
                let gradient = 4.0 * (exaggeration * attracted[axis] - repelled[axis] / total);
                let same = (gradient > 0.0) == (speed[i][axis] > 0.0);
                gain[i][axis] = if same { (gain[i][axis] * 0.8).max(0.01) } else { gain[i][axis] + 0.2 };
                speed[i][axis] = momentum * speed[i][axis] - rate * gain[i][axis] * gradient;
            }
        }
        for (place, speed) in places.iter_mut().zip(&speed) {
            place[0] += speed[0];
            place[1] += speed[1];
        }
    }
    Some(places)
}

/// Sums are kept in so many parts, as wide as the widest vectors: the same on every machine.
const LANES: usize = 8;
/// A place that fills up a row: the square of a distance to it is finite, and the square of its kernel is 0.
const FAR: f64 = 1e100;

/// What pulls point `i`, what pushes it, and the sum of its kernels; all three rows are of whole vectors.
fn forces(attraction: &[f64], xs: &[f64], ys: &[f64], i: usize) -> ([f64; 2], [f64; 2], f64) {
    let (x, y) = (xs[i], ys[i]);
    // The point itself adds 1 to the sum and nothing else, since it is at no distance from itself.
    let sums = pupila_isa::dispatch(
        #[inline(always)]
        || {
            let mut sums = [[0.0; LANES]; 5];
            let rows = attraction.as_chunks::<LANES>().0.iter();
            let places = xs.as_chunks::<LANES>().0.iter().zip(ys.as_chunks::<LANES>().0);
            for (pull, (xs, ys)) in rows.zip(places) {
                for lane in 0..LANES {
                    let (dx, dy) = (x - xs[lane], y - ys[lane]);
                    let kernel = 1.0 / (1.0 + dx * dx + dy * dy);
                    let (pulled, pushed) = (pull[lane] * kernel, kernel * kernel);
                    sums[0][lane] += kernel;
                    sums[1][lane] += pulled * dx;
                    sums[2][lane] += pulled * dy;
                    sums[3][lane] += pushed * dx;
                    sums[4][lane] += pushed * dy;
                }
            }
            sums
        },
    );
    let [sum, pulled_x, pulled_y, pushed_x, pushed_y] = sums.map(|lanes| lanes.iter().sum::<f64>());
    ([pulled_x, pulled_y], [pushed_x, pushed_y], sum - 1.0)
}

/// The joint probabilities of t-SNE: each point's neighbours by a Gaussian whose width gives the perplexity. `[n, n]`
fn attraction(distances: &[f64], n: usize) -> Vec<f64> {
    let wanted = PERPLEXITY.min((n - 1) as f64 / 3.0).ln();
    let row = |i: usize| {
        let row = &distances[i * n..][..n];
        let nearest = (0..n).filter(|&j| j != i).map(|j| row[j]).fold(f64::INFINITY, f64::min);
        let (mut low, mut high, mut precision) = (0.0, f64::INFINITY, 1.0);
        let mut weights = vec![0.0; n];
        for _ in 0..60 {
            let (mut sum, mut weighted) = (0.0, 0.0);
            for (j, weight) in weights.iter_mut().enumerate() {
                let beyond = row[j] - nearest;
                *weight = if j == i { 0.0 } else { libm::exp(-beyond * precision) };
                sum += *weight;
                weighted += *weight * beyond;
            }
            let entropy = sum.ln() + precision * weighted / sum;
            weights.iter_mut().for_each(|weight| *weight /= sum);
            if (entropy - wanted).abs() < 1e-5 {
                break;
            }
            if entropy > wanted {
                low = precision;
                precision = if high.is_finite() { f64::midpoint(low, high) } else { precision * 2.0 };
            } else {
                high = precision;
                precision = f64::midpoint(low, high);
            }
        }
        weights
    };
    let conditional: Vec<f64> = (0..n).into_par_iter().flat_map_iter(row).collect();
    let joint = |i: usize, j: usize| (conditional[i * n + j] + conditional[j * n + i]) / (2.0 * n as f64);
    (0..n * n).map(|at| joint(at / n, at % n)).collect()
}

/// Two coordinates by classical scaling (Torgerson 1952), scaled to a deviation of 1e-4 as t-SNE begins.
fn classical_scaling(distances: &[f64], n: usize) -> Vec<[f64; 2]> {
    let means: Vec<f64> = distances.chunks_exact(n).map(|row| row.iter().sum::<f64>() / n as f64).collect();
    let mean = means.iter().sum::<f64>() / n as f64;
    let centred = |i: usize, j: usize| -0.5 * (distances[i * n + j] - means[i] - means[j] + mean);
    let times = |v: &[f64]| -> Vec<f64> {
        (0..n).into_par_iter().map(|i| (0..n).map(|j| centred(i, j) * v[j]).sum()).collect()
    };
    let mut axes: Vec<Vec<f64>> = Vec::new();
    for axis in 0..2 {
        // Any start that is no eigenvector of another axis.
        let mut v: Vec<f64> = (0..n).map(|i| ((i * 7 + axis * 3) % 11) as f64 - 5.0).collect();
        for _ in 0..30 {
            let mut next = times(&v);
            for other in &axes {
                let along: f64 = next.iter().zip(other).map(|(a, b)| a * b).sum();
                next.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
            }
            let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
            if length < 1e-12 {
                break;
            }
            v = next.into_iter().map(|x| x / length).collect();
        }
        axes.push(v);
    }
    let deviation = |v: &[f64]| (v.iter().map(|x| x * x).sum::<f64>() / n as f64).sqrt().max(1e-12);
    let scale = 1e-4 / deviation(&axes[0]);
    (0..n).map(|i| [axes[0][i] * scale, axes[1][i] * scale]).collect()
}

/// Into the unit square, with the same scale on both axes.
fn scaled(places: Vec<[f64; 2]>) -> Vec<(f64, f64)> {
    let range = |axis: usize| {
        places.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), place| {
            (low.min(place[axis]), high.max(place[axis]))
        })
    };
    let ((left, right), (top, bottom)) = (range(0), range(1));
    let side = (right - left).max(bottom - top).max(1e-12);
    let place = |[x, y]: [f64; 2]| {
        ((x - (left + right - side) / 2.0) / side, (y - (top + bottom - side) / 2.0) / side)
    };
    places.into_iter().map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Points of three clusters in ten dimensions.
    fn clusters() -> (Vec<f64>, usize) {
        let n = 90;
        let mut noise = Stream::new(1, Purpose::Bootstrap, 0, 0);
        let points: Vec<Vec<f64>> = (0..n)
            .map(|i| {
                (0..10).map(|d| f64::from(u8::from(d == i % 3)) * 8.0 + noise.uniform(0.0, 1.0)).collect()
            })
            .collect();
        let distance = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| (x - y) * (x - y)).sum::<f64>();
        let distances = points.iter().flat_map(|a| points.iter().map(move |b| distance(a, b))).collect();
        (distances, n)
    }

    #[test]
    fn neighbours_stay_neighbours() {
        let (distances, n) = clusters();
        let places = scaled(embed(&distances, n, &|| false).unwrap());
        assert!(places.iter().all(|&(x, y)| (0.0..=1.0).contains(&x) && (0.0..=1.0).contains(&y)));
        let square = |a: usize, b: usize| {
            let ((x, y), (u, v)) = (places[a], places[b]);
            (x - u) * (x - u) + (y - v) * (y - v)
        };
        // The nearest on the map is of the same cluster.
        for i in 0..n {
            let nearest =
                (0..n).filter(|&j| j != i).min_by(|&a, &b| square(i, a).total_cmp(&square(i, b))).unwrap();
            assert_eq!(nearest % 3, i % 3, "{i}");
        }
    }

    #[test]
    fn no_step_is_made_once_it_is_to_stop() {
        let (distances, n) = clusters();
        let asked = std::cell::Cell::new(0);
        let after_three = || asked.replace(asked.get() + 1) == 3;
        assert_eq!((embed(&distances, n, &after_three), asked.get()), (None, 4));
    }

    #[test]
    fn equal_images_have_a_place() {
        let places = embed(&[0.0; 36], 6, &|| false).unwrap();
        assert!(places.iter().flatten().all(|x| x.is_finite()));
    }
}
