//! Scans to coefficients (ITU-T T.81, annexes F and G): in which order the blocks of a scan come, and what each of them holds.

use std::rc::Rc;

use super::arithmetic::Coder;
use super::entropy::{Bits, Huffman};
use super::headers::{Frame, Headers, NATURAL, Scan};
use super::{malformed, truncated};
use crate::DecodeError;

/// The coefficients of a block, in rows, before they are multiplied with their quantization.
pub(super) type Block = [i16; 64];

type Table = Option<Rc<Huffman>>;

/// A scan on its way.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    source: Source<'a>,
    scan: Scan,
    /// The tables for constants and for waves of each component, where the scan needs them.
    tables: Vec<(Table, Table)>,
    /// The constant of the block before, of each component.
    previous: [i32; 4],
    /// Blocks that are still to come without any wave of the band.
    empty: u32,
}

enum Source<'a> {
    Huffman(Bits<'a>),
    Arithmetic(Box<Coder<'a>>),
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        bytes: &'a [u8],
        frame: &Frame,
        headers: &mut Headers<'_>,
        scan: Scan,
    ) -> Result<Self, DecodeError> {
        let mut tables = Vec::new();
        for &(_, constant, waves) in &scan.components {
            let huffman = !frame.arithmetic;
            let constant = (huffman && scan.band.0 == 0 && scan.known == 0)
                .then(|| headers.huffman(true, constant))
                .transpose()?;
            let waves = (huffman && scan.band.1 > 0).then(|| headers.huffman(false, waves)).transpose()?;
            tables.push((constant, waves));
        }
        let source = if frame.arithmetic {
            Source::Arithmetic(Box::new(Coder::new(bytes, scan.at, headers.conditioning)))
        } else {
            Source::Huffman(Bits::new(bytes, scan.at))
        };
        Ok(Reader { bytes, source, scan, tables, previous: [0; 4], empty: 0 })
    }

    pub(super) fn scan(&self) -> &Scan {
        &self.scan
    }

    /// Before a unit: restarts where an interval ends. `done` units were read.
    pub(super) fn restart(&mut self, done: usize, interval: usize) -> Result<(), DecodeError> {
        let Some(number) = restart_due(done, interval) else { return Ok(()) };
        let restarted = match &mut self.source {
            Source::Huffman(bits) => bits.restart(number),
            Source::Arithmetic(coder) => coder.restart(number),
        };
        restarted
            .ok_or_else(|| malformed("a restart marker is missing or not where it should be".to_owned()))?;
        (self.previous, self.empty) = ([0; 4], 0);
        Ok(())
    }

    /// After a unit: that its bits were there.
    #[inline(always)]
    pub(super) fn check(&self) -> Result<(), DecodeError> {
        let ran_out = match &self.source {
            Source::Huffman(bits) => bits.ran_out(),
            Source::Arithmetic(coder) => coder.ran_out(),
        };
        if ran_out { Err(truncated("the data of the image end too early")) } else { Ok(()) }
    }

    /// After the last unit: where the marker stands that follows.
    pub(super) fn end(&self) -> Result<usize, DecodeError> {
        self.check()?;
        let end = match &self.source {
            Source::Huffman(bits) if self.empty == 0 => bits.end(),
            Source::Huffman(_) => None,
            Source::Arithmetic(coder) => coder.end(),
        };
        let left_over = || malformed("data are left over behind the last block".to_owned());
        end.filter(|&at| !is_restart(self.bytes, at)).ok_or_else(left_over)
    }

    /// A whole block of a sequential scan, of the scan's component `index`. The block is zero before.
    #[inline(always)]
    pub(super) fn whole(&mut self, index: usize, block: &mut Block) -> Result<(), DecodeError> {
        let found = match &mut self.source {
            Source::Huffman(bits) => {
                let (Some(constant), Some(waves)) = &self.tables[index] else { return Err(no_code()) };
                // A copy, so that it is kept in registers.
                let mut local = *bits;
                let found = whole(&mut local, constant, waves, &mut self.previous[index], block);
                *bits = local;
                found
            }
            Source::Arithmetic(coder) => {
                let (_, constant, waves) = self.scan.components[index];
                coder.difference(index, constant).and_then(|difference| {
                    self.previous[index] += difference;
                    block[0] = self.previous[index] as i16;
                    coder.waves(&self.scan, waves, block)
                })
            }
        };
        self.checked(found)
    }

    /// What a progressive scan says of a block.
    pub(super) fn part(&mut self, index: usize, block: &mut Block) -> Result<(), DecodeError> {
        let scan = &self.scan;
        let (first, refined) = (scan.band.0 == 0, scan.known > 0);
        let found = match &mut self.source {
            Source::Huffman(bits) => match &self.tables[index] {
                _ if first && refined => {
                    if bits.take(1) == 1 {
                        block[0] |= 1 << scan.unknown;
                    }
                    Some(())
                }
                (Some(constant), _) => difference(bits, constant).map(|difference| {
                    self.previous[index] = self.previous[index].wrapping_add(difference);
                    block[0] = (self.previous[index] << scan.unknown) as i16;
                }),
                (_, Some(waves)) if refined => refine_waves(bits, waves, scan, &mut self.empty, block),
                (_, Some(waves)) => first_waves(bits, waves, scan, &mut self.empty, block),
                _ => None,
            },
            Source::Arithmetic(coder) => {
                let (_, constant, waves) = scan.components[index];
                match (first, refined) {
                    (true, true) => {
                        if coder.refine_constant() {
                            block[0] |= 1 << scan.unknown;
                        }
                        Some(())
                    }
                    (true, false) => coder.difference(index, constant).map(|difference| {
                        self.previous[index] = self.previous[index].wrapping_add(difference);
                        block[0] = (self.previous[index] << scan.unknown) as i16;
                    }),
                    (false, true) => coder.refine_waves(scan, waves, block),
                    (false, false) => coder.waves(scan, waves, block),
                }
            }
        };
        self.checked(found)
    }

    #[inline(always)]
    fn checked<T>(&self, found: Option<T>) -> Result<T, DecodeError> {
        match found {
            Some(found) => Ok(found),
            None => {
                // Behind the end codes are made up.
                self.check()?;
                Err(no_code())
            }
        }
    }
}

