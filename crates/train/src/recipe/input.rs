//! `[input]`: what the network sees of an image.

use super::by_name;
use pupila_dataset::{ResizeRule, Show};
use pupila_image::{Interpolation, Reading};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the network sees of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// Height and width that every image is resized to, in pixels.
    pub size: u32,
    /// 3 for color, 1 for gray.
    pub channels: u8,
    /// How images are resized, as OpenCV does: `area` averages when shrinking, `linear` does not.
    #[serde(with = "by_name")]
    #[schemars(with = "InterpolationName")]
    pub interpolation: Interpolation,
    /// How JPEG files become pixels.
    pub decode: Decode,
    /// What becomes of damaged image files.
    #[serde(skip_serializing_if = "Damaged::is_refuse")]
    pub damaged: Damaged,
    /// The value that is white in files of 16 bits, such as 4095 where they use 12 of them; in files of floating-point numbers and
    /// in arrays too. Left out, 65535, or 1, or in arrays 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub white: Option<u32>,
    /// The color that transparent pixels are laid over: `white`, `black`, or one such as `#c0c0c0`. Left out, transparency is
    /// dropped, and whatever color the file has there shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub background: Option<String>,
    /// What of the resized image is shown, in training as in prediction; the rest is gray, 128 of 255, before augmentation. Other than
    /// `all` these are negative controls: `outside` hides the middle half of height and width, `border` shows the outer 8 % on each side
    /// alone, `thumbnail` 4x4 means.
    #[serde(with = "by_name", skip_serializing_if = "is_all")]
    #[schemars(with = "ShowName")]
    pub show: Show,
}

fn is_all(show: &Show) -> bool {
    *show == Show::All
}

impl Default for Input {
    fn default() -> Self {
        let (interpolation, decode) = (Interpolation::Area, Decode::Full);
        let damaged = Damaged::Refuse;
        let (white, background, show) = (None, None, Show::All);
        Input { size: 64, channels: 3, interpolation, decode, damaged, white, background, show }
    }
}

impl Input {
    /// What is hidden of the images, in words; none where all of them is shown.
    pub fn control(&self) -> Option<String> {
        let words = self.show.words()?;
        Some(format!("the network sees each image {words} (input.show = \"{}\")", self.show))
    }

    /// How images are brought to this size.
    pub fn rule(&self) -> ResizeRule {
        let &Input { size, channels, interpolation, decode, damaged, white, ref background, show } = self;
        let scaled_decoding = decode == Decode::Scaled;
        let background = background.as_deref().and_then(color_of);
        let reading = Reading { white, background, fill_damaged: damaged == Damaged::Fill };
        ResizeRule { width: size, height: size, channels, interpolation, scaled_decoding, reading, show }
    }
}

/// The color of a name or of `#rrggbb`.
pub(super) fn color_of(text: &str) -> Option<[u8; 3]> {
    match text.to_ascii_lowercase().as_str() {
        "white" => Some([255; 3]),
        "black" => Some([0; 3]),
        other => {
            let digits = other
                .strip_prefix('#')
                .filter(|digits| digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
            let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
            Some([part(0)?, part(2)?, part(4)?])
        }
    }
}

/// How JPEG files become pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decode {
    /// Every pixel is worked out, and then the image is resized.
    Full,
    /// Where a file is at least four times as large as the input, means of 2x2, 4x4 or 8x8 pixels are read out of it, which
    /// takes half the time. On photographs of skin a value is off by 0.2 of 255 on average, one in a thousand by more than 4, and
    /// the worst by 23. Needs the interpolation `area`.
    Scaled,
}

/// What becomes of damaged image files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Damaged {
    /// They are bad images (see `data.on_bad_image`).
    #[default]
    Refuse,
    /// JPEG and PNG files are read as far as they go, what is lost is gray, and they are named. What is damaged in its header, or of
    /// another format, is a bad image all the same.
    Fill,
}

impl Damaged {
    fn is_refuse(&self) -> bool {
        *self == Damaged::Refuse
    }
}

/// Names for the schema of `interpolation`.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum InterpolationName {
    Nearest,
    Linear,
    Cubic,
    Area,
    Lanczos,
}

/// Names for the schema of `show`.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum ShowName {
    All,
    Outside,
    Border,
    Thumbnail,
}
