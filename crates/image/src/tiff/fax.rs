//! Fax (CCITT): lines of run lengths, black is 1. Codes are those of the `fax` crate; how they make lines stands here, because that crate
//! reads no TIFF run lengths and no two-dimensional group 3, and paints lines that are missing white.
//!
//! References: ITU-T T.4 and T.6; TIFF 6.0, sections 10 and 11. A line that is not exactly as wide as the picture is damage.

use fax::BitReader;
use fax::maps::{Mode, black, mode, white};

/// How lines follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Runs alone; each line begins at a multiple of so many bits (compressions 2 and 32771).
    Aligned(usize),
    /// After end-of-line codes (compression 3), behind which a bit tells lines of runs from lines of changes where `changes` says so.
    Group3 { changes: bool },
    /// Each by its changes against the one before (compression 4).
    Group4,
}

/// Fills `out`, of whole bytes a line, with `height` lines. `None` where one is damaged or missing.
pub(super) fn decode(lines: Lines, bytes: &[u8], out: &mut [u8], width: usize, height: usize) -> Option<()> {
    let mut bits = Bits { bytes, at: 0 };
    // The columns where the color changes; before the first line all is white.
    let (mut before, mut line) = (Vec::new(), Vec::new());
    let mut rows = out.chunks_exact_mut(width.div_ceil(8));
    for _ in 0..height {
        let row = rows.next()?;
        let by_changes = match lines {
            Lines::Aligned(to) => {
                bits.at = bits.at.next_multiple_of(to);
                false
            }
            Lines::Group3 { changes } => {
                let ended = bits.end_of_line();
                // Some writers leave the codes out, which says all but what kind of line comes.
                if changes && !ended {
                    return None;
                }
                changes && bits.one()? == 0
            }
            Lines::Group4 => true,
        };
        line.clear();
        // As many as there can be where runs of no length stand between pixels; a line of them alone would grow with the file.
        let most = most_changes(width);
        if by_changes {
            read_changes(&mut bits, &before, &mut line, (width, most))?;
        } else {
            read_runs(&mut bits, &mut line, (width, most))?;
        }
        row.fill(0);
        for pair in line.chunks(2) {
            paint(row, pair[0], pair.get(1).copied().unwrap_or(width));
        }
        std::mem::swap(&mut before, &mut line);
    }
    Some(())
}

/// The most changes of a line that count.
pub(super) fn most_changes(width: usize) -> usize {
    width.saturating_mul(2).saturating_add(2)
}

/// A run of a color, from one of its codes or more.
fn run(bits: &mut Bits<'_>, is_black: bool, most: usize) -> Option<usize> {
    let mut sum = 0;
    loop {
        let length = if is_black { black::decode(bits) } else { white::decode(bits) };
        let length = usize::from(length?);
        sum += length;
        if sum > most {
            return None;
        }
        if length < 64 {
            return Some(sum);
        }
    }
}

fn read_runs(bits: &mut Bits<'_>, line: &mut Vec<usize>, (width, most): (usize, usize)) -> Option<()> {
    let (mut at, mut is_black) = (0, false);
    loop {
        at += run(bits, is_black, width - at)?;
        if at == width {
            return Some(());
        }
        if line.len() == most {
            return None;
        }
        line.push(at);
        is_black = !is_black;
    }
}

/// As libtiff's `EXPAND2D`. Runs of no length count as changes, as they do for the programs that write them: a line may pass by one.
fn read_changes(
    bits: &mut Bits<'_>,
    before: &[usize],
    line: &mut Vec<usize>,
    (width, most): (usize, usize),
) -> Option<()> {
    let (mut at, mut is_black) = (0, false);
    // The change of the line before that counts, to the other color. A step to the left of the first one is to the edge.
    let mut next = 1usize;
    let above = |next: usize| match next.checked_sub(1) {
        None => 0,
        Some(index) => before.get(index).copied().unwrap_or(width),
    };
    while at < width {
        if line.len() >= most {
            return None;
        }
        while !line.is_empty() && above(next) <= at && above(next) < width {
            next += 2;
        }
        match mode::decode(bits)? {
            Mode::Pass => {
                at = above(next + 1);
                next += 2;
            }
            Mode::Vertical(by) => {
                let to = above(next).checked_add_signed(by.into())?;
                if to < at || to > width {
                    return None;
                }
                line.push(to);
                at = to;
                is_black = !is_black;
                next = if by < 0 { next.saturating_sub(1) } else { next + 1 };
            }
            Mode::Horizontal => {
                for color in [is_black, !is_black] {
                    at += run(bits, color, width - at)?;
                    line.push(at);
                }
            }
            // Uncompressed parts, which nobody writes, or the end.
            Mode::Extension | Mode::EOF => return None,
        }
    }
    Some(())
}

fn paint(row: &mut [u8], from: usize, to: usize) {
    if from >= to {
        return;
    }
    let (first, last) = (from / 8, to / 8);
    let (head, tail) = (0xFF >> (from % 8), !(0xFF >> (to % 8)));
    if first == last {
        row[first] |= head & tail;
        return;
    }
    row[first] |= head;
    row[first + 1..last].fill(0xFF);
    if tail != 0 {
        row[last] |= tail;
    }
}

struct Bits<'a> {
    bytes: &'a [u8],
    /// In bits.
    at: usize,
}

impl Bits<'_> {
    fn one(&mut self) -> Option<u16> {
        let bit = self.peek(1)?;
        self.consume(1).ok()?;
        Some(bit)
    }

    /// Goes behind an end-of-line code, and what fills the bytes before it, if there is one.
    fn end_of_line(&mut self) -> bool {
        if self.peek(11) != Some(0) {
            return false;
        }
        while self.at < 8 * self.bytes.len() {
            if self.one() == Some(1) {
                return true;
            }
        }
        false
    }
}

impl BitReader for Bits<'_> {
    type Error = ();

    /// Behind the end are zeros, which [`Bits::consume`] does not go over.
    fn peek(&self, bits: u8) -> Option<u16> {
        let rest = self.bytes.get(self.at / 8..).unwrap_or(&[]);
        let window = match rest.first_chunk::<4>() {
            Some(&window) => u32::from_be_bytes(window),
            None => {
                let mut window = [0; 4];
                window[..rest.len()].copy_from_slice(rest);
                u32::from_be_bytes(window)
            }
        };
        let shifted = u64::from(window << (self.at % 8));
        (bits <= 16).then(|| (shifted >> (32 - u32::from(bits))) as u16)
    }

    fn consume(&mut self, bits: u8) -> Result<(), ()> {
        self.at += usize::from(bits);
        if self.at > 8 * self.bytes.len() { Err(()) } else { Ok(()) }
    }

    fn bits_to_byte_boundary(&self) -> u8 {
        (8 - self.at % 8) as u8 % 8
    }
}
