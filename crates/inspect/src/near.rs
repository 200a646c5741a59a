//! Pictures that are nearly the same: rescaled, recompressed, mirrored, turned, cropped a little, brightened.
//!
//! In: thumbnails ([`crate::Sight::gray`]) and sizes. Out: pairs, how one is turned against the other, and groups.
//!
//! Three steps, each on what the one before lets through. All pairs in eight turns by 63 signs of low frequencies, then by the frequencies themselves
//! (`hash`, `sieve`). Those are laid on each other at 16 x 16 pixels, and the best of them at 64 x 64 (`align`).

mod align;
mod detail;
mod groups;
mod hash;
mod sieve;
mod turn;

use rayon::prelude::*;

use crate::SIDE;
use align::{Fit, Likeness, Template};
use detail::{Level, Packed};
use sieve::{Candidate, Mesh};

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
    /// Development.
    pub worst: f32,
    /// Development.
    pub tiles: f32,
}

/// What was found among pictures.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// By `a`, then `b`; each pair once.
    pub pairs: Vec<Near>,
    /// Pictures with hardly any detail, which are near to nothing.
    pub unjudged: Vec<usize>,
}

/// What all pairs have to pass.
const MESH: Mesh = Mesh { differ: 22, like: 0.5, most: 100 };

/// The most pairs of a picture that are looked at closely.
const CLOSELY: usize = 16;

/// The least amount of detail of a picture that can be judged.
const DETAIL: f32 = 0.1;

/// The pairs among pictures. `gray: [n, SIDE, SIDE]`, `sizes`: columns and rows of each.
pub fn find(gray: &[u8], sizes: &[(u32, u32)]) -> Found {
    let clock = std::time::Instant::now();
    let pictures: Vec<&[u8]> = gray.chunks_exact(SIDE * SIDE).collect();
    let values = hash::values_of_all(gray);
    let (coarse, flat): (Vec<Packed>, Vec<bool>) = pictures
        .par_iter()
        .map(|gray| {
            let level = Level::of(gray);
            (Packed::of(&level), level.amount() < DETAIL)
        })
        .unzip();
    eprintln!("prepared {:?}", clock.elapsed());
    let candidates =
        sieve::candidates(&values, &flat, MESH, |a, b, turn| other_shape(turn.of_size(sizes[a]), sizes[b]));
    eprintln!("sieve {:?} {}", clock.elapsed(), candidates.iter().map(Vec::len).sum::<usize>());
    let looked: Vec<(usize, Vec<Near>)> = candidates
        .par_iter()
        .enumerate()
        .map(|(a, candidates)| judge(a, candidates, &pictures, &coarse))
        .collect();
    eprintln!("judged {:?} closely {}", clock.elapsed(), looked.iter().map(|l| l.0).sum::<usize>());
    let unjudged = (0..flat.len()).filter(|&i| flat[i]).collect();
    let close: Vec<Near> = looked.into_iter().flat_map(|l| l.1).collect();
    Found { pairs: apart_from_others(&close, pictures.len()), unjudged }
}

/// Those of the pairs which are much more alike than either picture is to others.
///
/// Copies are alone: of a digit there are other digits at every distance.
fn apart_from_others(close: &[Near], count: usize) -> Vec<Near> {
    let mut others: Vec<Vec<f32>> = vec![Vec::new(); count];
    for pair in close {
        others[pair.a].push(1.0 - pair.alike);
        others[pair.b].push(1.0 - pair.alike);
    }
    others.iter_mut().for_each(|others| others.sort_by(f32::total_cmp));
    let alone = |i: usize, unlike: f32| {
        let within = |unlike: f32| others[i].partition_point(|&other| other <= unlike);
        within(FAR * unlike) <= 2 * within(unlike) + 2
    };
    let near = |pair: &&Near| {
        let unlike = 1.0 - pair.alike;
        unlike <= 1.0 - LIKE && alone(pair.a, unlike) && alone(pair.b, unlike)
    };
    close.iter().filter(near).copied().collect()
}

/// Within as many times the difference of a pair there are few others.
const FAR: f32 = 3.0;

/// Whether sides are so different that no crop makes one of the other. A square may be any picture squeezed.
fn other_shape(a: (u32, u32), b: (u32, u32)) -> bool {
    let ratio = |(width, height): (u32, u32)| f64::from(width.max(1)) / f64::from(height.max(1));
    let (a, b) = (ratio(a), ratio(b));
    a != 1.0 && b != 1.0 && !(0.8..=1.25).contains(&(a / b))
}

