//! Pictures that are nearly the same: rescaled, recompressed, mirrored, turned, cropped a little, brightened.
//!
//! In: thumbnails ([`crate::Thumbnails::gray`]) and sizes. Out: pairs, how one is turned against the other, and groups.
//!
//! Each step judges what the one before has let through. All pairs, in eight turns, by 63 signs of low frequencies, then by those frequencies
//! themselves (`hash`, `filter`). What is left is laid on each other at 16, 32 and 64 pixels, and the details are compared (`detail`, `align`).
//! In the end a pair has to be much more alike than either picture is to others. The work of a picture is bounded, whatever the pictures are.

mod align;
mod detail;
mod filter;
mod groups;
mod hash;
mod turn;

use std::collections::BTreeMap;
use std::path::Path;

use rayon::prelude::*;

use crate::SIDE;
use crate::rows::{Rows, Writer};
use align::{Fit, Template};
use detail::{COARSE, Level, Packed};
use filter::{Candidate, Limits};

pub use groups::groups;
pub use turn::Turn;

/// Two pictures that are nearly the same.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The earlier one.
    pub a: usize,
    /// The later one.
    pub b: usize,
    /// How `a` is turned to be `b`.
    pub turned: Turn,
    /// The correlation of their details where they overlap, up to 1.
    pub alike: f32,
}

/// What was found among pictures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// By `a`, then `b`; each pair once.
    pub pairs: Vec<Near>,
    /// Pictures with hardly any detail, which are near to nothing. Where they are equal to the byte, that is found elsewhere.
    pub unjudged: Vec<usize>,
}

// The thresholds stand between what was measured of 200 planted copies of each kind and of all other pairs (`examples/near_truth.rs`),
// in Caltech-101 (6,868 photographs and drawings) and ISIC 2017 (2,750 skin lesions). The kind that is least like its original is the crop of 5 %.

/// What all pairs have to pass. Of the crops in Caltech 99 % differ in at most 20 signs, and their frequencies correlate by at least 0.71;
/// in ISIC by 0.65, in at most 23 signs. Other pairs differ in 31 signs on average, and 1 % of them in at most 22.
const LIMITS: Limits = Limits { differ: 22, like: 0.5, most: 100 };

/// The least likeness at 16 pixels. Of the copies: at least 0.80 in Caltech, 0.89 in ISIC.
const COARSE_LIKE: f32 = 0.75;

/// The most pairs of a picture that are looked at closely.
const CLOSELY: usize = 16;

/// More pairs than this at 16 pixels are a crowd: of Fashion-MNIST's trousers nearly all, of ISIC's lesions few.
const CROWD: usize = 40;

/// The least likeness at 32 pixels. Of the copies: at least 0.84.
const MIDDLE_LIKE: f32 = 0.72;

/// The least likeness of a pair that says something of its pictures' surroundings.
const SIMILAR: f32 = 0.8;

/// The least likeness of a pair. Of the copies by JPEG, size, flip, turn and crop: at least 0.967 in Caltech, 0.959 in ISIC; of those by brightness 98 %
/// and 97 % reach 0.94, as what is clipped at +20 % is lost. Other pairs: in ISIC at most 0.76; in Caltech one model of motorcycle in two
/// colors reaches 0.99, and 26 pairs pass that are not the same picture, 14 of them motorcycles.
const LIKE: f32 = 0.94;

/// Within so many times the difference (1 less the likeness) of a pair there are few others. Without this rule MNIST's first 5,000 digits give 308 pairs,
/// with it 2; no kind of copy in Caltech or ISIC loses more than one in 200.
const SURROUNDINGS: f32 = 3.0;

/// The difference of copies among each other: what is nearer is not told apart.
const SAME: f32 = 0.02;

/// Sides up to which a picture is judged at 32 pixels: at 64 its details are those of enlarging it, and of its compression.
const SMALL: u32 = 32;

/// The least amount of detail, as a share of the largest, of a picture that can be judged.
const DETAIL: f32 = 0.1;

/// The near duplicates among pictures: `gray: [n]`, each the luma `[SIDE, SIDE]` of one squeezed into a square; `sizes: [n]`, columns and rows of each
/// before. `None` where `interrupted`, which is asked for every few pictures, says so.
///
/// The same for every number of threads. All pairs are compared: of 100,000 pictures, 4e10 in eight turns. What is compared of many pictures is
/// kept in a file in `folder`, or else in the system's folder for temporary files, and mapped.
pub fn find(
    gray: &[&[u8]],
    sizes: &[(u32, u32)],
    folder: Option<&Path>,
    interrupted: &(dyn Fn() -> bool + Sync),
) -> Option<Found> {
    let values = hash::values_of_all(gray, folder);
    let mut flat = Vec::with_capacity(gray.len());
    let mut coarse = Writer::new(gray.len(), COARSE * COARSE, folder);
    for part in gray.chunks(hash::PART) {
        let level = |gray: &&[u8]| {
            let level = Level::of(gray);
            (Packed::of(&level), level.amount() < DETAIL)
        };
        let levels: Vec<(Packed, bool)> = part.par_iter().map(level).collect();
        for (packed, is_flat) in levels {
            coarse.put(flat.len(), &packed.0);
            flat.push(is_flat);
        }
    }
    let coarse = coarse.finish();
    let apart = |a: usize, b: usize, turn: Turn| other_shape(turn.of_size(sizes[a]), sizes[b]);
    let picture = |at: usize| Picture { gray: gray[at], size: sizes[at] };
    // A picture's candidates are looked at as soon as they are known: of all pictures they would be more than the thumbnails.
    let judged = filter::each(&values, &flat, LIMITS, apart, interrupted, |a, candidates| {
        similar(a, candidates, &picture, &coarse)
    })?;
    let (similar, crowded): (Vec<Vec<Near>>, Vec<bool>) = judged.into_iter().unzip();
    let unjudged = (0..flat.len()).filter(|&i| flat[i]).collect();
    Some(Found { pairs: apart_from_others(&similar.concat(), &crowded), unjudged })
}

