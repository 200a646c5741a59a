//! How a file becomes pixels: how large it is kept, and how what is kept becomes an input. The one way, in training as in prediction.

use pupila_image::{
    DecodeError, Fit, Framing, Image, Interpolation, Limits, Reading, Resampling, Window, decode_resized,
    decode_shrunk, decode_window, probe, resize, resize_by, shorter_side_at_most,
};

use crate::{LoadError, Show};

/// The most pixels that a picture is resized to on its way to an input: 200 MB in color.
const MOST_COVERED: u64 = 1 << 26;

/// At which size images to train on are kept, so that crops can be drawn from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keep {
    /// With so many pixels on the shorter side at most, the aspect ratio kept.
    ShorterSide(u32),
    /// As the file has it.
    Whole,
}

/// The size to which all images of a run are brought, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ResizeRule {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Samples a pixel: 1 (gray) or 3 (RGB).
    pub channels: u8,
    /// How samples between pixels are made.
    pub interpolation: Interpolation,
    /// Whether an interpolation other than [`Interpolation::Area`] weighs every pixel that it shrinks (see [`Resampling`]).
    pub antialias: bool,
    /// With [`Interpolation::Area`]: JPEG files are shrunk while they are decoded ([`decode_shrunk`]), which takes half the
    /// time and is not quite the same.
    pub scaled_decoding: bool,
    /// What samples of more than 8 bits and transparency become.
    pub reading: Reading,
    /// What of the resized image is shown.
    pub show: Show,
    /// How an image of another shape becomes an input.
    pub fit: Fit,
    /// At which size an image is kept before it becomes an input; none where it becomes one at once. All images go by this size on
    /// their way, and those to train on are held at it.
    pub keep: Option<Keep>,
}

impl ResizeRule {
    /// Images that are squashed to a size by their area, and nothing else: the plainest rule, for others to begin with.
    pub const fn squash(width: u32, height: u32, channels: u8) -> Self {
        ResizeRule {
            width,
            height,
            channels,
            interpolation: Interpolation::Area,
            antialias: false,
            scaled_decoding: false,
            reading: Reading { white: None, black: None, background: None, fill_damaged: false },
            show: Show::All,
            fit: Fit::Squash,
            keep: None,
        }
    }

    /// Bytes of one input.
    pub fn bytes(&self) -> usize {
        self.width as usize * self.height as usize * usize::from(self.channels)
    }

    /// The same rule with all of the image shown.
    pub fn whole(&self) -> ResizeRule {
        ResizeRule { show: Show::All, ..*self }
    }

    /// Whether images to train on are held as they are kept, to be made inputs after they are varied. A control hides a part of the
    /// input, so its images become inputs first.
    pub fn keeps(&self) -> bool {
        self.keep.is_some() && self.show == Show::All
    }

    /// Rows and columns at which an image of `from` is kept.
    pub fn kept_size(&self, from: [u32; 2]) -> [u32; 2] {
        match self.keep {
            Some(Keep::ShorterSide(side)) => shorter_side_at_most(from, side),
            Some(Keep::Whole) | None => from,
        }
    }

    /// A whole picture at the size at which it is kept.
    pub fn at_kept_size(&self, picture: Image) -> Image {
        let from = [picture.height(), picture.width()];
        match self.kept_size(from) {
            to if to == from => picture,
            [height, width] => resize_by(&picture, width, height, self.resampling()),
        }
    }

    /// The mask of a whole picture at the size at which that is kept, its values not mixed.
    pub fn mask_at_kept_size(&self, mask: Image) -> Image {
        let from = [mask.height(), mask.width()];
        match self.kept_size(from) {
            to if to == from => mask,
            [height, width] => resize(&mask, width, height, Interpolation::Nearest),
        }
    }

    /// Rows and columns of the input.
    pub fn size(&self) -> [u32; 2] {
        [self.height, self.width]
    }

    pub(crate) fn check(&self) -> Result<(), LoadError> {
        let ResizeRule { width, height, channels, .. } = *self;
        let bytes = u64::from(width) * u64::from(height);
        let fits = bytes > 0 && bytes <= Limits::default().max_pixels && matches!(channels, 1 | 3);
        if fits { Ok(()) } else { Err(LoadError::Rule { width, height, channels }) }
    }

    fn resampling(&self) -> Resampling {
        Resampling { interpolation: self.interpolation, antialias: self.antialias }
    }

    /// The pixels of an image file by this rule: decoded, turned upright, brought to its channels and its size. `[H, W, C]`
    ///
    /// # Errors
    /// The bytes are no image that can be read, or a damaged one, unless [`Reading::fill_damaged`] says that these are read as far as
    /// they go. The system does not give the memory.
    pub fn pixels(&self, bytes: &[u8]) -> Result<Image, DecodeError> {
        Ok(self.shown(self.pixels_and_damage(bytes, false)?.0))
    }

