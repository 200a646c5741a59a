//! Files that are there whole or not at all.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Writes a file under another name and renames it, so that whoever reads `path` sees the old content or all of the new.
///
/// # Errors
/// The file cannot be written; what was written of it is removed.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = fs::write(&partial, content).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // The first error is the one to tell; a partial file that stays is only untidy.
        let _ = fs::remove_file(&partial);
    }
    written
}
