//! Gray. Reference: `albumentations.ToGray`.

use crate::color::{Lab, gray};
use crate::{Frame, Nothing, Problems, Shape, Transform};
use pupila_isa::{BLOCK, dispatch, planes_of, write_planes};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the gray of a color is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrayMethod {
    /// 0.299 red, 0.587 green and 0.114 blue.
    WeightedAverage,
    /// The lightness of CIE L*a*b*.
    FromLab,
    /// The middle of the largest and the smallest value.
    Desaturation,
    /// The mean of the values.
    Average,
    /// The largest value.
    Max,
}

/// Makes a color image gray.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ToGray {
    /// Channels of the result: 3 equal ones, or 1.
    pub num_output_channels: u8,
    /// What gray is.
    pub method: GrayMethod,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for ToGray {
    fn default() -> Self {
        ToGray { num_output_channels: 3, method: GrayMethod::WeightedAverage, p: 0.5 }
    }
}

impl Transform for ToGray {
    const NAME: &'static str = "to_gray";
    const DESCRIPTION: &'static str = "makes gray";

    type Drawn = Nothing;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        if !matches!(self.num_output_channels, 1 | 3) {
            problems.refuse("num_output_channels", "1 or 3", &self.num_output_channels);
        }
    }

    fn output_shape(&self, input: Option<Shape>) -> Option<Shape> {
        let channels = usize::from(self.num_output_channels).min(input?.channels);
        Some(Shape { channels, ..input? })
    }

    fn draw(&self, _: Shape, _: &mut Stream) -> Nothing {
        Nothing {}
    }

    fn apply(&self, _: &Nothing, frame: &mut Frame) {
        if frame.shape().channels != 3 {
            return;
        }
        match self.method {
            GrayMethod::WeightedAverage => self.write(frame, gray),
            GrayMethod::FromLab => {
                let lab = Lab::tables();
                self.write(frame, |rgb| lab.of_rgb(rgb)[0]);
            }
            GrayMethod::Desaturation => self.write(frame, |[r, g, b]| {
                let sum = u16::from(r.max(g).max(b)) + u16::from(r.min(g).min(b));
                (sum / 2) as u8
            }),
            GrayMethod::Average => {
                self.write(frame, |[r, g, b]| ((u16::from(r) + u16::from(g) + u16::from(b)) / 3) as u8)
            }
            GrayMethod::Max => self.write(frame, |[r, g, b]| r.max(g).max(b)),
        }
    }
}

impl ToGray {
    #[inline(always)]
    fn write(&self, frame: &mut Frame, gray: impl Fn([u8; 3]) -> u8) {
        let channels = usize::from(self.num_output_channels);
        let shape = Shape { channels, ..frame.shape() };
        frame.redraw(shape, |from, to| {
            dispatch(
                #[inline(always)]
                || {
                    for (to, chunk) in to.chunks_mut(channels * BLOCK).zip(from.chunks(3 * BLOCK)) {
                        let plane = plane(&planes_of(chunk), &gray);
                        if channels == 3 {
                            write_planes(&[plane; 3], to);
                        } else {
                            to.copy_from_slice(&plane[..to.len()]);
                        }
                    }
                },
            );
        });
    }
}

#[inline(always)]
fn plane([red, green, blue]: &[[u8; BLOCK]; 3], gray: impl Fn([u8; 3]) -> u8) -> [u8; BLOCK] {
    let mut plane = [0; BLOCK];
    for i in 0..BLOCK {
        plane[i] = gray([red[i], green[i], blue[i]]);
    }
    plane
}
