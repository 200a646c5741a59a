//! What memory a run takes, and what there is: a run that does not fit ends before it makes anything.

use crate::describe;
use crate::error::Error;
use crate::session::{available_threads, training_samples};
use pupila_dataset::{Dataset, Hold, ResizeRule, Split};
use pupila_engine::CpuBackend;
use pupila_image::Limits;
use pupila_network::Network;
use pupila_train::{CheckedRecipe, ModelCard, Recipe, Size, learns_at_most};
use pupila_transforms::Normalization;
use std::path::{Path, PathBuf};

/// What a program takes before it works: code, threads, lists of files. Measured on runs of 300 images.
const PROGRAM: u64 = 64 << 20;

/// The smallest side that is proposed.
const SMALLEST: u32 = 16;

/// What a run takes, in bytes; about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// The decoded images.
    pub images: u64,
    /// The network: values, gradients, moments, what lives for a step, the best values, and a checkpoint.
    pub network: u64,
}

impl Need {
    /// Of a run on the images of a data set.
    pub(crate) fn of(recipe: &Recipe, network: &Network, dataset: &Dataset) -> Need {
        let which = training_samples(dataset);
        let (images, pixels_held) = (which.len(), held_bytes(&recipe.input.rule(), dataset, &which));
        let batch = recipe.train.batch.min(images.max(1));
        let bytes =
            CpuBackend::memory_needed(network, batch, &learns_at_most(recipe, network), &recipe.optimizer);
        let values = bytes.values as u64;
        let averaged = if recipe.train.ema_decay.is_some() { 2 * values } else { 0 };
        // The best values, and a checkpoint, which is put together whole before it is written: values, moments, best and averaged values.
        // Writing the best values takes less, and at another time.
        let checkpoint = 2 * values + bytes.moments as u64 + averaged;
        let kept = values + averaged + checkpoint;
        let engine = (bytes.values + bytes.gradients + bytes.moments + bytes.step) as u64;
        let pixels = recipe.input.size.pixels() * u64::from(recipe.input.channels);
        // A batch that is used, one that is ready and one that is made, in floating point.
        let batches = 3 * 4 * batch as u64 * pixels;
        Need { images: pixels_held, network: engine + kept + batches }
    }

    /// All of it, with the images where they are held in memory.
    pub(crate) fn bytes(self, recipe: &Recipe, available: u64) -> u64 {
        let held = match recipe.data.hold.resolved(self.images, Some(available)) {
            Hold::Memory => self.images,
            Hold::Cache | Hold::Files => 0,
        };
        held + self.network + PROGRAM
    }
}

/// Bytes of some images of a data set, each as an input or as it is kept.
pub(crate) fn held_bytes(rule: &ResizeRule, dataset: &Dataset, which: &[usize]) -> u64 {
    let of_sample = |&sample: &usize| {
        let sample = &dataset.samples[sample];
        let refused = u64::from(sample.height) * u64::from(sample.width) > Limits::default().max_pixels;
        if refused || !rule.keeps() || sample.split != Split::Train {
            return rule.bytes() as u64;
        }
        let [height, width] = rule.kept_size([sample.height, sample.width]);
        u64::from(height) * u64::from(width) * u64::from(rule.channels)
    };
    which.iter().map(of_sample).sum()
}

/// Memory that this process may still take, and why it is no more.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AvailableMemory {
    /// Bytes.
    pub bytes: u64,
    /// The limit that leaves no more, in words; none where that is all that the machine has free.
    pub limit: Option<String>,
}

impl From<u64> for AvailableMemory {
    fn from(bytes: u64) -> Self {
        AvailableMemory { bytes, limit: None }
    }
}

