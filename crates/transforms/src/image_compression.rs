//! JPEG artefacts. Reference: `albumentations.ImageCompression`.

use crate::jpeg::round_trip;
use crate::{Frame, Pair, Problems, Shape, Transform, WholeRange};
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A format that loses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CompressionType {
    /// Baseline JPEG with chroma at half size.
    Jpeg,
}

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quality {
    /// From 1 to 100.
    pub quality: u8,
}

/// Makes the image what it would be after it was saved as JPEG. WebP, which the reference has too, is not offered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ImageCompression {
    /// The format.
    pub compression_type: CompressionType,
    /// Quality, from 1 to 100.
    pub quality_range: WholeRange<Pair>,
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for ImageCompression {
    fn default() -> Self {
        ImageCompression {
            compression_type: CompressionType::Jpeg,
            quality_range: WholeRange::new(99, 100),
            p: 0.5,
        }
    }
}

impl Transform for ImageCompression {
    const NAME: &'static str = "image_compression";
    const DESCRIPTION: &'static str = "leaves the traces of JPEG";

    type Drawn = Quality;

    fn p(&self) -> f64 {
        self.p
    }

    fn check(&self, problems: &mut Problems) {
        problems.whole_range_within("quality_range", &self.quality_range, 1, 100);
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Quality {
        Quality { quality: self.quality_range.draw(stream) as u8 }
    }

    fn apply(&self, drawn: &Quality, frame: &mut Frame) {
        let shape = frame.shape();
        if shape.values() > 0 {
            round_trip(frame.pixels_mut(), shape, drawn.quality);
        }
    }
}
