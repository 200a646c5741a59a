//! Rows of bytes of one length: the small pictures of all images, of which there may be more than a process should hold.
//!
//! Up to [`IN_MEMORY`] bytes they are in memory. More are written to a file without a name and mapped, so that they are pages of a
//! file: the system takes them back where it needs the memory, and reads them again when they are asked for.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use memmap2::Mmap;

/// Bytes of rows that are held in memory: of the small pictures of about 3,400 images.
const IN_MEMORY: usize = 16 << 20;

/// Rows of one length.
#[derive(Debug, Default)]
pub struct Rows {
    row: usize,
    bytes: Bytes,
}

#[derive(Debug)]
enum Bytes {
    Memory(Vec<u8>),
    Mapped(Mmap),
}

impl Default for Bytes {
    fn default() -> Self {
        Bytes::Memory(Vec::new())
    }
}

impl Rows {
    /// Row `at`; of zeros where none was written.
    ///
    /// # Panics
    /// There is no such row.
    pub fn get(&self, at: usize) -> &[u8] {
        let bytes = match &self.bytes {
            Bytes::Memory(bytes) => &bytes[..],
            Bytes::Mapped(bytes) => &bytes[..],
        };
        &bytes[at * self.row..][..self.row]
    }
}

/// Rows that are being written, in any order.
pub(crate) struct Writer {
    row: usize,
    bytes: usize,
    to: To,
    /// Where the file's next byte goes.
    next: usize,
}

enum To {
    Memory(Vec<u8>),
    File(File),
}

impl Writer {
    /// `count` rows of `row` bytes, all zeros. Many of them go to a file in `folder`, or where that cannot be written in the system's folder
    /// for such, or where neither can, to memory.
    pub fn new(count: usize, row: usize, folder: Option<&Path>) -> Writer {
        Writer::bounded(count, row, folder, IN_MEMORY)
    }

    fn bounded(count: usize, row: usize, folder: Option<&Path>, in_memory: usize) -> Writer {
        let bytes = count * row;
        let file = || {
            let of = |folder: &Path| {
                let file = tempfile::tempfile_in(folder).ok()?;
                file.set_len(bytes as u64).ok().map(|()| file)
            };
            folder.and_then(of).or_else(|| of(&std::env::temp_dir()))
        };
        let to = match if bytes > in_memory { file() } else { None } {
            Some(file) => To::File(file),
            None => To::Memory(vec![0; bytes]),
        };
        Writer { row, bytes, to, next: 0 }
    }

    /// Writes row `at`.
    pub fn put(&mut self, at: usize, row: &[u8]) {
        let start = at * self.row;
        if let To::File(file) = &mut self.to {
            let seek = |file: &mut File| match start == self.next {
                true => Ok(0),
                false => file.seek(SeekFrom::Start(start as u64)),
            };
            if seek(file).and_then(|_| file.write_all(row)).is_ok() {
                self.next = start + row.len();
                return;
            }
            // The disk is full, perhaps: what is there already is taken back.
            self.to = To::Memory(whole(file, self.bytes));
        }
        if let To::Memory(bytes) = &mut self.to {
            bytes[start..start + row.len()].copy_from_slice(row);
        }
    }

    /// The rows, to be read.
    pub fn finish(self) -> Rows {
        let Writer { row, bytes, to, .. } = self;
        let bytes = match to {
            To::Memory(bytes) => Bytes::Memory(bytes),
            To::File(mut file) => match map(&file) {
                Some(map) => Bytes::Mapped(map),
                None => Bytes::Memory(whole(&mut file, bytes)),
            },
        };
        Rows { row, bytes }
    }
}

#[allow(unsafe_code)]
fn map(file: &File) -> Option<Mmap> {
    // SAFETY: what is mapped must not change or become shorter while it is. The file has no name, so no other program opens it, and its only
    // handle is dropped by `finish`.
    unsafe { Mmap::map(file) }.ok()
}

/// All bytes of a file that can be read, then zeros.
fn whole(file: &mut File, bytes: usize) -> Vec<u8> {
    let mut all = vec![0; bytes];
    if file.rewind().is_ok() {
        let mut done = 0;
        while let Ok(read @ 1..) = file.read(&mut all[done..]) {
            done += read;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_same_in_memory_and_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        for (bound, folder) in
            [(usize::MAX, None), (0, Some(folder.path())), (0, Some(Path::new("/none/there")))]
        {
            let mut writer = Writer::bounded(4, 3, folder, bound);
            assert_eq!(matches!(writer.to, To::File(_)), bound == 0);
            writer.put(2, &[7, 8, 9]);
            writer.put(3, &[4, 5, 6]);
            writer.put(0, &[1, 2, 3]);
            if let To::File(file) = &mut writer.to {
                assert_eq!(whole(file, 12), [1, 2, 3, 0, 0, 0, 7, 8, 9, 4, 5, 6]);
            }
            let rows = writer.finish();
            let all: Vec<&[u8]> = (0..4).map(|at| rows.get(at)).collect();
            assert_eq!(all, [[1, 2, 3], [0, 0, 0], [7, 8, 9], [4, 5, 6]]);
        }
        assert!(folder.path().read_dir().unwrap().next().is_none(), "the file has no name");
    }
}
