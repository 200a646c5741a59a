//! Reading regular files alone: whoever opens a pipe waits for its other end for ever, and `/dev/zero` has no end.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Opens a file for reading.
///
/// # Errors
/// It cannot be opened, or is a pipe, a device or a socket.
pub fn open_regular(path: &Path) -> io::Result<File> {
    let there = fs::metadata(path)?;
    if !there.is_file() && !there.is_dir() {
        return Err(io::Error::other("it is not a regular file"));
    }
    File::open(path)
}

/// The bytes of a file.
///
/// # Errors
/// It cannot be read, or is a pipe, a device or a socket.
pub fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_regular(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The text of a file.
///
/// # Errors
/// It cannot be read, is a pipe, a device or a socket, or is not UTF-8.
pub fn read_regular_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_regular(path)?.read_to_string(&mut text)?;
    Ok(text)
}
