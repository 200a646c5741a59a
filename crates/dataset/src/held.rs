//! Images as they are held: in one block of memory, or apart from it, in packs of the cache and in their own files.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;

use memmap2::Mmap;
use pupila_image::{Image, Window};
use rayon::prelude::*;

use crate::cache::{checksum, read_exact_at};
use crate::load::decoded;
use crate::{ResizeRule, Sample, Show};

/// Where decoded images are held. What comes out is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hold {
    /// In one block of memory.
    #[default]
    Memory,
    /// In packs of the cache: an image is read when it is asked for, and the system keeps as much of them in memory as nobody else needs.
    /// What the cache cannot hold is decoded whenever it is asked for.
    Cache,
    /// Nowhere: files are decoded whenever their images are asked for.
    Files,
}

/// Where an image lies in a block of memory, and its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its first byte; of images that are held apart, nothing.
    pub at: usize,
    /// Rows.
    pub height: u32,
    /// Columns.
    pub width: u32,
    /// Whether it is kept at a size of its own, and is yet to become an input ([`ResizeRule::framing`]).
    pub kept: bool,
}

impl Place {
    /// Where its bytes lie, with so many samples a pixel.
    pub fn bytes(&self, channels: u8) -> std::ops::Range<usize> {
        let len = self.height as usize * self.width as usize * usize::from(channels);
        self.at..self.at.saturating_add(len)
    }
}

/// Images: inputs, all of one size, and images that are kept in sizes of their own.
pub struct Pixels {
    pub(crate) rule: ResizeRule,
    pub(crate) places: Vec<Place>,
    pub(crate) store: Store,
}

pub(crate) enum Store {
    /// Image after image, where their places say.
    Block(Vec<u8>),
    Apart(Apart),
}

/// Images outside of the process's own memory.
pub(crate) struct Apart {
    pub(crate) packs: Vec<PackFile>,
    /// For each image its pack and where it lies there; none of those that are decoded when they are asked for.
    pub(crate) at: Vec<Option<(u32, Lies)>>,
    /// For each image where it is decoded from.
    pub(crate) samples: Vec<Sample>,
}

/// A pack that stays open.
pub(crate) struct PackFile {
    pub(crate) file: File,
    /// For advice alone: its pages are never looked at, since one that another process has cut off would end this one.
    pub(crate) map: Option<Mmap>,
}

/// Where an image lies in a pack.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lies {
    pub(crate) at: u64,
    pub(crate) checksum: u64,
}

/// An image that was there when the data were read, and cannot be read any more.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{}: {reason}", crate::shown_path(path))]
pub struct Gone {
    /// The file.
    pub path: PathBuf,
    /// Why.
    pub reason: String,
}

impl Pixels {
    /// How they were made.
    pub fn rule(&self) -> &ResizeRule {
        &self.rule
    }

    /// All samples, image after image; empty where they are held apart.
    pub fn data(&self) -> &[u8] {
        match &self.store {
            Store::Block(data) => data,
            Store::Apart(_) => &[],
        }
    }

    /// All samples, image after image, without the rule; empty where they are held apart.
    pub fn into_data(self) -> Vec<u8> {
        match self.store {
            Store::Block(data) => data,
            Store::Apart(_) => Vec::new(),
        }
    }

    /// Each image's size, and where it lies.
    pub fn places(&self) -> &[Place] {
        &self.places
    }

    /// Whether they are in one block of memory.
    pub fn in_memory(&self) -> bool {
        matches!(self.store, Store::Block(_))
    }

    /// How many images are left in the cache, and how many are decoded whenever they are asked for.
    pub fn apart(&self) -> (usize, usize) {
        match &self.store {
            Store::Block(_) => (0, 0),
            Store::Apart(apart) => {
                let in_cache = apart.at.iter().flatten().count();
                (in_cache, apart.at.len() - in_cache)
            }
        }
    }

    /// Copies of the images at the places `from`, by another rule of the same sizes: those for which `keeps` says so, by their place
    /// among the copies, as they are kept, the others as inputs. None where they are not in memory, or one is here as an input alone and
    /// wanted as it is kept.
    pub fn copied(&self, from: &[usize], rule: ResizeRule, keeps: impl Fn(usize) -> bool) -> Option<Pixels> {
        let Store::Block(block) = &self.store else { return None };
        let mut data = Vec::with_capacity(from.len() * rule.bytes());
        let mut places = Vec::with_capacity(from.len());
        for (copy, &i) in from.iter().enumerate() {
            let stored = self.places[i];
            let pixels = &block[stored.bytes(rule.channels)];
            let at = data.len();
            match (stored.kept, keeps(copy)) {
                (false, true) => return None,
                (true, false) => {
                    let kept =
                        Image::new(stored.width, stored.height, rule.channels, pixels.to_vec()).ok()?;
                    data.extend_from_slice(rule.framing().input(&kept).data());
                    places.push(Place { at, height: rule.height, width: rule.width, kept: false });
                }
                _ => {
                    data.extend_from_slice(pixels);
                    places.push(Place { at, ..stored });
                }
            }
        }
        let mut pixels = Pixels { rule, places, store: Store::Block(data) };
        pixels.hide();
        Some(pixels)
    }

