//! What the augmentation of a recipe does, as a picture.

use crate::contact_sheet::{Cell, Group, contact_sheet, shrunk};
use crate::error::{Error, Tried};
use crate::session::available_threads;
use crate::stop_signal::StopSignal;
use pupila_dataset::{Cache, Loaded, Notice, OnBadImage, Place, Skipped, Split, is_data, load, read_file};
use pupila_engine::thread_pool;
use pupila_image::{Image, Limits, Reading, decode_as, stored};
use pupila_loader::{Turn, turns};
use pupila_train::{CheckedRecipe, Recipe, RecipeErrors, scan_for};
use pupila_transforms::{SampleKey, Shape};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Draws of one image beside the original.
const DRAWS: u32 = 11;
/// Images of a batch that are shown.
const BATCH: usize = 16;
/// Pictures in a row.
const COLUMNS: usize = 4;
/// The square that each picture stands in, in pixels.
const SIDE: usize = 224;

/// Below this a transform changes next to nothing: a mean absolute difference, in levels of 255.
const NEXT_TO_NOTHING: f64 = 1.0;

/// How augmentation is shown.
#[derive(Debug, Default)]
pub struct AugmentationOptions {
    /// One transformed image itself, in its own size; only for an image.
    pub single: bool,
    /// The file of the image's mask, which is moved with it; only for an image. What it marks, all that is not 0, is tinted.
    pub mask: Option<PathBuf>,
    /// Where decoded images are kept on disk, if anywhere.
    pub cache: Option<Cache>,
    /// What may stop it.
    pub stop: StopSignal,
}

/// A picture of what augmentation does.
#[derive(Debug)]
pub struct Augmented {
    /// The picture.
    pub picture: Image,
    /// The mask of a single image as it was moved, where one was given.
    pub mask: Option<Image>,
    /// Images that it shows.
    pub images: usize,
    /// Images that cannot be read and are left out.
    pub skipped: Vec<Skipped>,
    /// Damaged images that it shows as far as they go, since the recipe says so.
    pub filled: Vec<Skipped>,
    /// Each transform by itself, which has a row of the picture; none for a single image.
    pub alone: Vec<Alone>,
}

/// A transform of the recipe by itself, always applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Alone {
    /// Its place in the recipe, from 0.
    pub place: usize,
    /// Its name.
    pub name: String,
    /// How much it changes a value of a pixel on average over the images that were tried, in levels of 255; none where it changes
    /// their size.
    pub mean_difference: Option<f64>,
}

impl Alone {
    /// Whether it changes next to nothing: less than one level of 255.
    pub fn is_next_to_nothing(&self) -> bool {
        self.mean_difference.is_some_and(|difference| difference < NEXT_TO_NOTHING)
    }
}

/// Draws of an image, the original first, or a labelled batch of a data set, as the network gets them in the first epoch.
///
/// # Errors
/// What is to be shown cannot be read, or not in this way.
pub fn augmented(
    what: &Path,
    recipe: &CheckedRecipe,
    options: &AugmentationOptions,
) -> Result<Augmented, Error> {
    if is_data(what) {
        if options.single {
            return Err(Error::request(
                "--single writes one transformed image, so it takes an image, not data",
            ));
        }
        if let Some(mask) = &options.mask {
            return Err(Error::request(format_args!(
                "--mask {} is the mask of one image, so it is given with an image, not with data",
                mask.display()
            )));
        }
        return batch(what, recipe, options);
    }
    one_image(what, recipe, options)
}

