//! The container: a header and a chain of directories (IFD), of classic TIFF or BigTIFF, in either byte order.
//!
//! Reference: TIFF 6.0, section 2, and libtiff's BigTIFF design. Every offset and count is compared with the file before use.

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
    data: &'a [u8],
}

/// A directory: the tags of one page.
pub(crate) struct Ifd<'a> {
    pub(crate) layout: Layout,
    entries: Vec<Entry<'a>>,
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
    /// The directory at `at`, and where the next one is (0 for none). An entry whose data lie outside of the file is left out.
    pub(crate) fn read(bytes: &'a [u8], layout: Layout, at: u64) -> Option<(Ifd<'a>, u64)> {
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
            let inline = &entry[4 + word..];
            let data = size_of_kind(kind).and_then(|size| {
                let length = usize::try_from(count).ok()?.checked_mul(size)?;
                if length <= word {
                    return inline.get(..length);
                }
                let from = usize::try_from(layout.number(inline)).ok()?;
                bytes.get(from..from.checked_add(length)?)
            });
            if let Some(data) = data {
                entries.push(Entry { tag: layout.number(&entry[..2]) as u16, kind, data });
            }
        }
        // Some writers leave the last pointer out.
        let next = bytes.get(end..end.checked_add(word)?).map_or(0, |next| layout.number(next));
        Some((Ifd { layout, entries }, next))
    }

    fn entry(&self, tag: u16) -> Option<&Entry<'a>> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// The bytes of a tag, whatever its type.
    pub(crate) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        self.entry(tag).map(|entry| entry.data)
    }

    /// The whole numbers of a tag; none where it is missing or of another type.
    pub(crate) fn numbers(&self, tag: u16) -> Vec<u64> {
        let Some(entry) = self.entry(tag) else { return Vec::new() };
        // What is written as bytes is a few numbers; as eight bytes each in memory a whole file of them would be too many.
        let few = entry.kind != 1 || entry.data.len() <= 4096;
        if !few || !matches!(entry.kind, 1 | 3 | 4 | 13 | 16 | 18) {
            return Vec::new();
        }
        let size = size_of_kind(entry.kind).unwrap_or(1);
        entry.data.chunks_exact(size).map(|number| self.layout.number(number)).collect()
    }

    /// The first number of a tag.
    pub(crate) fn number(&self, tag: u16) -> Option<u64> {
        self.numbers(tag).first().copied()
    }

    /// The fractions of a tag.
    pub(crate) fn fractions(&self, tag: u16) -> Vec<f32> {
        let Some(entry) = self.entry(tag).filter(|entry| entry.kind == 5) else { return Vec::new() };
        let fraction = |pair: &[u8]| {
            let (above, below) = (self.layout.number(&pair[..4]), self.layout.number(&pair[4..]));
            if below == 0 { 0.0 } else { above as f32 / below as f32 }
        };
        entry.data.chunks_exact(8).map(fraction).collect()
    }
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