#[cold]
fn no_code() -> DecodeError {
    malformed("its data are damaged: a code that stands for nothing".to_owned())
}

/// Whether another interval begins at a marker, which behind the last block is one too many.
pub(super) fn is_restart(bytes: &[u8], marker: usize) -> bool {
    matches!(bytes.get(marker + 1), Some(0xD0..=0xD7))
}

/// The restart marker that is due before a unit, where `done` were read and an interval has `interval` (0 for none).
pub(super) fn restart_due(done: usize, interval: usize) -> Option<u8> {
    let due = interval > 0 && done > 0 && done.is_multiple_of(interval);
    due.then(|| ((done / interval - 1) % 8) as u8)
}

/// The difference to the constant before (F.2.2.1).
#[inline(always)]
pub(super) fn difference(bits: &mut Bits<'_>, table: &Huffman) -> Option<i32> {
    bits.fill();
    let size = u32::from(table.read(bits)?);
    // 11 for 8-bit samples.
    (size <= 11).then(|| bits.value(size))
}

/// A block of a sequential scan (F.2.2).
#[inline(always)]
fn whole(
    bits: &mut Bits<'_>,
    constant: &Huffman,
    waves: &Huffman,
    previous: &mut i32,
    block: &mut Block,
) -> Option<()> {
    *previous = previous.wrapping_add(difference(bits, constant)?);
    block[0] = *previous as i16;
    each_wave(bits, waves, |place, value| block[usize::from(NATURAL[place])] = value as i16)
}

/// The waves of a block of a sequential scan that are not zero, by their place (F.2.2.2).
#[inline(always)]
pub(super) fn each_wave(
    bits: &mut Bits<'_>,
    table: &Huffman,
    mut found: impl FnMut(usize, i32),
) -> Option<()> {
    let mut place = 1;
    while place < 64 {
        bits.fill();
        if let Some((run, value)) = table.wave(bits) {
            place += run;
            (place < 64).then_some(())?;
            found(place, value);
            place += 1;
            continue;
        }
        let (run, size) = run_and_size(bits, table)?;
        if size == 0 {
            match run {
                15 => place += 16,
                0 => break,
                _ => return None,
            }
            continue;
        }
        place += run;
        (place < 64).then_some(())?;
        found(place, bits.value(size));
        place += 1;
    }
    (place <= 64).then_some(())
}

