//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file under another name and renames it, so that whoever reads `path` sees the old content or all of the new.
///
/// # Errors
/// The file cannot be written; what was written of it is removed.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    whole(path, |partial| fs::write(partial, content))
}

/// The same, brought to the disk itself: after a power loss too there is the old content or all of the new.
///
/// # Errors
/// As of [`write_whole`].
pub fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    whole(path, |partial| {
        let mut file = File::create(partial)?;
        file.write_all(content)?;
        file.sync_all()
    })?;
    if let Some(folder) = path.parent() {
        sync(folder);
    }
    Ok(())
}

/// Brings a file or a folder to the disk itself, if it is there. A file system that cannot is no reason to lose what was written.
pub(crate) fn sync(path: &Path) {
    if let Ok(file) = File::open(path) {
        let _ = file.sync_all();
    }
}

fn whole(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> io::Result<()> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let written = write(&partial).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // The first error is the one to tell; a partial file that stays is only untidy.
        let _ = fs::remove_file(&partial);
    }
    written
}
