//! Reads each file once, for what a scan needs of it: a hash of the content and the header of the image.

use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

use rayon::prelude::*;
use twox_hash::XxHash3_128;

use crate::Cache;
use crate::cache::{Facts, Stamp, StatIndex};

/// The largest file that is taken for an image.
const MAX_FILE_BYTES: u64 = 2 << 30;

/// The facts of each of `paths`, in their order, or the reason why there are none.
pub(super) fn examine(root: &Path, paths: &[&Path], cache: Option<&Cache>) -> Vec<Result<Facts, String>> {
    let index = cache.map(|cache| cache.stat_index(root)).unwrap_or_default();
    // Examined: the facts, the file's stamp, and whether the index knew them.
    let examined: Vec<Result<(Facts, Stamp, bool), String>> = paths
        .par_iter()
        .with_min_len(8)
        .map(|path| {
            let metadata = std::fs::metadata(path).map_err(|error| explain(&error))?;
            if let Some(facts) = index.get(StatIndex::key(root, path), &Stamp::of(&metadata)) {
                return Ok((facts, Stamp::of(&metadata), true));
            }
            let (facts, stamp) = read(path, &metadata)?;
            Ok((facts, stamp, false))
        })
        .collect();
    if let Some(cache) = cache
        && examined.iter().flatten().any(|(.., known)| !known)
    {
        let entries = paths.iter().zip(&examined).filter_map(|(path, examined)| {
            let (facts, stamp, _) = examined.as_ref().ok()?;
            Some((StatIndex::key(root, path), *stamp, *facts))
        });
        cache.write_stat_index(root, entries);
    }
    examined.into_iter().map(|examined| examined.map(|(facts, ..)| facts)).collect()
}

fn read(path: &Path, metadata: &Metadata) -> Result<(Facts, Stamp), String> {
    // Opening a pipe would wait for its other end for ever.
    if !metadata.is_file() {
        return Err("it is not a regular file".to_owned());
    }
    let mut file = File::open(path).map_err(|error| explain(&error))?;
    // The stamp is that of the opened file, from before it is read: if it changes meanwhile, the stamp is outdated and
    // the next scan reads the file again.
    let stamp = Stamp::of(&file.metadata().map_err(|error| explain(&error))?);
    if stamp.len > MAX_FILE_BYTES {
        return Err(format!("it has {} bytes; files over {MAX_FILE_BYTES} are not read", stamp.len));
    }
    let mut bytes = Vec::with_capacity(stamp.len as usize);
    file.read_to_end(&mut bytes).map_err(|error| explain(&error))?;
    let header = pupila_image::probe(&bytes).map_err(|error| error.to_string())?;
    let content = XxHash3_128::oneshot(&bytes);
    let facts = Facts { content, width: header.width, height: header.height, channels: header.channels };
    Ok((facts, stamp))
}

fn explain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}
