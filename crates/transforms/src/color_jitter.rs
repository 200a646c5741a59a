//! Brightness, contrast, saturation and hue in any order. Reference: `albumentations.ColorJitter`, after torchvision.

use crate::color::{gray, map_hsv};
use crate::{AroundOne, Frame, Problems, Range, Shape, SymmetricRange, Transform};
use pupila_isa::{BLOCK, dispatch, map_pixels, planes_of};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jitter {
    /// Factor of every value.
    pub brightness: f64,
    /// Factor of the distance from the mean gray.
    pub contrast: f64,
    /// Factor of the distance from the gray of the pixel.
    pub saturation: f64,
    /// As a fraction of the circle.
    pub hue: f64,
    /// In which order: 0 brightness, 1 contrast, 2 saturation, 3 hue.
    pub order: [u8; 4],
}

/// Changes brightness, contrast, saturation and hue, in a drawn order. A gray image has only the first two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ColorJitter {
    /// Factor of every value.
    pub brightness: Range<AroundOne>,
    /// Factor of the distance from the mean gray.
    pub contrast: Range<AroundOne>,
    /// Factor of the distance from the gray of the pixel.
    pub saturation: Range<AroundOne>,
    /// Shift of the hue, as a fraction of the circle.
    pub hue: SymmetricRange,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for ColorJitter {
    fn default() -> Self {
        ColorJitter {
            brightness: Range::new(0.8, 1.2),
            contrast: Range::new(0.8, 1.2),
            saturation: Range::new(0.8, 1.2),
            hue: SymmetricRange::around_zero(0.5),
            p: 0.5,
        }
    }
}

impl Transform for ColorJitter {
    const NAME: &'static str = "color_jitter";
    const DESCRIPTION: &'static str = "changes brightness, contrast, saturation and hue";

    type Drawn = Jitter;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        for (name, range) in
            [("brightness", &self.brightness), ("contrast", &self.contrast), ("saturation", &self.saturation)]
        {
            problems.range_within(name, range, 0.0, f64::INFINITY);
        }
        problems.range_within("hue", &self.hue, -0.5, 0.5);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Jitter {
        let mut order = [0, 1, 2, 3];
        stream.shuffle(&mut order);
        Jitter {
            brightness: self.brightness.draw(stream),
            contrast: self.contrast.draw(stream),
            saturation: self.saturation.draw(stream),
            hue: self.hue.draw(stream),
            order,
        }
    }

    fn apply(&self, drawn: &Jitter, frame: &mut Frame) {
        let color = frame.shape().channels == 3;
        for step in drawn.order {
            match step {
                0 if drawn.brightness != 1.0 => frame.map(&line(drawn.brightness, 0.0)),
                1 if drawn.contrast != 1.0 => {
                    let mean = mean_gray(frame);
                    if drawn.contrast == 0.0 {
                        frame.map(&[(mean + 0.5) as u8; 256]);
                    } else {
                        frame.map(&line(drawn.contrast, mean * (1.0 - drawn.contrast)));
                    }
                }
                2 if color && drawn.saturation != 1.0 => saturate(frame.pixels_mut(), drawn.saturation),
                3 if color && drawn.hue != 0.0 => {
                    let same = std::array::from_fn(|i| i as u8);
                    let hue = std::array::from_fn(|i| (i as f64 + 180.0 * drawn.hue).rem_euclid(180.0) as u8);
                    let width = frame.shape().width;
                    map_hsv(frame.pixels_mut(), width, &hue, &same, &same, false);
                }
                _ => {}
            }
        }
    }
}

/// `factor v + added` in f32, cut off rather than rounded, as the reference computes its tables.
fn line(factor: f64, added: f64) -> [u8; 256] {
    let (factor, added) = (factor as f32, added as f32);
    std::array::from_fn(|value| (value as f32 * factor + added).clamp(0.0, 255.0) as u8)
}

fn mean_gray(frame: &mut Frame) -> f64 {
    let shape = frame.shape();
    let pixels = frame.pixels();
    let sum: u64 = match shape.channels {
        3 => dispatch(
            #[inline(always)]
            || pixels.chunks(3 * BLOCK).map(|chunk| u64::from(sum_of_gray(chunk))).sum(),
        ),
        _ => pixels.iter().map(|&value| u64::from(value)).sum(),
    };
    sum as f64 / (shape.height * shape.width).max(1) as f64
}

#[inline(always)]
fn sum_of_gray(chunk: &[u8]) -> u32 {
    let [red, green, blue] = planes_of(chunk);
    (0..BLOCK).map(|i| u32::from(gray([red[i], green[i], blue[i]]))).sum()
}

fn saturate(pixels: &mut [u8], factor: f64) {
    let (own, of_gray) = (f64::from(factor as f32), (1.0 - factor) as f32);
    // `cv2.addWeighted` fuses this multiplication and addition: only the sum is rounded to f32.
    let mixed = |value: u8, gray: f64| {
        let mixed = (f64::from(value) * own + gray) as f32;
        let mixed = if mixed > 0.0 { mixed } else { 0.0 };
        // Rounded, halves to even.
        ((if mixed < 255.0 { mixed } else { 255.0 }) + 8_388_608.0).to_bits() as u8
    };
    dispatch(
        #[inline(always)]
        || {
            map_pixels(
                pixels,
                #[inline(always)]
                |[red, green, blue]| {
                    for i in 0..BLOCK {
                        let gray = f64::from(f32::from(gray([red[i], green[i], blue[i]])) * of_gray);
                        red[i] = mixed(red[i], gray);
                        green[i] = mixed(green[i], gray);
                        blue[i] = mixed(blue[i], gray);
                    }
                },
            );
        },
    );
}
