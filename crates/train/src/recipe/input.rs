//! `[input]`: what the network sees of an image.

use super::size::{KeptSize, Size};
use super::{MAX_SIZE, by_name};
use pupila_dataset::{Keep, ResizeRule, Show};
use pupila_image::{Fit, Interpolation, Reading};
use pupila_transforms::Shape;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the network sees of an image.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// What the network sees, in pixels: `64` for 64 rows and columns, or `[height, width]`.
    pub size: Size,
    /// How an image of another shape becomes an input. Left out, `squash`.
    #[serde(skip_serializing_if = "FitName::is_squash")]
    pub fit: FitName,
    /// With `fit = "crop"`: the input's share of the sides that the image is scaled to before its middle is cut out. Left out, 0.875: an
    /// image's shorter side is brought to 256 pixels for an input of 224.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crop_frac: Option<f64>,
    /// At which size images are kept: `256` for at most so many pixels on the shorter side, the aspect ratio kept, or `"whole"`. Images to
    /// train on are held at this size and are varied before they become inputs, so that `random_resized_crop` draws from the picture
    /// rather than from the input. Left out, all images become inputs first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<KeptSize>,
    /// 3 for color, 1 for gray.
    pub channels: u8,
    /// How images are resized, as OpenCV does: `area` averages when shrinking, `linear` does not.
    #[serde(with = "by_name")]
    #[schemars(with = "InterpolationName")]
    pub interpolation: Interpolation,
    /// Whether `linear`, `cubic` and `lanczos` weigh every pixel that they shrink, as Pillow, torchvision and timm do; OpenCV passes over
    /// pixels. Left out, false.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub antialias: bool,
    /// How JPEG files become pixels.
    pub decode: Decode,
    /// What becomes of damaged image files.
    #[serde(skip_serializing_if = "Damaged::is_refuse")]
    pub damaged: Damaged,
    /// The value that is white in files of 16 bits, such as 4095 where they use 12 of them; in files of floating-point numbers and
    /// in arrays too. Left out, 65535, or 1, or in arrays 255.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub white: Option<u32>,
    /// The value that is black in such files, such as -1 where they hold -1 to 1, or -1024 of computed tomography; smaller ones are black too.
    /// Left out, 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub black: Option<i32>,
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
        Input {
            size: Size::from(64),
            fit: FitName::Squash,
            crop_frac: None,
            keep: None,
            channels: 3,
            interpolation: Interpolation::Area,
            antialias: false,
            decode: Decode::Full,
            damaged: Damaged::Refuse,
            white: None,
            black: None,
            background: None,
            show: Show::All,
        }
    }
}

/// The share of the sides that a crop is cut from, where a recipe doesn't say.
const CROP_FRAC: f64 = 0.875;

impl Input {
    /// What is hidden of the images, in words; none where all of them is shown.
    pub fn control(&self) -> Option<String> {
        let words = self.show.words()?;
        Some(format!("the network sees each image {words} (input.show = \"{}\")", self.show))
    }

    /// How images are brought to this size.
    pub fn rule(&self) -> ResizeRule {
        let Size { height, width } = self.size;
        let background = self.background.as_deref().and_then(color_of);
        ResizeRule {
            width,
            height,
            channels: self.channels,
            interpolation: self.interpolation,
            antialias: self.antialias,
            scaled_decoding: self.decode == Decode::Scaled,
            reading: Reading {
                white: self.white,
                black: self.black,
                background,
                fill_damaged: self.damaged == Damaged::Fill,
            },
            show: self.show,
            fit: self.fit(),
            keep: self.keep.map(|KeptSize(keep)| keep),
        }
    }

    /// Height, width and channels of an input.
    pub fn shape(&self) -> Shape {
        let Size { height, width } = self.size;
        Shape { height: height as usize, width: width as usize, channels: usize::from(self.channels) }
    }