/// The image in its own size with draws of it, or one draw alone.
fn one_image(path: &Path, recipe: &CheckedRecipe, options: &AugmentationOptions) -> Result<Augmented, Error> {
    let bytes = read_file(path).map_err(Error::io(Tried::Read, path))?;
    let (channels, limits, reading) = (recipe.input.channels, Limits::default(), recipe.input.rule().reading);
    let strict = Reading { fill_damaged: false, ..reading };
    let wrong = |source| Error::PictureFile { path: path.to_owned(), source };
    let (image, filled) = match decode_as(&bytes, channels, &limits, &strict) {
        Err(damage) if reading.fill_damaged => {
            let filled = decode_as(&bytes, channels, &limits, &reading).map_err(|_| wrong(damage.clone()))?;
            (filled, Some(Skipped { path: path.to_owned(), reason: damage.to_string() }))
        }
        whole => (whole.map_err(wrong)?, None),
    };
    let mask = options.mask.as_deref().map(|path| mask_of(&image, path)).transpose()?;
    let rule = recipe.input.rule();
    let image = rule.at_kept_size(rule.shown(image));
    let mask = mask.map(|mask| rule.mask_at_kept_size(mask));
    // Sample 0 of as many epochs as there are draws: so a seed shows the same pictures in the grid and alone.
    let draw = |epoch| {
        let key = SampleKey { seed: recipe.train.seed, epoch, sample: 0 };
        match &mask {
            Some(mask) => recipe
                .varied_with_mask(&image, mask, key)
                .map(|(image, mask)| (image, Some(mask)))
                .map_err(Error::request),
            None => Ok((recipe.varied(&image, key)?, None)),
        }
    };
    if options.single {
        let (skipped, filled) = (Vec::new(), filled.into_iter().collect());
        let (picture, mask) = draw(1)?;
        return Ok(Augmented { picture, mask, images: 1, skipped, filled, alone: Vec::new() });
    }
    // In their own size many photographs would take gigabytes.
    let cell = |(image, mask): (Image, Option<Image>), caption: &str| -> Result<Cell, Error> {
        let image = match mask {
            Some(mask) => tinted(image, &mask)?,
            None => image,
        };
        Ok(Cell { image: shrunk(image, SIDE), caption: caption.to_owned() })
    };
    let mut cells = vec![cell((image.clone(), mask.clone()), "original")?];
    for epoch in 1..=DRAWS {
        if options.stop.is_set() {
            return Err(Error::Stopped("interrupted; nothing was written"));
        }
        cells.push(cell(draw(epoch)?, "")?);
    }
    let images = cells.len();
    let samples = (1..=DRAWS).map(|epoch| (&image, SampleKey { seed: recipe.train.seed, epoch, sample: 0 }));
    let samples: Vec<(&Image, SampleKey)> = samples.collect();
    let mut groups = vec![Group { heading: String::new(), cells }];
    let alone = by_themselves(recipe, &samples, options, &mut groups)?;
    let (skipped, filled) = (Vec::new(), filled.into_iter().collect());
    Ok(Augmented {
        picture: contact_sheet(groups, COLUMNS, SIDE)?,
        mask: None,
        images,
        skipped,
        filled,
        alone,
    })
}

/// The mask of an image, from its file.
fn mask_of(image: &Image, path: &Path) -> Result<Image, Error> {
    let bytes = read_file(path).map_err(Error::io(Tried::Read, path))?;
    let wrong = |source| Error::PictureFile { path: path.to_owned(), source };
    let limits = Limits::default();
    let colors = decode_as(&bytes, 3, &limits, &Reading::default()).map_err(wrong)?;
    // As gray of 8 bits two classes could become one.
    let has_colors = colors.data().chunks_exact(3).any(|pixel| pixel[0] != pixel[1] || pixel[0] != pixel[2]);
    let is_deep = stored(&bytes, &limits).map_err(wrong)?.is_some();
    if has_colors || is_deep {
        return Err(Error::request(format_args!(
            "--mask {}: a mask is a gray picture of 8 bits, whose values are moved as they are; this one has {}: store its numbers so, such as by \
             `python3 -c \"from PIL import Image; import numpy; Image.fromarray(numpy.array(Image.open('MASK')).astype('uint8')).save('mask.png')\"`",
            path.display(),
            if is_deep { "more than 8 bits" } else { "colors" }
        )));
    }
    let mask = colors.to_channels(1)?;
    if (mask.width(), mask.height()) != (image.width(), image.height()) {
        return Err(Error::request(format_args!(
            "--mask {}: a mask is as wide and as high as its image, {} x {} pixels; this one has {} x {}",
            path.display(),
            image.width(),
            image.height(),
            mask.width(),
            mask.height()
        )));
    }
    Ok(mask)
}