/// Fails, on the threads that the run will have, where a run on a data set takes more than is there.
pub(crate) fn check(
    recipe: &CheckedRecipe,
    network: &Network,
    dataset: &Dataset,
    there: &AvailableMemory,
) -> Result<(), Error> {
    let available = there.bytes;
    let need = Need::of(recipe, network, dataset);
    let images = dataset.indices(Split::Train).len() + dataset.indices(Split::Val).len();
    if need.bytes(recipe, available) <= available {
        return Ok(());
    }
    let fits = |size: Size, batch: usize| {
        let mut smaller = Recipe::clone(recipe);
        (smaller.input.size, smaller.train.batch) = (size, batch);
        let normalization = Normalization::imagenet(usize::from(smaller.input.channels));
        let card = ModelCard::new(
            dataset.classes.clone(),
            smaller.input.clone(),
            &normalization,
            smaller.model.clone(),
        );
        card.network().is_ok_and(|network| {
            Need::of(&smaller, &network, dataset).bytes(&smaller, available) <= available
        })
    };
    let (size, batch) = (recipe.input.size, recipe.train.batch);
    let batches =
        std::iter::successors(Some(batch / 2), |batch| Some(batch / 2)).take_while(|&batch| batch >= 2);
    let sizes = (1..8).rev().map(|eighths| size.eighths(eighths));
    let sizes = sizes.filter(|size| size.height.min(size.width) >= SMALLEST);
    let (batches, sizes): (Vec<usize>, Vec<Size>) = (batches.collect(), sizes.collect());
    // What leaves the run as it is comes first.
    let held = recipe.data.hold.resolved(need.images, Some(available)) == Hold::Memory;
    let elsewhere = || {
        (held && need.bytes(recipe, available) - need.images <= available)
            .then(|| "--set data.hold=cache".to_owned())
    };
    // One of them, else both.
    let both =
        || sizes.iter().find_map(|&size| Some((size, *batches.iter().find(|&&batch| fits(size, batch))?)));
    let fitting = elsewhere()
        .or_else(|| batches.iter().find(|&&batch| fits(size, batch)).map(|batch| format!("--batch {batch}")))
        .or_else(|| sizes.iter().find(|&&size| fits(size, batch)).map(|size| format!("--size {size}")))
        .or_else(|| both().map(|(size, batch)| format!("--size {size} --batch {batch}")));
    Err(Error::Memory {
        needed: need.bytes(recipe, available),
        network: need.network,
        images: if held { need.images } else { 0 },
        batch: batch.min(images),
        of_images: describe::images(images),
        available: there.clone(),
        fitting,
    })
}

/// Memory that this process may still take: what is free, and what its limits (`ulimit -v`, a container's of either
/// version) leave; none where the system doesn't say. What only caches files counts as free: it is given back when it is needed.
pub fn available_memory() -> Option<AvailableMemory> {
    let read = |path: &Path| std::fs::read_to_string(path).ok();
    let free = read(Path::new("/proc/meminfo")).and_then(|text| kilobytes(&text, "MemAvailable:"));
    let address_space = || {
        let (limits, status) = (read(Path::new("/proc/self/limits"))?, read(Path::new("/proc/self/status"))?);
        address_space_left(&limits, &status, available_threads())
    };
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let container = group_folders(&groups).into_iter().flat_map(|(folder, limit, used)| {
        // Any group above limits as well.
        let root = Path::new("/sys/fs/cgroup");
        let folders: Vec<_> =
            folder.ancestors().take_while(|path| path.starts_with(root)).map(Path::to_owned).collect();
        folders.into_iter().filter_map(move |folder| {
            let stat = read(&folder.join("memory.stat")).unwrap_or_default();
            let file = folder.join(limit);
            let bytes = left_in_group(&read(&file)?, &read(&folder.join(used))?, &stat)?;
            Some(AvailableMemory {
                bytes,
                limit: Some(format!("the limit of the container ({})", file.display())),
            })
        })
    });
    // Of equal ones the first: a limit that leaves what is free anyway is no reason.
    free.map(AvailableMemory::from)
        .into_iter()
        .chain(address_space())
        .chain(container)
        .min_by_key(|there| there.bytes)
}

/// Its bytes.
pub(crate) fn available_bytes() -> Option<u64> {
    available_memory().map(|there| there.bytes)
}

/// The number after a key of `/proc/meminfo` or `/proc/self/status`, in bytes.
fn kilobytes(text: &str, key: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    Some(1024 * line.split_whitespace().next()?.parse::<u64>().ok()?)
}

