//! A zip archive in memory: a wheel, or a file of PyTorch's.

use crate::error::Fault;
use std::io::{Cursor, Read};
use zip::ZipArchive;
use zip::result::ZipError;

/// An archive.
pub(crate) struct Packed<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    names: Vec<String>,
}

/// Whether bytes begin as a zip archive.
pub(crate) fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

impl<'a> Packed<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        let zip = ZipArchive::new(Cursor::new(bytes));
        let zip = zip.map_err(|error| {
            Fault::damaged(format!("a zip archive that cannot be read, perhaps cut off ({error}): get it again, `pupila list pretrained` says how"))
        })?;
        // A name that is no text is none that is looked for.
        let names = zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
        Ok(Packed { zip, names })
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    fn file(&mut self, name: &str) -> Result<impl Read, Fault> {
        self.zip.by_name(name).map_err(|error| match error {
            ZipError::FileNotFound => Fault::damaged(format!("it has no `{name}`")),
            error => Fault::damaged(format!("its `{name}` cannot be read ({error})")),
        })
    }

    /// The first bytes of a file in it, by which its kind is told.
    pub(crate) fn start(&mut self, name: &str) -> Result<Vec<u8>, Fault> {
        let mut start = Vec::new();
        let read = self.file(name)?.take(4096).read_to_end(&mut start);
        read.map_err(|error| Fault::damaged(format!("its `{name}` cannot be read ({error})")))?;
        Ok(start)
    }

    /// The bytes of a file in it, which may be so many.
    pub(crate) fn read(&mut self, name: &str, at_most: u64) -> Result<Vec<u8>, Fault> {
        let file = self.file(name)?;
        // The buffer grows with what is there, not with what the archive says of itself.
        let mut bytes = Vec::new();
        let read = file.take(at_most.saturating_add(1)).read_to_end(&mut bytes);
        read.map_err(|error| Fault::damaged(format!("its `{name}` cannot be read ({error})")))?;
        if bytes.len() as u64 > at_most {
            return Err(Fault::damaged(format!("its `{name}` has more than {at_most} bytes")));
        }
        Ok(bytes)
    }
}
