//! The details of a picture: each pixel less what is around it, over the contrast around it.

use super::Turn;
use crate::SIDE;

/// Contrast, in gray levels, below which detail counts little: what JPEG and rounding leave.
const FLOOR: f32 = 2.0;

/// The same as a share of the contrast of the whole picture's details: what JPEG leaves beside strong edges.
const RINGING: f32 = 0.3;

/// Steps of 1 in a [`Packed`] level.
const STEPS: f32 = 32.0;

/// The side at which all pictures are kept.
pub(super) const COARSE: usize = 16;

/// The details at one size: `[N, N]`, of about 1 where there is contrast, 0 where there is none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Level<const N: usize>(pub [[f32; N]; N]);

/// The details at the coarsest size in a quarter of the memory: a byte for each, of two's complement.
pub(super) struct Packed(pub [u8; COARSE * COARSE]);

impl<const N: usize> Level<N> {
    /// The details of a thumbnail shrunk by a whole number. `gray: [SIDE, SIDE]`
    pub fn of(gray: &[u8]) -> Box<Self> {
        pupila_isa::dispatch(
            #[inline(always)]
            || Self::of_gray(gray),
        )
    }

    #[inline(always)]
    fn of_gray(gray: &[u8]) -> Box<Self> {
        let step = SIDE / N;
        let mut picture = Box::new([[0.0f32; N]; N]);
        for (y, row) in gray.chunks_exact(SIDE).enumerate() {
            for (value, pixels) in picture[y / step].iter_mut().zip(row.chunks_exact(step)) {
                *value += pixels.iter().map(|&pixel| u16::from(pixel)).sum::<u16>() as f32;
            }
        }
        let area = (step * step) as f32;
        picture.iter_mut().flatten().for_each(|value| *value /= area);
        // The smaller ones are smooth enough, as they are means.
        if step == 1 {
            picture = blurred::<N, 1>(&picture, true);
        }
        let blur = |picture: &[[f32; N]; N], odd: bool| match N {
            16 => blurred::<N, 2>(picture, odd),
            32 => blurred::<N, 3>(picture, odd),
            _ => blurred::<N, 4>(picture, odd),
        };
        let around = blur(&picture, true);
        let mut detail = picture;
        let mut squares = around;
        for (detail, square) in detail.iter_mut().flatten().zip(squares.iter_mut().flatten()) {
            *detail -= *square;
            *square = *detail * *detail;
        }
        let energy = blur(&squares, false);
        let whole = squares.iter().flatten().sum::<f32>() / (N * N) as f32;
        let floor = FLOOR * FLOOR + RINGING * RINGING * whole;
        for (detail, energy) in detail.iter_mut().flatten().zip(energy.iter().flatten()) {
            *detail /= (energy.max(0.0) + floor).sqrt();
        }
        Box::new(Level(*detail))
    }

    /// The root of the mean square of the details, 0 to about 1.
    pub fn amount(&self) -> f32 {
        (self.0.iter().flatten().map(|d| d * d).sum::<f32>() / (N * N) as f32).sqrt()
    }

    /// The details of the turned picture.
    pub fn turned(&self, turn: Turn) -> Box<Self> {
        let turned = turn.of_square(self.0.as_flattened(), N);
        let mut level = Box::new(Level([[0.0; N]; N]));
        level.0.as_flattened_mut().copy_from_slice(&turned);
        level
    }
}

impl Packed {
    pub fn of(level: &Level<COARSE>) -> Packed {
        let mut packed = [0; COARSE * COARSE];
        for (packed, value) in packed.iter_mut().zip(level.0.as_flattened()) {
            *packed = ((value * STEPS).round().clamp(-127.0, 127.0) as i8).cast_unsigned();
        }
        Packed(packed)
    }

    /// The details of its bytes.
    pub fn level(packed: &[u8]) -> Level<COARSE> {
        let mut level = Level([[0.0; COARSE]; COARSE]);
        for (value, &packed) in level.0.as_flattened_mut().iter_mut().zip(packed) {
            *value = f32::from(packed.cast_signed()) / STEPS;
        }
        level
    }
}

/// The mean of a square of `2 R + 1` pixels around each pixel. Beyond the rim the picture goes on as its mirror image; `odd`: turned by 180
/// degrees about the rim, so that the mean of a gradient is the gradient.
#[inline(always)]
fn blurred<const N: usize, const R: usize>(picture: &[[f32; N]; N], odd: bool) -> Box<[[f32; N]; N]> {
    let scale = 1.0 / (2 * R + 1) as f32;
    let beyond = |rim: f32, inner: f32| if odd { 2.0 * rim - inner } else { inner };
    let mut result = Box::new([[0.0; N]; N]);
    let mut line = [0.0f32; 80];
    const { assert!(N + 2 * R <= 80) };
    for y in 0..N {
        let mut sum = [0.0f32; N];
        for i in 0..2 * R + 1 {
            let at = (y + i) as isize - R as isize;
            let inner = if at < 0 { -at } else { at.min(2 * (N as isize - 1) - at) } as usize;
            if at >= 0 && at < N as isize {
                sum.iter_mut().zip(&picture[inner]).for_each(|(sum, value)| *sum += value);
            } else {
                let rim = &picture[if at < 0 { 0 } else { N - 1 }];
                for x in 0..N {
                    sum[x] += beyond(rim[x], picture[inner][x]);
                }
            }
        }
        line[R..R + N].copy_from_slice(&sum);
        for i in 1..=R {
            line[R - i] = beyond(sum[0], sum[i]);
            line[R + N - 1 + i] = beyond(sum[N - 1], sum[N - 1 - i]);
        }
        let row = &mut result[y];
        for i in 0..2 * R + 1 {
            for x in 0..N {
                row[x] += line[x + i];
            }
        }
        row.iter_mut().for_each(|value| *value *= scale * scale);
    }
    result
}
