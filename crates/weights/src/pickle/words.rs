//! The bytes of a pickle, piece by piece.

use crate::error::Fault;

/// What is still to be read.
pub(super) struct Words<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Words<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Words { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Fault> {
        let part = self.at.checked_add(len).and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or_else(|| {
            Fault::damaged(format!("it ends within its pickle, at byte {}", self.bytes.len()))
        })?;
        self.at += len;
        Ok(part)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        Ok(self.take(1)?[0])
    }

    /// A little-endian number of up to 8 bytes.
    pub(super) fn number(&mut self, bytes: usize) -> Result<u64, Fault> {
        Ok(self.take(bytes)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// So many bytes as a number of so many bytes says.
    pub(super) fn counted(&mut self, bytes: usize) -> Result<&'a [u8], Fault> {
        let len = self.number(bytes)?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// Text that is as long as a number of so many bytes says.
    pub(super) fn text(&mut self, bytes: usize) -> Result<&'a str, Fault> {
        self.utf8(|words| words.counted(bytes))
    }

    /// Text up to the end of the line.
    pub(super) fn line(&mut self) -> Result<&'a str, Fault> {
        self.utf8(|words| {
            let rest = words.bytes.get(words.at..).unwrap_or_default();
            let len = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
            let line = words.take(len)?;
            words.byte()?;
            Ok(line)
        })
    }

    fn utf8(&mut self, read: impl FnOnce(&mut Self) -> Result<&'a [u8], Fault>) -> Result<&'a str, Fault> {
        let at = self.at;
        std::str::from_utf8(read(self)?)
            .map_err(|_| Fault::damaged(format!("text that is not UTF-8 at byte {at} of its pickle")))
    }
}
