//! The container: a header and a chain of directories (IFD), of classic TIFF or BigTIFF, in either byte order.
//!
//! Reference: TIFF 6.0, section 2, and libtiff's BigTIFF design. Every offset and count is compared with the file before use. A tag that is
//! missing and one that cannot be read are two things: a default takes the place of the first alone.

use super::{malformed, truncated};
use crate::DecodeError;

/// How a file writes its numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layout {
    pub(crate) little: bool,
    pub(crate) big: bool,
}

impl Layout {
    /// A whole number of at most 8 bytes.
    pub(crate) fn number(self, bytes: &[u8]) -> u64 {
        let add = |sum: u64, &byte: &u8| (sum << 8) | u64::from(byte);
        if self.little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
    }
}

const MOST_ENTRIES: usize = 4096;

struct Entry<'a> {
    tag: u16,
    kind: u64,
    data: Data<'a>,
}

enum Data<'a> {
    There(&'a [u8]),
    /// It lies outside of the file.
    Outside,
    /// Of a type whose size nobody knows.
    Unknown,
}

/// A directory: the tags of one page.
pub(crate) struct Ifd<'a> {
    pub(crate) layout: Layout,
    entries: Vec<Entry<'a>>,
}

/// The whole numbers of a tag, still in the file: there may be millions of them, of which few are needed.
#[derive(Clone, Copy)]
pub(crate) struct Numbers<'a> {
    layout: Layout,
    data: &'a [u8],
    size: usize,
    signed: bool,
}

impl Numbers<'_> {
    pub(crate) fn len(&self) -> usize {
        self.data.len() / self.size
    }

    /// One of them. A negative one is larger than anything that is asked for.
    pub(crate) fn get(&self, index: usize) -> Option<u64> {
        let bytes = self.data.get(index.checked_mul(self.size)?..)?.get(..self.size)?;
        let number = self.layout.number(bytes);
        let above = 64 - 8 * self.size as u32;
        Some(if self.signed { (((number << above) as i64) >> above) as u64 } else { number })
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u64> {
        (0..self.len()).map_while(|index| self.get(index))
    }
}

/// The byte order, and where the first directory is.
pub(crate) fn header(bytes: &[u8]) -> Option<(Layout, u64)> {
    let little = match bytes.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let classic = Layout { little, big: false };
    match classic.number(bytes.get(2..4)?) {
        42 => Some((classic, classic.number(bytes.get(4..8)?))),
        43 if classic.number(bytes.get(4..6)?) == 8 => {
            Some((Layout { little, big: true }, classic.number(bytes.get(8..16)?)))
        }
        _ => None,
    }
}

impl<'a> Ifd<'a> {
    /// The directory at `at`, and where the next one is: 0 for none, and nothing where the file ends before it says so.
    pub(crate) fn read(bytes: &'a [u8], layout: Layout, at: u64) -> Option<(Ifd<'a>, Option<u64>)> {
        let at = usize::try_from(at).ok()?;
        let (count_size, entry_size, word) = if layout.big { (8, 20, 8) } else { (2, 12, 4) };
        let start = at.checked_add(count_size)?;
        let count = usize::try_from(layout.number(bytes.get(at..start)?)).ok()?;
        // Real ones have a few dozen. This also bounds what a chain of 4096 directories that lie over each other can cost.
        if count > MOST_ENTRIES {
            return None;
        }
        let end = start.checked_add(count * entry_size)?;
        let mut entries = Vec::new();
        for entry in bytes.get(start..end)?.chunks_exact(entry_size) {
            let kind = layout.number(&entry[2..4]);
            let count = layout.number(&entry[4..4 + word]);
            let data = match size_of_kind(kind) {
                Some(size) => data(bytes, layout, &entry[4 + word..], count, size),
                None => Data::Unknown,
            };
            entries.push(Entry { tag: layout.number(&entry[..2]) as u16, kind, data });
        }
        let next = end.checked_add(word).and_then(|behind| bytes.get(end..behind));
        Some((Ifd { layout, entries }, next.map(|next| layout.number(next))))
    }

