//! A grid of holes (GridMask, Chen 2020). Reference: `albumentations.GridDropout`.

use crate::{Fill, Frame, HoleFill, Holes, Noise, Pair, Problems, Shape, Transform, WholeRange};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Fills a rectangle in each cell of a grid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GridDropout {
    /// Side of a hole, as a fraction of its cell.
    pub ratio: f64,
    /// Whether each hole is anywhere in its cell; else `shift_xy` from its corner.
    pub random_offset: bool,
    /// Side of the cells in pixels; the largest is left out, as in the reference.
    pub unit_size_range: Option<WholeRange<Pair>>,
    /// Instead: rows and columns of cells. Without either, 10 across and down.
    pub holes_number_xy: Option<[u32; 2]>,
    /// Shift of the holes, across and down.
    pub shift_xy: [u32; 2],
    /// What holes are filled with: a number, one for each channel, `random` or `random_uniform`.
    pub fill: HoleFill,
    /// The value of holes in a mask; left out, a mask has none.
    pub fill_mask: Option<Fill>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for GridDropout {
    fn default() -> Self {
        GridDropout {
            ratio: 0.5,
            random_offset: true,
            unit_size_range: None,
            holes_number_xy: None,
            shift_xy: [0, 0],
            fill: HoleFill::default(),
            fill_mask: None,
            p: 0.5,
        }
    }
}

impl Transform for GridDropout {
    const NAME: &'static str = "grid_dropout";
    const DESCRIPTION: &'static str = "cuts out a grid of rectangles";

    type Drawn = Holes;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.number_within("ratio", self.ratio, f64::MIN_POSITIVE, 1.0);
        if let Some(range) = &self.unit_size_range {
            problems.whole_range_within("unit_size_range", range, 2, 65535);
        }
        if let Some([x, y]) = self.holes_number_xy.filter(|holes| holes.contains(&0)) {
            problems.refuse("holes_number_xy", "at least 1 each", &format!("[{x}, {y}]"));
        }
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> Holes {
        let [rows, columns] = self.grid(input, stream);
        let (tops, lefts) = (splits(input.height, rows, stream), splits(input.width, columns, stream));
        let mut holes = Vec::with_capacity(rows * columns);
        for down in tops.windows(2) {
            for across in lefts.windows(2) {
                let mut place = |cell: &[usize], side: usize, shift: u32| {
                    let length = cell[1] - cell[0];
                    let hole =
                        ((length as f64 * self.ratio) as usize).clamp(1, length.saturating_sub(1).max(1));
                    let room = length.saturating_sub(hole);
                    let offset = if self.random_offset { stream.below(room as u32 + 1) } else { shift };
                    let start = (cell[0] + offset as usize).min(side.saturating_sub(hole));
                    (start, (start + hole).min(side))
                };
                let (y_min, y_max) = place(down, input.height, self.shift_xy[1]);
                let (x_min, x_max) = place(across, input.width, self.shift_xy[0]);
                holes.push([x_min, y_min, x_max, y_max]);
            }
        }
        Holes { holes, noise: Noise::draw(stream) }
    }

    fn apply(&self, drawn: &Holes, frame: &mut Frame) {
        drawn.fill(frame, &self.fill);
    }

    fn apply_to_mask(&self, drawn: &Holes, mask: &mut Frame) {
        if let Some(fill) = &self.fill_mask {
            drawn.fill(mask, &HoleFill::Value(fill.clone()));
        }
    }
}

impl GridDropout {
    /// Rows and columns of cells.
    fn grid(&self, input: Shape, stream: &mut Stream) -> [usize; 2] {
        let sides = [input.height, input.width];
        let grid = if let Some(holes) = self.holes_number_xy {
            holes.map(|n| n as usize)
        } else if let Some(range) = &self.unit_size_range {
            let unit = WholeRange::<Pair>::new(range.low, (range.high - 1).max(range.low)).draw(stream);
            sides.map(|side| side / unit as usize)
        } else {
            sides.map(|side| side / (side / 10).max(2))
        };
        std::array::from_fn(|axis| grid[axis].clamp(1, sides[axis].max(1)))
    }
}

/// Where cells begin, and the end of the last: as equal as whole pixels allow, in any order.
fn splits(side: usize, cells: usize, stream: &mut Stream) -> Vec<usize> {
    let mut lengths: Vec<usize> = (0..cells).map(|i| side / cells + usize::from(i < side % cells)).collect();
    stream.shuffle(&mut lengths);
    let mut at = 0;
    std::iter::once(0)
        .chain(lengths.into_iter().map(|length| {
            at += length;
            at
        }))
        .collect()
}