    /// Hides what the rule does not show. The cache keeps whole images, which serve every control.
    pub(crate) fn hide(&mut self) {
        let ResizeRule { width, height, channels, show, .. } = self.rule;
        // A control keeps none at a size of its own; those that are held apart are hidden when they are asked for.
        if let Store::Block(data) = &mut self.store
            && show != Show::All
        {
            data.par_chunks_exact_mut(self.rule.bytes())
                .for_each(|image| show.apply(image, width, height, channels));
        }
    }

    /// The number of images, `N`.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The samples of image `i`, `[H, W, C]`.
    ///
    /// # Errors
    /// An image that is decoded when it is asked for cannot be read any more.
    pub fn image(&self, i: usize) -> Result<Cow<'_, [u8]>, Gone> {
        self.image_in(i, None)
    }

    /// The same where nothing outside of a window will be looked at: it may be anything, where the image is decoded.
    ///
    /// # Errors
    /// As those of [`Self::image`].
    pub fn image_within(&self, i: usize, window: &Window) -> Result<Cow<'_, [u8]>, Gone> {
        self.image_in(i, Some(window))
    }

    fn image_in(&self, i: usize, window: Option<&Window>) -> Result<Cow<'_, [u8]>, Gone> {
        let place = &self.places[i];
        let apart = match &self.store {
            Store::Block(data) => return Ok(Cow::Borrowed(&data[place.bytes(self.rule.channels)])),
            Store::Apart(apart) => apart,
        };
        let in_pack = apart.at[i].and_then(|(pack, lies)| {
            let mut pixels = vec![0; place.bytes(self.rule.channels).len()];
            let read = read_exact_at(&apart.packs[pack as usize].file, &mut pixels, lies.at).is_ok();
            (read && checksum(&pixels) == lies.checksum).then_some(pixels)
        });
        // What has been cut off or changed under the work is decoded again.
        let mut pixels = match in_pack {
            Some(pixels) => pixels,
            None => {
                let gone = |reason| Gone { path: apart.samples[i].path.clone(), reason };
                decoded(&apart.samples[i], &self.rule, place, window).map_err(gone)?
            }
        };
        let ResizeRule { width, height, channels, show, .. } = self.rule;
        if show != Show::All {
            show.apply(&mut pixels, width, height, channels);
        }
        Ok(Cow::Owned(pixels))
    }

    /// Says that some images will be asked for soon, so that the system may read them meanwhile.
    pub fn ahead(&self, images: impl IntoIterator<Item = usize>) {
        let Store::Apart(apart) = &self.store else { return };
        for i in images {
            if let Some(&Some((pack, lies))) = apart.at.get(i)
                && let Some(map) = &apart.packs[pack as usize].map
            {
                let len = self.places[i].bytes(self.rule.channels).len();
                // Only advice: where it is not taken, the image is read when it is asked for.
                #[cfg(unix)]
                let _ = map.advise_range(memmap2::Advice::WillNeed, lies.at as usize, len);
                #[cfg(not(unix))]
                let _ = (map, lies, len);
            }
        }
    }
}

/// The same images by the same rule, wherever they are held.
impl PartialEq for Pixels {
    fn eq(&self, other: &Self) -> bool {
        let size = |place: &Place| (place.height, place.width, place.kept);
        let same =
            |i: usize| matches!((self.image(i), other.image(i)), (Ok(ours), Ok(theirs)) if ours == theirs);
        self.rule == other.rule
            && self.len() == other.len()
            && self.places.iter().zip(&other.places).all(|(a, b)| size(a) == size(b))
            && (0..self.len()).all(same)
    }
}

impl fmt::Debug for Pixels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pixels({} images, {:?})", self.len(), self.rule)
    }
}

/// A file's pages, to say which will be needed. None where the system has none.
pub(crate) fn map(file: &File) -> Option<Mmap> {
    // SAFETY: nothing is ever read through it, so that it does not matter what another process does to the file.
    #[allow(unsafe_code)]
    unsafe { Mmap::map(file) }.ok()
}