/// Zeros before the next wave, and the bits that it has.
#[inline(always)]
fn run_and_size(bits: &mut Bits<'_>, table: &Huffman) -> Option<(usize, u32)> {
    bits.fill();
    let symbol = table.read(bits)?;
    Some((usize::from(symbol >> 4), u32::from(symbol & 15)))
}

/// The waves of a band, but for their lowest bits (G.1.2.2).
fn first_waves(
    bits: &mut Bits<'_>,
    table: &Huffman,
    scan: &Scan,
    empty: &mut u32,
    block: &mut Block,
) -> Option<()> {
    if *empty > 0 {
        *empty -= 1;
        return Some(());
    }
    let (mut place, last) = scan.band;
    while place <= last {
        let (run, size) = run_and_size(bits, table)?;
        if size == 0 {
            if run == 15 {
                place += 16;
                continue;
            }
            *empty = (1 << run) + bits.take(run as u32) - 1;
            break;
        }
        place += run;
        (place <= last).then_some(())?;
        block[usize::from(NATURAL[place])] = (bits.value(size) << scan.unknown) as i16;
        place += 1;
    }
    Some(())
}

/// The next bit of the waves of a band (G.1.2.3).
fn refine_waves(
    bits: &mut Bits<'_>,
    table: &Huffman,
    scan: &Scan,
    empty: &mut u32,
    block: &mut Block,
) -> Option<()> {
    let bit = 1i16 << scan.unknown;
    let refine = |bits: &mut Bits<'_>, value: &mut i16| {
        if bits.take(1) == 1 && *value & bit == 0 {
            *value = if *value < 0 { value.wrapping_sub(bit) } else { value.wrapping_add(bit) };
        }
    };
    let (mut place, last) = scan.band;
    if *empty == 0 {
        while place <= last {
            let (mut run, size) = run_and_size(bits, table)?;
            let new = match size {
                0 if run < 15 => {
                    *empty = (1 << run) + bits.take(run as u32);
                    break;
                }
                0 => 0,
                1 => {
                    if bits.take(1) == 1 {
                        bit
                    } else {
                        -bit
                    }
                }
                _ => return None,
            };
            while place <= last {
                let value = &mut block[usize::from(NATURAL[place])];
                if *value != 0 {
                    refine(bits, value);
                } else if run == 0 {
                    *value = new;
                    break;
                } else {
                    run -= 1;
                }
                place += 1;
            }
            // A new coefficient beyond the band.
            (place <= last || new == 0).then_some(())?;
            place += 1;
        }
    }
    if *empty > 0 {
        for &place in &NATURAL[place..=last] {
            let value = &mut block[usize::from(place)];
            if *value != 0 {
                refine(bits, value);
            }
        }
        *empty -= 1;
    }
    Some(())
}

/// What is known of each coefficient of each component: its lowest unknown bit, or nothing.
pub(super) struct Known(Vec<[Option<u8>; 64]>);

impl Known {
    pub(super) fn new(components: usize) -> Self {
        Known(vec![[None; 64]; components])
    }

    /// That a scan comes where it may come, and what it makes known.
    pub(super) fn enter(&mut self, scan: &Scan) -> Result<(), DecodeError> {
        for &(component, ..) in &scan.components {
            let known = &mut self.0[component];
            for place in scan.band.0..=scan.band.1 {
                let due = match known[place] {
                    None => scan.known == 0,
                    Some(bit) => bit > 0 && scan.known == bit,
                };
                if !due || scan.band.0 > 0 && known[0].is_none() {
                    return Err(malformed("its scans are out of order".to_owned()));
                }
                known[place] = Some(scan.unknown);
            }
        }
        Ok(())
    }

    /// Whether nothing is left unknown.
    pub(super) fn all(&self) -> bool {
        self.0.iter().flatten().all(|&bit| bit == Some(0))
    }
}