    /// What an image that is kept becomes an input by.
    pub fn framing(&self) -> Framing {
        Framing { fit: self.fit, size: self.size(), resampling: self.resampling() }
    }

    /// An image with what this rule does not show hidden.
    pub fn shown(&self, image: Image) -> Image {
        if self.show == Show::All {
            return image;
        }
        let (width, height, channels) = (image.width(), image.height(), image.channels());
        let mut data = image.clone().into_data();
        self.show.apply(&mut data, width, height, channels);
        // As long as it was.
        Image::new(width, height, channels, data).unwrap_or(image)
    }

    /// All pixels, as they are kept or as an input, and of a damaged image that was filled what is wrong with it.
    pub(crate) fn pixels_and_damage(
        &self,
        bytes: &[u8],
        kept: bool,
    ) -> Result<(Image, Option<DecodeError>), DecodeError> {
        let strict = Reading { fill_damaged: false, ..self.reading };
        match self.decoded(bytes, &strict, kept) {
            Err(damage @ (DecodeError::Truncated { .. } | DecodeError::Malformed { .. }))
                if self.reading.fill_damaged =>
            {
                // What is wrong with the whole file is the better word on a picture of which nothing can be read.
                let filled = self.decoded(bytes, &self.reading, kept).map_err(|_| damage.clone())?;
                Ok((filled, Some(damage)))
            }
            whole => Ok((whole?, None)),
        }
    }

    /// A picture that is kept whole, of which no more than a window will be looked at; `None` where it is not kept so, or may be filled.
    pub(crate) fn window_of_whole(
        &self,
        bytes: &[u8],
        window: &Window,
    ) -> Option<Result<Image, DecodeError>> {
        let whole = self.keep == Some(Keep::Whole) && !self.reading.fill_damaged;
        whole.then(|| decode_window(bytes, self.channels, window, &Limits::default(), &self.reading))
    }

    /// Rows and columns that a picture is resized to first: to be kept, or on its way to an input.
    fn first_size(&self, from: [u32; 2]) -> [u32; 2] {
        match self.keep {
            Some(_) => self.kept_size(from),
            None => self.fit.scaled(from, self.size()),
        }
    }

    /// A picture of the first size, as it is kept or as an input.
    fn finished(&self, first: Image, kept: bool) -> Image {
        match self.keep {
            Some(_) if kept => first,
            Some(_) => self.framing().input(&first),
            None => self.fit.place(first, self.size()),
        }
    }

    /// Fails where covering the input takes too many pixels: a picture of a few rows is as wide as it was a thousand times over.
    fn check_cover(&self, bytes: &[u8]) -> Result<(), DecodeError> {
        let Fit::Crop { .. } = self.fit else { return Ok(()) };
        let header = probe(bytes)?;
        let from = self.kept_size([header.height, header.width]);
        let [to_height, to_width] = self.fit.scaled(from, self.size());
        match u64::from(to_height) * u64::from(to_width) <= MOST_COVERED {
            true => Ok(()),
            false => Err(DecodeError::Elongated {
                width: header.width,
                height: header.height,
                to_width,
                to_height,
                max_pixels: MOST_COVERED,
            }),
        }
    }

    fn decoded(&self, bytes: &[u8], reading: &Reading, kept: bool) -> Result<Image, DecodeError> {
        self.check_cover(bytes)?;
        let limits = Limits::default();
        let target = |width, height| {
            let [height, width] = self.first_size([height, width]);
            (width, height)
        };
        // What is kept whole is not shrunk, so that its pixels are the same whatever shrinks others.
        let shrinks = self.scaled_decoding && self.keep != Some(Keep::Whole);
        let first = if shrinks && self.interpolation == Interpolation::Area {
            let header = probe(bytes)?;
            decode_shrunk(bytes, self.channels, target(header.width, header.height), &limits, reading)?
        } else {
            decode_resized(bytes, self.channels, target, self.resampling(), &limits, reading)?
        };
        Ok(self.finished(first, kept))
    }

    /// An image of an array by this rule, as it is kept or as an input.
    pub(crate) fn of_array(&self, image: Image, kept: bool) -> Result<Image, pupila_image::ImageError> {
        // Channels first: this is the order of a program that opens an image in a mode and then resizes it.
        let image = image.to_channels(self.channels)?;
        let [height, width] = self.first_size([image.height(), image.width()]);
        Ok(self.finished(resize_by(&image, width, height, self.resampling()), kept))
    }
}