/// Development.
pub const COARSE_LIKE: f32 = 0.75;
/// Development.
pub const LIKE: f32 = 0.94;
/// Development.
pub const MIDDLE_LIKE: f32 = 0.72;
/// Development.
pub const KEPT: f32 = 0.8;

fn judge(a: usize, candidates: &[Candidate], pictures: &[&[u8]], coarse: &[Packed]) -> (usize, Vec<Near>) {
    let mut templates: [Option<Template<16>>; 8] = Default::default();
    let mut fits: Vec<(f32, &Candidate, Fit)> = Vec::new();
    let level = coarse[a].level();
    for candidate in candidates {
        let template =
            templates[candidate.turn as usize].get_or_insert_with(|| Template::new(&level, candidate.turn));
        let other = &coarse[candidate.b as usize].level();
        let fit = template.fit(other, Fit::NONE, 5);
        if fit.plausible() {
            let like = template.likeness(other, fit).all;
            if like >= COARSE_LIKE {
                fits.push((like, candidate, fit));
            }
        }
    }
    fits.sort_by(|x, y| y.0.total_cmp(&x.0).then((x.1.b, x.1.turn).cmp(&(y.1.b, y.1.turn))));
    fits.truncate(CLOSELY);
    let mut middle: [Option<Template<32>>; 8] = Default::default();
    let mut fine: [Option<Template<SIDE>>; 8] = Default::default();
    let mut pairs: Vec<Near> = Vec::new();
    let mut closely = 0;
    for (_, candidate, fit) in fits {
        let b = candidate.b as usize;
        let template = middle[candidate.turn as usize]
            .get_or_insert_with(|| Template::new(&Level::of(pictures[a]), candidate.turn));
        let other = Level::of(pictures[b]);
        let fit = template.fit(&other, fit, 6);
        if !fit.plausible() || template.likeness(&other, fit).all < MIDDLE_LIKE {
            continue;
        }
        closely += 1;
        let template = fine[candidate.turn as usize]
            .get_or_insert_with(|| Template::new(&Level::of(pictures[a]), candidate.turn));
        let other = Level::of(pictures[b]);
        let fit = template.fit(&other, fit, 6);
        let Likeness { all, worst, tiles } = template.likeness(&other, fit);
        if !fit.plausible() || all < KEPT {
            continue;
        }
        let near = Near { a, b, turned: candidate.turn, alike: all, worst, tiles: tiles as f32 / 16.0 };
        match pairs.iter_mut().find(|pair| pair.b == b) {
            Some(pair) if pair.alike < all => *pair = near,
            Some(_) => {}
            None => pairs.push(near),
        }
    }
    pairs.sort_by_key(|pair| pair.b);
    (closely, pairs)
}

/// Development: the steps of one pair.
pub struct Trace {
    /// x
    pub differ: u32,
    /// x
    pub like: f32,
    /// x
    pub coarse: f32,
    /// x
    pub middle: f32,
    /// x
    pub near: (f32, f32, f32),
    /// x
    pub fit: [f32; 4],
}

/// Development.
pub fn traces(gray: &[u8], pairs: &[(usize, usize, Turn)]) -> Vec<Trace> {
    let values = hash::values_of_all(gray);
    let picture = |i: usize| &gray[i * SIDE * SIDE..][..SIDE * SIDE];
    pairs
        .iter()
        .map(|&(a, b, turn)| {
            let v = hash::turned(&values[a], turn);
            let c = Template::<16>::new(&Level::of(picture(a)), turn);
            let fit = c.fit(&Level::of(picture(b)), Fit::NONE, 5);
            let coarse = c.likeness(&Level::of(picture(b)), fit).all;
            let c = Template::<32>::new(&Level::of(picture(a)), turn);
            let fit = c.fit(&Level::of(picture(b)), fit, 6);
            let middle = c.likeness(&Level::of(picture(b)), fit).all;
            let t = Template::<64>::new(&Level::of(picture(a)), turn);
            let fit = t.fit(&Level::of(picture(b)), fit, 6);
            let l = t.likeness(&Level::of(picture(b)), fit);
            Trace {
                differ: (hash::bits(&v) ^ hash::bits(&values[b])).count_ones(),
                like: v.iter().zip(&values[b]).map(|(x, y)| x * y).sum(),
                coarse,
                middle,
                near: (l.all, l.worst, l.tiles as f32 / 16.0),
                fit: [fit.scale[0], fit.shift[0], fit.scale[1], fit.shift[1]],
            }
        })
        .collect()
}