/// A picture as it came in.
struct Picture<'a> {
    gray: &'a [u8],
    size: (u32, u32),
}

/// Whether sides are so different that no crop makes one of the other. A square may be any picture squeezed.
fn other_shape(a: (u32, u32), b: (u32, u32)) -> bool {
    let ratio = |(width, height): (u32, u32)| f64::from(width.max(1)) / f64::from(height.max(1));
    let (a, b) = (ratio(a), ratio(b));
    a != 1.0 && b != 1.0 && !(0.8..=1.25).contains(&(a / b))
}

/// Those of a picture's candidates that are similar to it, each in its best turn, by their number; and whether there were more than are looked at.
fn similar<'a>(
    a: usize,
    candidates: &[Candidate],
    picture: &impl Fn(usize) -> Picture<'a>,
    coarse: &Rows,
) -> (Vec<Near>, bool) {
    let own = Packed::level(coarse.get(a));
    let mut templates: [Option<Template<COARSE>>; 8] = Default::default();
    let mut fits: Vec<(f32, &Candidate, Fit)> = Vec::new();
    for candidate in candidates {
        let template =
            templates[candidate.turn as usize].get_or_insert_with(|| Template::new(&own, candidate.turn));
        let other = Packed::level(coarse.get(candidate.b as usize));
        if let Some((like, fit)) = laid_on(template, &other, Fit::NONE, COARSE_LIKE) {
            fits.push((like, candidate, fit));
        }
    }
    fits.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1.b, x.1.turn).cmp(&(y.1.b, y.1.turn))));
    let crowded = fits.len() > CROWD;
    fits.truncate(CLOSELY);

    let mut middle: [Option<Template<32>>; 8] = Default::default();
    let mut fine: [Option<Template<SIDE>>; 8] = Default::default();
    let mut found: BTreeMap<u32, Near> = BTreeMap::new();
    for (_, &Candidate { b, turn, .. }, fit) in fits {
        let (own, other) = (picture(a), picture(b as usize));
        let template = middle[turn as usize].get_or_insert_with(|| Template::new(&Level::of(own.gray), turn));
        let Some((mut alike, fit)) = laid_on(template, &Level::of(other.gray), fit, MIDDLE_LIKE) else {
            continue;
        };
        let smallest = [own.size.0, own.size.1, other.size.0, other.size.1].into_iter().min();
        if smallest > Some(SMALL) {
            let template =
                fine[turn as usize].get_or_insert_with(|| Template::new(&Level::of(own.gray), turn));
            let Some((like, _)) = laid_on(template, &Level::of(other.gray), fit, SIMILAR) else { continue };
            alike = like;
        }
        let near = Near { a, b: b as usize, turned: turn, alike };
        // Of turns that are equally good the first: they are compared in the order of their likeness at 16 pixels.
        found
            .entry(b)
            .and_modify(|best| *best = if alike > best.alike { near } else { *best })
            .or_insert(near);
    }
    (found.into_values().filter(|near| near.alike >= SIMILAR).collect(), crowded)
}

/// The likeness of a picture and its fit, where it is at least `least` and the fit that of a crop.
fn laid_on<const N: usize>(
    template: &Template<N>,
    other: &Level<N>,
    fit: Fit,
    least: f32,
) -> Option<(f32, Fit)> {
    let fit = template.fit(other, fit);
    let like = if fit.plausible() { template.likeness(other, fit) } else { 0.0 };
    (like >= least).then_some((like, fit))
}

/// Those of the pairs that are alike enough, and much more than either picture is to others.
///
/// Copies are alone: of a digit there are other digits at every distance. Of 5,000 digits of MNIST 300 pairs pass by their likeness.
/// In a crowd not all others are known, so only those that are nearly equal count as copies.
fn apart_from_others(similar: &[Near], crowded: &[bool]) -> Vec<Near> {
    let mut others: Vec<Vec<f32>> = vec![Vec::new(); crowded.len()];
    for pair in similar {
        others[pair.a].push(1.0 - pair.alike);
        others[pair.b].push(1.0 - pair.alike);
    }
    others.iter_mut().for_each(|others| others.sort_by(f32::total_cmp));
    let within = |i: usize, unlike: f32| others[i].partition_point(|&other| other <= unlike);
    let alone = |i: usize, unlike: f32| {
        let copies = within(i, if crowded[i] { SAME } else { unlike.max(SAME) });
        within(i, SURROUNDINGS * unlike) <= copies * 5 / 4 + 2
    };
    let near = |pair: &&Near| {
        let unlike = 1.0 - pair.alike;
        pair.alike >= LIKE && alone(pair.a, unlike) && alone(pair.b, unlike)
    };
    similar.iter().filter(near).copied().collect()
}

#[cfg(test)]
mod tests;