/// What is mixed into the pixels that a mask marks, and its share.
const TINT: ([u8; 3], u32) = ([255, 0, 255], 40);

/// An image in color with what its mask marks tinted.
fn tinted(image: Image, mask: &Image) -> Result<Image, Error> {
    let (width, height) = (image.width(), image.height());
    let (tint, percent) = TINT;
    let mut data = image.to_channels(3)?.into_data();
    for (pixel, &marked) in data.chunks_exact_mut(3).zip(mask.data()) {
        if marked != 0 {
            for (value, tint) in pixel.iter_mut().zip(tint) {
                *value = ((u32::from(*value) * (100 - percent) + u32::from(tint) * percent) / 100) as u8;
            }
        }
    }
    Ok(Image::new(width, height, 3, data)?)
}

/// A row for each transform by itself, on the first of the images; how much it changes is measured on all of them.
fn by_themselves(
    recipe: &CheckedRecipe,
    samples: &[(&Image, SampleKey)],
    options: &AugmentationOptions,
    groups: &mut Vec<Group>,
) -> Result<Vec<Alone>, Error> {
    let mut all = Vec::new();
    for (place, transform) in recipe.augment.transforms.iter().enumerate() {
        let mut cells = Vec::new();
        let mut differences = Vec::new();
        for (i, (image, key)) in samples.iter().enumerate() {
            if options.stop.is_set() {
                return Err(Error::Stopped("interrupted; nothing was written"));
            }
            // A pipeline has no more places than this.
            let changed = recipe.pipeline().apply_one_to_image(place as u16, image, *key)?;
            differences.push(mean_difference(image, &changed));
            if i < COLUMNS {
                cells.push(Cell { image: shrunk(changed, SIDE), caption: String::new() });
            }
        }
        let known: Option<Vec<f64>> = differences.into_iter().collect();
        let mean = known.map(|known| known.iter().sum::<f64>() / known.len() as f64);
        let alone = Alone { place, name: transform.name.clone(), mean_difference: mean };
        let marked = match alone.mean_difference.filter(|_| alone.is_next_to_nothing()) {
            Some(mean) => format!(": changes next to nothing ({mean:.2} of 255)"),
            None => String::new(),
        };
        groups.push(Group { heading: format!("{} alone{marked}", transform.name), cells });
        all.push(alone);
    }
    Ok(all)
}

/// The mean absolute difference of two images of one size, in levels of 255.
fn mean_difference(a: &Image, b: &Image) -> Option<f64> {
    if (a.width(), a.height(), a.channels()) != (b.width(), b.height(), b.channels()) {
        return None;
    }
    let sum: u64 = a.data().iter().zip(b.data()).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
    Some(sum as f64 / a.data().len().max(1) as f64)
}

