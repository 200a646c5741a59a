//! Cutting pixels off and adding some around, for the transforms that do.

use crate::{BorderMode, Fill, Frame, Interpolation, Shape};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where an image stands in the larger one that padding makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PadPosition {
    /// In the middle; of an odd number of pixels one more is added right and below.
    #[default]
    Center,
    /// Above and on the left.
    TopLeft,
    /// Above and on the right.
    TopRight,
    /// Below and on the left.
    BottomLeft,
    /// Below and on the right.
    BottomRight,
    /// Anywhere.
    Random,
}

/// Pixels added on each side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Padding {
    /// Above.
    pub top: usize,
    /// Below.
    pub bottom: usize,
    /// On the left.
    pub left: usize,
    /// On the right.
    pub right: usize,
}

impl Padding {
    /// As many rows and columns more as given, where `position` says.
    pub(crate) fn placed(rows: usize, columns: usize, position: PadPosition, stream: &mut Stream) -> Self {
        let mut anywhere = |n: usize| stream.below(n as u32 + 1) as usize;
        let (top, left) = match position {
            PadPosition::Center => (rows / 2, columns / 2),
            PadPosition::TopLeft => (0, 0),
            PadPosition::TopRight => (0, columns),
            PadPosition::BottomLeft => (rows, 0),
            PadPosition::BottomRight => (rows, columns),
            PadPosition::Random => (anywhere(rows), anywhere(columns)),
        };
        Padding { top, bottom: rows - top, left, right: columns - left }
    }
}

/// A rectangle of pixels; the maxima are not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CropBox {
    /// The first column.
    pub x_min: usize,
    /// The first row.
    pub y_min: usize,
    /// The column after the last.
    pub x_max: usize,
    /// The row after the last.
    pub y_max: usize,
}

impl CropBox {
    /// `height` x `width` pixels at the fraction (`down`, `across`) of the room that there is.
    pub(crate) fn at(input: Shape, height: usize, width: usize, down: f64, across: f64) -> Self {
        let (height, width) = (height.min(input.height), width.min(input.width));
        let start = |room: usize, at: f64| (((room + 1) as f64 * at) as usize).min(room);
        let (y_min, x_min) = (start(input.height - height, down), start(input.width - width, across));
        CropBox { x_min, y_min, x_max: x_min + width, y_max: y_min + height }
    }

    /// `height` x `width` pixels in the middle.
    pub(crate) fn centered(input: Shape, height: usize, width: usize) -> Self {
        let (height, width) = (height.min(input.height), width.min(input.width));
        let (y_min, x_min) = ((input.height - height) / 2, (input.width - width) / 2);
        CropBox { x_min, y_min, x_max: x_min + width, y_max: y_min + height }
    }
}

/// Pixels to add, and then those to keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PadAndCrop {
    /// Pixels added on each side.
    #[serde(default)]
    pub padding: Padding,
    /// Those to keep, in the padded image.
    pub crop: CropBox,
}

/// Keeps the pixels of the rectangle, as far as it is inside of the image.
pub(crate) fn crop(frame: &mut Frame, CropBox { x_min, y_min, x_max, y_max }: CropBox) {
    let shape = frame.shape();
    let (x_max, y_max) = (x_max.min(shape.width), y_max.min(shape.height));
    if x_min >= x_max || y_min >= y_max || (x_max - x_min, y_max - y_min) == (shape.width, shape.height) {
        return;
    }
    let out = Shape { height: y_max - y_min, width: x_max - x_min, ..shape };
    frame.rearrange(out, |from, to| {
        for (y, to) in to.chunks_exact_mut(out.row()).enumerate() {
            let start = (y_min + y) * shape.row() + x_min * shape.channels;
            to.copy_from_slice(&from[start..start + out.row()]);
        }
    });
}

/// Adds pixels around the image. Reference: `cv2.copyMakeBorder`.
pub(crate) fn pad(frame: &mut Frame, padding: Padding, border: BorderMode, fill: &Fill) {
    let shape = frame.shape();
    let Padding { top, bottom, left, right } = padding;
    if padding == Padding::default() || shape.values() == 0 {
        return;
    }
    let out = Shape { height: shape.height + top + bottom, width: shape.width + left + right, ..shape };
    let fill = fill.pixel();
    let fill = &fill[..shape.channels];
    frame.redraw(out, |from, to| {
        let channels = shape.channels;
        let empty: Vec<u8> = fill.iter().copied().cycle().take(out.row()).collect();
        let write = |to: &mut [u8], row: &[u8]| {
            to[left * channels..][..row.len()].copy_from_slice(row);
            if border == BorderMode::Constant {
                let (before, after) = (left * channels, left * channels + row.len());
                to[..before].copy_from_slice(&empty[..before]);
                to[after..].copy_from_slice(&empty[after..]);
                return;
            }
            for x in (0..left).chain(left + shape.width..out.width) {
                let source = border.position(x as i64 - left as i64, shape.width);
                let pixel = source.map_or(fill, |source| &row[source * channels..][..channels]);
                to[x * channels..][..channels].copy_from_slice(pixel);
            }
        };
        for (y, to) in to.chunks_exact_mut(out.row()).enumerate() {
            match border.position(y as i64 - top as i64, shape.height) {
                Some(row) => write(to, &from[row * shape.row()..][..shape.row()]),
                None => to.copy_from_slice(&empty),
            }
        }
    });
}

/// Resizes the image to `height` x `width` pixels. Reference: `cv2.resize`.
pub(crate) fn resize(frame: &mut Frame, height: usize, width: usize, interpolation: Interpolation) {
    let Shape { height: y_max, width: x_max, .. } = frame.shape();
    crop_and_resize(frame, CropBox { x_min: 0, y_min: 0, x_max, y_max }, height, width, interpolation);
}

/// Resizes the pixels of a rectangle, as far as it is inside of the image.
pub(crate) fn crop_and_resize(
    frame: &mut Frame,
    CropBox { x_min, y_min, x_max, y_max }: CropBox,
    height: usize,
    width: usize,
    interpolation: Interpolation,
) {
    let shape = frame.shape();
    let (x_max, y_max) = (x_max.min(shape.width), y_max.min(shape.height));
    let same = (x_min, y_min) == (0, 0)
        && [(x_max, y_max), (width, height)].iter().all(|size| *size == (shape.width, shape.height));
    if x_min >= x_max || y_min >= y_max || same {
        return;
    }
    let before = [(y_max - y_min) as u32, (x_max - x_min) as u32];
    let after = [height as u32, width as u32];
    let out = Shape { height, width, ..shape };
    frame.redraw(out, |from, to| {
        let from = &from[(y_min * shape.width + x_min) * shape.channels..];
        let channels = shape.channels as u8;
        pupila_image::resize_window(from, shape.width, before, to, after, channels, interpolation.into());
    });
}

/// What is said of a crop that does not fit into the image.
pub(crate) fn too_large(height: usize, width: usize, image: Shape) -> Option<String> {
    (height > image.height || width > image.width).then(|| {
        format!(
            "cuts {height} x {width} pixels out of images of {} x {}, which leaves a side as it is: choose less, or set pad_if_needed = true",
            image.height, image.width
        )
    })
}