/// What a limit of the address space leaves, less what the allocator reserves for each thread and never uses: those that compute, and some six that
/// read images, write and track.
fn address_space_left(limits: &str, status: &str, threads: usize) -> Option<AvailableMemory> {
    const RESERVED: u64 = 64 << 20;
    const OTHERS: u64 = 6;
    let limit = limits.lines().find_map(|line| line.strip_prefix("Max address space"))?;
    let limit: u64 = limit.split_whitespace().next()?.parse().ok()?;
    let (used, reserved) = (kilobytes(status, "VmSize:")?, RESERVED * (threads as u64 + OTHERS));
    Some(AvailableMemory {
        bytes: limit.saturating_sub(used).saturating_sub(reserved),
        limit: Some(format!(
            "the limit of the address space (ulimit -v {}), of which the program and its threads reserve {},",
            limit / 1024,
            describe::memory(used + reserved)
        )),
    })
}

/// The folders of the groups of `/proc/self/cgroup` that limit memory, with the files of the limit and of what is used.
fn group_folders(groups: &str) -> Vec<(PathBuf, &'static str, &'static str)> {
    let folder = |above: &str, group: &str| Path::new(above).join(group.trim_start_matches('/'));
    let of_line = |line: &str| {
        let mut parts = line.splitn(3, ':');
        let (number, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
        match controllers {
            "" if number == "0" => Some((folder("/sys/fs/cgroup", group), "memory.max", "memory.current")),
            _ if controllers.split(',').any(|controller| controller == "memory") => {
                let folder = folder("/sys/fs/cgroup/memory", group);
                Some((folder, "memory.limit_in_bytes", "memory.usage_in_bytes"))
            }
            _ => None,
        }
    };
    groups.lines().filter_map(of_line).collect()
}

/// What a group's limit leaves; none without a limit.
fn left_in_group(limit: &str, used: &str, stat: &str) -> Option<u64> {
    let (limit, used): (u64, u64) = (limit.trim().parse().ok()?, used.trim().parse().ok()?);
    let of = |key: &str| {
        let line = stat.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        line.and_then(|number| number.trim().parse::<u64>().ok())
    };
    // Version 1 counts the groups below apart.
    let cached = |key: &str| of(&format!("total_{key}")).or_else(|| of(key)).unwrap_or(0);
    let files = cached("inactive_file") + cached("active_file");
    Some(limit.saturating_sub(used.saturating_sub(files)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_limits_leave_is_read_from_what_the_system_says() {
        assert_eq!(kilobytes("MemTotal: 9 kB\nMemAvailable:   2048 kB\n", "MemAvailable:"), Some(2 << 20));
        let limits =
            "Limit   Soft Limit  Hard Limit  Units\nMax address space     1228800000  unlimited  bytes\n";
        let status = "Name: pupila\nVmSize:  100000 kB\n";
        let left = address_space_left(limits, status, 2).unwrap();
        assert_eq!(left.bytes, 1_228_800_000 - 102_400_000 - (512 << 20));
        let said = "the limit of the address space (ulimit -v 1200000), of which the program and its threads reserve 0.6 GB,";
        assert_eq!(left.limit.as_deref(), Some(said));
        assert_eq!(address_space_left(&limits.replace("1228800000", "unlimited "), status, 2), None);
        let groups = group_folders("12:cpu,cpuacct:/a\n4:memory:/b/c\n0::/d\n");
        let folders: Vec<&Path> = groups.iter().map(|(folder, ..)| folder.as_path()).collect();
        assert_eq!(folders, [Path::new("/sys/fs/cgroup/memory/b/c"), Path::new("/sys/fs/cgroup/d")]);
        // A scan fills the limit with files that were read: they are no use of memory.
        let stat = "anon 300\ninactive_file 500\nactive_file 100\n";
        assert_eq!(left_in_group("1000\n", "950\n", stat), Some(650));
        let stat = "inactive_file 1\nactive_file 1\ntotal_inactive_file 500\ntotal_active_file 100\n";
        assert_eq!(left_in_group("1000\n", "950\n", stat), Some(650));
        assert_eq!(left_in_group("max\n", "950\n", ""), None);
        assert!(!cfg!(target_os = "linux") || available_bytes().is_some_and(|bytes| bytes > 0));
    }
}