/// Training images as the network gets them in the first epoch, with their classes.
fn batch(path: &Path, recipe: &CheckedRecipe, options: &AugmentationOptions) -> Result<Augmented, Error> {
    let pool = thread_pool(available_threads()).map_err(|error| Error::Threads(error.to_string()))?;
    pool.install(|| {
        let cache = options.cache.as_ref().filter(|_| recipe.data.cache);
        let (dataset, _) = scan_for(recipe, path, cache)?;
        let faults = recipe.check_classes(&dataset.classes);
        if !faults.is_empty() {
            return Err(RecipeErrors(faults).into());
        }
        let train = dataset.indices(Split::Train);
        let mut labels: Vec<u32> = train.iter().map(|&sample| dataset.samples[sample].label).collect();
        recipe.data.labels.exchange(&mut labels, recipe.train.seed);
        let label = |position: u32| labels[position as usize];
        let order = recipe.data.sampler.order(&dataset.classes);
        let positions: Vec<u32> = (0..train.len() as u32).collect();
        let epoch = turns(&order.samples(&positions, label, recipe.train.seed, 1), train.len());
        // An image is mixed with the one before it, the first with the last.
        let before = epoch.last().copied().into_iter().chain(epoch.iter().copied());
        let pairs: Vec<(Turn, Turn)> = epoch.iter().copied().zip(before).take(BATCH).collect();
        let rule = recipe.input.rule();
        let turned = pairs.iter().flat_map(|(turn, before)| [turn, before]);
        let needed: BTreeSet<usize> = turned.map(|turn| train[turn.sample as usize]).collect();
        let needed: Vec<usize> = needed.into_iter().collect();
        let Loaded { pixels, kept, skipped, notices, .. } =
            load(&dataset, &needed, &rule, None, OnBadImage::Skip, &|_| {}, &|| options.stop.is_set())
                .map_err(|error| Error::Data(error.into()))?;
        let filled = notices.into_iter().find_map(|notice| match notice {
            Notice::Filled { images } => Some(images),
            _ => None,
        });
        let filled = filled.unwrap_or_default();
        let key = |turn: Turn| SampleKey { seed: recipe.train.seed, epoch: 1, sample: turn.key };
        let plain = |turn: Turn| -> Result<Option<Image>, Error> {
            let sample = train[turn.sample as usize];
            let Some(place) = kept.iter().position(|&other| other == sample) else { return Ok(None) };
            let Ok(data) = pixels.image(place) else { return Ok(None) };
            let Place { width, height, .. } = pixels.places()[place];
            Ok(Some(Image::new(width, height, rule.channels, data.into_owned())?))
        };
        let varied = |turn: Turn| -> Result<Option<Image>, Error> {
            let Some(image) = plain(turn)? else { return Ok(None) };
            Ok(Some(recipe.varied(&image, key(turn))?))
        };
        let mut cells = Vec::new();
        let (mut samples, mut originals) = (Vec::new(), Vec::new());
        for (turn, before) in pairs {
            let (Some(image), Some(partner)) = (varied(turn)?, varied(before)?) else { continue };
            let name = |turn: Turn| {
                let class = label(turn.sample) as usize;
                dataset.classes.get(class).map_or("", String::as_str).to_owned()
            };
            let (image, share) = mixed(recipe, image, &partner, key(turn))?;
            let caption = match share {
                1.0 => name(turn),
                // There is room for one: the one that it counts as.
                _ if share >= 0.5 => format!("{:.0}% {}", 100.0 * share, name(turn)),
                _ => format!("{:.0}% {}", 100.0 * (1.0 - share), name(before)),
            };
            cells.push(Cell { image, caption });
            if let Some(original) = plain(turn)? {
                if originals.len() < COLUMNS {
                    originals.push(Cell { image: original.clone(), caption: name(turn) });
                }
                samples.push((original, key(turn)));
            }
        }
        if cells.is_empty() {
            return Err(Error::request(format_args!(
                "{} holds no training image that can be read",
                path.display()
            )));
        }
        let images = cells.len();
        let mut groups = vec![Group { heading: String::new(), cells }];
        if !recipe.augment.transforms.is_empty() {
            groups.push(Group { heading: "the first of them without augmentation".into(), cells: originals });
        }
        let samples: Vec<(&Image, SampleKey)> = samples.iter().map(|(image, key)| (image, *key)).collect();
        let alone = by_themselves(recipe, &samples, options, &mut groups)?;
        Ok(Augmented {
            picture: contact_sheet(groups, COLUMNS, SIDE)?,
            mask: None,
            images,
            skipped,
            filled,
            alone,
        })
    })
}

/// An image mixed as the recipe says with the one before it, and the share that it keeps.
fn mixed(
    recipe: &Recipe,
    image: Image,
    partner: &Image,
    key: SampleKey,
) -> Result<(Image, f64), pupila_image::ImageError> {
    let shape = |image: &Image| Shape {
        height: image.height() as usize,
        width: image.width() as usize,
        channels: usize::from(image.channels()),
    };
    // A pipeline that is only looked at may give images of several sizes, which cannot be mixed.
    let Some(mixing) = recipe.mixing().filter(|_| shape(&image) == shape(partner)) else {
        return Ok((image, 1.0));
    };
    let floats = |image: &Image| image.data().iter().map(|&value| f32::from(value)).collect::<Vec<_>>();
    let mut values = floats(&image);
    let share = mixing.mix(shape(&image), key, &mut values, &floats(partner));
    let pixels = values.into_iter().map(|value| value.round() as u8).collect();
    Ok((Image::new(image.width(), image.height(), image.channels(), pixels)?, share))
}