    fn fit(&self) -> Fit {
        match self.fit {
            FitName::Squash => Fit::Squash,
            FitName::Letterbox => Fit::Letterbox,
            FitName::Crop => {
                let frac = self.crop_frac.unwrap_or(CROP_FRAC);
                // Cut off, as timm does; never below the input.
                let cover = |side: u32| ((f64::from(side) / frac) as u32).max(side);
                Fit::Crop { cover: [cover(self.size.height), cover(self.size.width)] }
            }
        }
    }

    /// Everything about it that cannot be meant: the key below `input`, and what is wrong.
    pub(super) fn faults(&self) -> Vec<(&'static str, String)> {
        let mut faults = Vec::new();
        let mut refuse = |key: &'static str, said: String| faults.push((key, said));
        let Size { height, width } = self.size;
        let is_size = |side: u32| (1..=MAX_SIZE).contains(&side);
        if !is_size(height) || !is_size(width) {
            refuse("size", format!("must be from 1 to {MAX_SIZE} pixels, got {}", self.size));
        }
        let frac = self.crop_frac.unwrap_or(CROP_FRAC);
        let is_frac = frac > 0.0 && frac <= 1.0;
        if !is_frac {
            refuse("crop_frac", format!("must be above 0 and at most 1, got {frac}"));
        } else if self.crop_frac.is_some() && self.fit != FitName::Crop {
            refuse("crop_frac", format!("is for input.fit = \"crop\"; it is \"{}\"", self.fit.name()));
        }
        if let Some(KeptSize(Keep::ShorterSide(side))) = self.keep
            && is_frac
            && is_size(height.min(width))
        {
            let needed = match self.fit() {
                Fit::Crop { cover: [rows, columns] } => rows.min(columns),
                Fit::Squash | Fit::Letterbox => height.min(width),
            };
            if side < needed {
                refuse(
                    "keep",
                    format!(
                        "must be at least {needed} pixels, or images would be made smaller and larger again for an input of {}; \
                         got {side}",
                        self.size
                    ),
                );
            }
        }
        if self.antialias && matches!(self.interpolation, Interpolation::Area | Interpolation::Nearest) {
            refuse(
                "antialias",
                format!(
                    "is for the interpolations linear, cubic and lanczos; input.interpolation is \"{}\"{}",
                    self.interpolation,
                    if self.interpolation == Interpolation::Area { ", which averages as it is" } else { "" }
                ),
            );
        }
        if self.decode == Decode::Scaled && self.interpolation != Interpolation::Area {
            let said = format!(
                "\"scaled\" averages, as \"area\" does; input.interpolation is \"{}\"",
                self.interpolation
            );
            refuse("decode", said);
        }
        if !matches!(self.channels, 1 | 3) {
            refuse("channels", format!("must be 3 (color) or 1 (gray), got {}", self.channels));
        }
        if self.white == Some(0) {
            refuse("white", "must be at least 1, such as 4095 for 12 bits, got 0".into());
        }
        if let (Some(white), Some(black)) = (self.white, self.black)
            && i64::from(black) >= i64::from(white)
        {
            refuse("black", format!("must be below input.white, which is {white}, got {black}"));
        }
        if let Some(background) = self.background.as_deref().filter(|color| color_of(color).is_none()) {
            refuse(
                "background",
                format!("must be white, black, or a color such as #c0c0c0, got {background:?}"),
            );
        }
        faults
    }
}

/// How an image of another shape becomes an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FitName {
    /// Its sides are scaled separately: all of it is seen, and the aspect ratio is not kept.
    #[default]
    Squash,
    /// It is scaled, the aspect ratio kept, and its middle is cut out (see `crop_frac`).
    Crop,
    /// It is scaled to lie inside, the aspect ratio kept, and the rest is gray, 128 of 255.
    Letterbox,
}

impl FitName {
    fn is_squash(&self) -> bool {
        *self == FitName::Squash
    }

    fn name(self) -> &'static str {
        match self {
            FitName::Squash => "squash",
            FitName::Crop => "crop",
            FitName::Letterbox => "letterbox",
        }
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
