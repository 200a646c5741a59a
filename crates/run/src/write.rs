//! Files that are there whole or not at all.

use crate::disk::fault;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a file under another name and renames it, so that whoever reads `path` sees the old content or all of the new.
///
/// A link stays, and what it points to is written. A file that was there keeps its mode. What is no file (a pipe, a device) is
/// written into as it is: it has no content that could be old.
///
/// # Errors
/// The file cannot be written; what was written of it is removed.
pub fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    whole(path, content, false)
}

/// The same, brought to the disk itself: after a power loss too there is the old content or all of the new.
///
/// # Errors
/// As of [`write_whole`].
pub fn write_durably(path: &Path, content: &[u8]) -> io::Result<()> {
    whole(path, content, true)?;
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

fn whole(path: &Path, content: &[u8], durably: bool) -> io::Result<()> {
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) || is_of_the_system(path) {
        // Appending: `/dev/stdout` may be a file into which more was said.
        return File::options().append(true).open(path)?.write_all(content);
    }
    let path = behind_links(path)?;
    let mut partial = path.as_os_str().to_owned();
    partial.push(".partial");
    let partial = PathBuf::from(partial);
    let write = || {
        fault("open-file")?;
        let mut file = File::create(&partial)?;
        // Before there is anything to read.
        if let Some(there) = &there {
            file.set_permissions(there.permissions())?;
        }
        fault("write-file")?;
        file.write_all(content)?;
        if durably {
            fault("fsync-file")?;
            file.sync_all()?;
        }
        fault("rename-file")
    };
    let written = write().and_then(|()| fs::rename(&partial, &path));
    if written.is_err() {
        // The first error is the one to tell; a partial file that stays is only untidy.
        let _ = fs::remove_file(&partial);
    }
    written
}

/// Names such as `/dev/stdout`, which stand for something that is open already.
fn is_of_the_system(path: &Path) -> bool {
    cfg!(unix)
        && (path.starts_with("/dev/fd") || path.starts_with("/proc") || path == Path::new("/dev/stdout"))
}

/// The file that a link points to, or will, if that is not there yet.
fn behind_links(path: &Path) -> io::Result<PathBuf> {
    const MOST: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST {
        let Ok(target) = fs::read_link(&path) else { return Ok(path) };
        path = path.parent().unwrap_or(Path::new("")).join(target);
    }
    Err(io::Error::other("it is a link that leads round in a circle"))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_link_stays_a_link_and_what_it_points_to_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str| folder.path().join(name);
        fs::create_dir(of("elsewhere")).unwrap();
        fs::write(of("elsewhere/real.csv"), "old").unwrap();
        symlink("elsewhere/real.csv", of("link.csv")).unwrap();
        symlink("link.csv", of("link of link.csv")).unwrap();
        symlink("elsewhere/new.csv", of("dangling.csv")).unwrap();
        write_whole(&of("link of link.csv"), b"new").unwrap();
        write_whole(&of("dangling.csv"), b"made").unwrap();
        assert_eq!(fs::read(of("elsewhere/real.csv")).unwrap(), b"new");
        assert_eq!(fs::read(of("elsewhere/new.csv")).unwrap(), b"made");
        for link in ["link.csv", "link of link.csv", "dangling.csv"] {
            assert!(fs::symlink_metadata(of(link)).unwrap().is_symlink(), "{link}");
        }
        assert_eq!(fs::read_dir(of("elsewhere")).unwrap().count(), 2, "nothing partial stays");
        symlink("round", of("round")).unwrap();
        assert!(write_whole(&of("round"), b"x").is_err());
    }

    #[test]
    fn a_file_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret.csv");
        fs::write(&path, "old").unwrap();
        for mode in [0o600, 0o640, 0o444] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            write_whole(&path, b"new").unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
            assert_eq!(fs::read(&path).unwrap(), b"new");
        }
    }

    #[test]
    fn a_named_pipe_is_written_into() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let reader = {
            let path = path.clone();
            std::thread::spawn(move || {
                let mut text = String::new();
                File::open(path).unwrap().read_to_string(&mut text).unwrap();
                text
            })
        };
        write_whole(&path, b"through").unwrap();
        assert_eq!(reader.join().unwrap(), "through");
        assert!(!fs::metadata(&path).unwrap().is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_device_is_an_error_and_stays_a_device() {
        let full = Path::new("/dev/full");
        assert_eq!(write_whole(full, b"x").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(!fs::metadata(full).unwrap().is_file());
    }
}