    /// Whether there is such a tag, whatever is in it.
    pub(crate) fn has(&self, tag: u16) -> bool {
        self.entries.iter().any(|entry| entry.tag == tag)
    }

    /// The type of a tag, and its bytes. One of no values is none, as in libtiff.
    fn entry(&self, tag: u16) -> Result<Option<(u64, &'a [u8])>, DecodeError> {
        let Some(entry) = self.entries.iter().find(|entry| entry.tag == tag) else { return Ok(None) };
        match entry.data {
            Data::There([]) => Ok(None),
            Data::There(data) => Ok(Some((entry.kind, data))),
            Data::Outside => Err(truncated(&format!("its tag {tag} lies outside of the file"))),
            Data::Unknown => Err(self.of_another_type(tag, entry.kind)),
        }
    }

    fn of_another_type(&self, tag: u16, kind: u64) -> DecodeError {
        malformed(&format!("its tag {tag} is of a type ({kind}) that it cannot have"))
    }

    /// The bytes of a tag, whatever its type.
    pub(crate) fn bytes(&self, tag: u16) -> Result<Option<&'a [u8]>, DecodeError> {
        Ok(self.entry(tag)?.map(|(_, data)| data))
    }

    /// The whole numbers of a tag; none where it is missing.
    pub(crate) fn numbers(&self, tag: u16) -> Result<Numbers<'a>, DecodeError> {
        // Without a tag a number of any size is of no bytes.
        let (kind, data) = self.entry(tag)?.unwrap_or((1, &[]));
        if !matches!(kind, 1 | 3 | 4 | 6 | 8 | 9 | 13 | 16..=18) {
            return Err(self.of_another_type(tag, kind));
        }
        let size = size_of_kind(kind).unwrap_or(1);
        Ok(Numbers { layout: self.layout, data, size, signed: matches!(kind, 6 | 8 | 9 | 17) })
    }

    /// The first number of a tag.
    pub(crate) fn number(&self, tag: u16) -> Result<Option<u64>, DecodeError> {
        Ok(self.numbers(tag)?.get(0))
    }

    /// The first fractions of a tag, at most `most`.
    pub(crate) fn fractions(&self, tag: u16, most: usize) -> Result<Vec<f32>, DecodeError> {
        let Some((kind, data)) = self.entry(tag)? else { return Ok(Vec::new()) };
        let layout = self.layout;
        let value = |bytes: &[u8]| match kind {
            11 => f32::from_bits(layout.number(bytes) as u32),
            12 => f64::from_bits(layout.number(bytes)) as f32,
            _ => {
                let (above, below) = (layout.number(&bytes[..4]), layout.number(&bytes[4..]));
                if below == 0 { 0.0 } else { above as f32 / below as f32 }
            }
        };
        match kind {
            5 | 11 | 12 => {
                let size = size_of_kind(kind).unwrap_or(8);
                Ok(data.chunks_exact(size).take(most).map(value).collect())
            }
            _ => Ok(self.numbers(tag)?.iter().take(most).map(|number| number as f32).collect()),
        }
    }
}

/// The data of an entry: in its last word, or where that says.
fn data<'a>(bytes: &'a [u8], layout: Layout, last: &'a [u8], count: u64, size: usize) -> Data<'a> {
    let found = || {
        let length = usize::try_from(count).ok()?.checked_mul(size)?;
        if length <= last.len() {
            return last.get(..length);
        }
        let from = usize::try_from(layout.number(last)).ok()?;
        bytes.get(from..from.checked_add(length)?)
    };
    found().map_or(Data::Outside, Data::There)
}

fn size_of_kind(kind: u64) -> Option<usize> {
    Some(match kind {
        1 | 2 | 6 | 7 => 1,
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16 | 17 | 18 => 8,
        _ => return None,
    })
}
