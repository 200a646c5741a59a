//! A grid of unequal cells. Reference: `albumentations.GridDistortion`.

use crate::warp::{Sampling, by_position};
use crate::{BorderMode, Fill, Frame, Interpolation, Problems, Shape, SymmetricRange, Transform};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridSteps {
    /// The factor of each cell across, and of the pixels left over.
    pub steps_x: Vec<f64>,
    /// The same down.
    pub steps_y: Vec<f64>,
}

/// Stretches and squeezes the cells of a grid, all of a row or column alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GridDistortion {
    /// Cells across and down.
    pub num_steps: u32,
    /// What is added to the factor 1 of a cell.
    pub distort_limit: SymmetricRange,
    /// How values between pixels are made.
    pub interpolation: Interpolation,
    /// The same for a mask.
    pub mask_interpolation: Interpolation,
    /// What is beyond the border.
    pub border_mode: BorderMode,
    /// The value of the border mode `constant`. One number is for the first channel, the others are 0: so the reference.
    pub fill: Fill,
    /// The same for a mask.
    pub fill_mask: Fill,
    /// Whether the cells together are as large as the image, so that nothing is moved out of it.
    pub normalized: bool,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for GridDistortion {
    fn default() -> Self {
        GridDistortion {
            num_steps: 5,
            distort_limit: SymmetricRange::around_zero(0.3),
            interpolation: Interpolation::Linear,
            mask_interpolation: Interpolation::Nearest,
            border_mode: BorderMode::Constant,
            fill: Fill::default(),
            fill_mask: Fill::default(),
            normalized: true,
            p: 0.5,
        }
    }
}

impl Transform for GridDistortion {
    const NAME: &'static str = "grid_distortion";
    const DESCRIPTION: &'static str = "distorts by a grid";

    type Drawn = GridSteps;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.number_within("num_steps", f64::from(self.num_steps), 1.0, 1024.0);
        problems.range_within("distort_limit", &self.distort_limit, -1.0, 1.0);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> GridSteps {
        let mut steps = || (0..=self.num_steps).map(|_| 1.0 + self.distort_limit.draw(stream)).collect();
        GridSteps { steps_x: steps(), steps_y: steps() }
    }

    fn apply(&self, drawn: &GridSteps, frame: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.interpolation,
            border: self.border_mode,
            fill: self.fill.scalar(),
        };
        self.distort(drawn, frame, sampling);
    }

    fn apply_to_mask(&self, drawn: &GridSteps, mask: &mut Frame) {
        let sampling = Sampling {
            interpolation: self.mask_interpolation,
            border: self.border_mode,
            fill: self.fill_mask.scalar(),
        };
        self.distort(drawn, mask, sampling);
    }
}

impl GridDistortion {
    fn distort(&self, drawn: &GridSteps, frame: &mut Frame, sampling: Sampling) {
        let shape = frame.shape();
        let cells = self.num_steps as usize;
        // The reference refuses sides shorter than the number of cells.
        if shape.width < cells || shape.height < cells || cells == 0 {
            return;
        }
        let columns = self.positions(shape.width, &drawn.steps_x);
        let rows = self.positions(shape.height, &drawn.steps_y);
        frame.redraw_with(shape, |from, to, scratch| {
            by_position(from, shape, to, shape.width, sampling, scratch, |y, xs, ys| {
                xs.copy_from_slice(&columns);
                ys.fill(rows[y]);
            });
        });
    }

    /// Where in the source the pixels along a side are.
    fn positions(&self, side: usize, steps: &[f64]) -> Vec<f32> {
        let cells = self.num_steps as usize;
        let cell = side / cells;
        let mut steps = steps.to_vec();
        if self.normalized {
            let rest = side.min((cells + 1) * cell) - cells * cell;
            if let Some(last) = steps.last_mut() {
                *last *= rest as f64 / cell as f64;
            }
            let scale = side as f64 / cell as f64 / steps.iter().sum::<f64>();
            steps.iter_mut().for_each(|step| *step *= scale);
        }
        // What more than one cell leaves over stays at 0, as in the reference.
        let mut positions = vec![0f32; side];
        let mut from = 0.0;
        for (i, step) in steps.iter().enumerate() {
            let to = from + cell as f64 * step;
            let start = (i * cell).min(side);
            let inside = &mut positions[start..(start + cell).min(side)];
            // Both ends are reached, as by numpy.linspace.
            let gap = (to - from) / (inside.len().max(2) - 1) as f64;
            inside
                .iter_mut()
                .enumerate()
                .for_each(|(j, position)| *position = (from + j as f64 * gap) as f32);
            from = to;
        }
        positions
    }
}
