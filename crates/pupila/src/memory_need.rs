//! What memory a run takes, and what there is: a run that does not fit ends before it makes anything.

use crate::describe;
use crate::error::Error;
use pupila_engine::CpuBackend;
use pupila_network::Network;
use pupila_train::{CheckedRecipe, ModelCard, Recipe};
use pupila_transforms::Normalization;
use std::path::Path;

/// What a program takes before it works: code, threads, lists of files. Measured on runs of 300 images.
const PROGRAM: u64 = 64 << 20;

/// The smallest side that is proposed.
const SMALLEST: u32 = 16;

/// What a run takes, in bytes; about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// The decoded images.
    pub images: u64,
    /// The network: values, gradients, moments, what lives for a step, the best values, and the model as it is written.
    pub network: u64,
}

impl Need {
    /// Of a run on `images` images.
    pub(crate) fn of(recipe: &Recipe, network: &Network, images: usize) -> Need {
        let batch = recipe.train.batch.min(images.max(1));
        let bytes = CpuBackend::memory_needed(network, batch, &recipe.optimizer);
        let values = bytes.values as u64;
        let averaged = if recipe.train.ema_decay.is_some() { 2 * values } else { 0 };
        // The best values, and half as much again for writing them.
        let kept = values + values / 2 + averaged;
        let engine = (bytes.values + bytes.gradients + bytes.moments + bytes.step) as u64;
        let size = u64::from(recipe.input.size);
        let pixels = size * size * u64::from(recipe.input.channels);
        // A batch that is used, one that is ready and one that is made, in floating point.
        let batches = 3 * 4 * batch as u64 * pixels;
        Need { images: images as u64 * pixels, network: engine + kept + batches }
    }

    pub(crate) fn bytes(self) -> u64 {
        self.images + self.network + PROGRAM
    }
}

/// Fails where a run on `images` images takes more than is there.
pub(crate) fn check(
    recipe: &CheckedRecipe,
    network: &Network,
    classes: &[String],
    images: usize,
    available: u64,
) -> Result<(), Error> {
    let need = Need::of(recipe, network, images);
    if need.bytes() <= available {
        return Ok(());
    }
    let fits = |size: u32, batch: usize| {
        let mut smaller = Recipe::clone(recipe);
        (smaller.input.size, smaller.train.batch) = (size, batch);
        let normalization = Normalization::imagenet(usize::from(smaller.input.channels));
        let card =
            ModelCard::new(classes.to_vec(), smaller.input.clone(), &normalization, smaller.model.clone());
        card.network().is_ok_and(|network| Need::of(&smaller, &network, images).bytes() <= available)
    };
    let (size, batch) = (recipe.input.size, recipe.train.batch);
    let batches =
        std::iter::successors(Some(batch / 2), |batch| Some(batch / 2)).take_while(|&batch| batch >= 2);
    let sizes = (1..8).rev().map(|eighths| size * eighths / 8 / 8 * 8).filter(|&size| size >= SMALLEST);
    let fitting = None
        .or_else(|| {
            batches.into_iter().find(|&batch| fits(size, batch)).map(|batch| format!("--batch {batch}"))
        })
        .or_else(|| sizes.into_iter().find(|&size| fits(size, batch)).map(|size| format!("--size {size}")));
    Err(Error::Memory {
        needed: need.bytes(),
        network: need.network,
        images: need.images,
        batch: batch.min(images),
        of_images: describe::images(images),
        available,
        fitting,
    })
}

/// Memory that this process may still take, in bytes: what is free, and what its limits (`ulimit -v`, a container's) leave;
/// none where the system doesn't say.
pub fn available_memory() -> Option<u64> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let kilobytes = |text: &str, key: &str| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(key))?;
        Some(1024 * line.split_whitespace().next()?.parse::<u64>().ok()?)
    };
    let free = read("/proc/meminfo").and_then(|text| kilobytes(&text, "MemAvailable:"));
    let address_space = || {
        let limits = read("/proc/self/limits")?;
        let limit = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
        let limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
        let used = kilobytes(&read("/proc/self/status")?, "VmSize:")?;
        Some(limit.saturating_sub(used))
    };
    let container = || {
        let groups = read("/proc/self/cgroup")?;
        let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
        let folder = Path::new("/sys/fs/cgroup").join(group.trim_start_matches('/'));
        // Any group above limits as well.
        let left = |folder: &Path| {
            let number =
                |name: &str| std::fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
            Some(number("memory.max")?.saturating_sub(number("memory.current")?))
        };
        folder.ancestors().take_while(|path| path.starts_with("/sys/fs/cgroup")).filter_map(left).min()
    };
    [free, address_space(), container()].into_iter().flatten().min()
}
