//! The entropy-coded part of a JPEG with arithmetic coding (ITU-T T.81, annexes D, F and G). Whatever is out of order gives `None`.

use super::headers::{Conditioning, NATURAL, Scan};

/// Table D.3: the probability of the less probable symbol, the next state after it and after the more probable one, and whether
/// the two then change places. The last state is that of a fixed probability of a half.
const STATES: [(u16, u8, u8, bool); 114] = [
    (0x5A1D, 1, 1, true),
    (0x2586, 14, 2, false),
    (0x1114, 16, 3, false),
    (0x080B, 18, 4, false),
    (0x03D8, 20, 5, false),
    (0x01DA, 23, 6, false),
    (0x00E5, 25, 7, false),
    (0x006F, 28, 8, false),
    (0x0036, 30, 9, false),
    (0x001A, 33, 10, false),
    (0x000D, 35, 11, false),
    (0x0006, 9, 12, false),
    (0x0003, 10, 13, false),
    (0x0001, 12, 13, false),
    (0x5A7F, 15, 15, true),
    (0x3F25, 36, 16, false),
    (0x2CF2, 38, 17, false),
    (0x207C, 39, 18, false),
    (0x17B9, 40, 19, false),
    (0x1182, 42, 20, false),
    (0x0CEF, 43, 21, false),
    (0x09A1, 45, 22, false),
    (0x072F, 46, 23, false),
    (0x055C, 48, 24, false),
    (0x0406, 49, 25, false),
    (0x0303, 51, 26, false),
    (0x0240, 52, 27, false),
    (0x01B1, 54, 28, false),
    (0x0144, 56, 29, false),
    (0x00F5, 57, 30, false),
    (0x00B7, 59, 31, false),
    (0x008A, 60, 32, false),
    (0x0068, 62, 33, false),
    (0x004E, 63, 34, false),
    (0x003B, 32, 35, false),
    (0x002C, 33, 9, false),
    (0x5AE1, 37, 37, true),
    (0x484C, 64, 38, false),
    (0x3A0D, 65, 39, false),
    (0x2EF1, 67, 40, false),
    (0x261F, 68, 41, false),
    (0x1F33, 69, 42, false),
    (0x19A8, 70, 43, false),
    (0x1518, 72, 44, false),
    (0x1177, 73, 45, false),
    (0x0E74, 74, 46, false),
    (0x0BFB, 75, 47, false),
    (0x09F8, 77, 48, false),
    (0x0861, 78, 49, false),
    (0x0706, 79, 50, false),
    (0x05CD, 48, 51, false),
    (0x04DE, 50, 52, false),
    (0x040F, 50, 53, false),
    (0x0363, 51, 54, false),
    (0x02D4, 52, 55, false),
    (0x025C, 53, 56, false),
    (0x01F8, 54, 57, false),
    (0x01A4, 55, 58, false),
    (0x0160, 56, 59, false),
    (0x0125, 57, 60, false),
    (0x00F6, 58, 61, false),
    (0x00CB, 59, 62, false),
    (0x00AB, 61, 63, false),
    (0x008F, 61, 32, false),
    (0x5B12, 65, 65, true),
    (0x4D04, 80, 66, false),
    (0x412C, 81, 67, false),
    (0x37D8, 82, 68, false),
    (0x2FE8, 83, 69, false),
    (0x293C, 84, 70, false),
    (0x2379, 86, 71, false),
    (0x1EDF, 87, 72, false),
    (0x1AA9, 87, 73, false),
    (0x174E, 72, 74, false),
    (0x1424, 72, 75, false),
    (0x119C, 74, 76, false),
    (0x0F6B, 74, 77, false),
    (0x0D51, 75, 78, false),
    (0x0BB6, 77, 79, false),
    (0x0A40, 77, 48, false),
    (0x5832, 80, 81, true),
    (0x4D1C, 88, 82, false),
    (0x438E, 89, 83, false),
    (0x3BDD, 90, 84, false),
    (0x34EE, 91, 85, false),
    (0x2EAE, 92, 86, false),
    (0x299A, 93, 87, false),
    (0x2516, 86, 71, false),
    (0x5570, 88, 89, true),
    (0x4CA9, 95, 90, false),
    (0x44D9, 96, 91, false),
    (0x3E22, 97, 92, false),
    (0x3824, 99, 93, false),
    (0x32B4, 99, 94, false),
    (0x2E17, 93, 86, false),
    (0x56A8, 95, 96, true),
    (0x4F46, 101, 97, false),
    (0x47E5, 102, 98, false),
    (0x41CF, 103, 99, false),
    (0x3C3D, 104, 100, false),
    (0x375E, 99, 93, false),
    (0x5231, 105, 102, false),
    (0x4C0F, 106, 103, false),
    (0x4639, 107, 104, false),
    (0x415E, 103, 99, false),
    (0x5627, 105, 106, true),
    (0x50E7, 108, 107, false),
    (0x4B85, 109, 103, false),
    (0x5597, 110, 109, false),
    (0x504F, 111, 107, false),
    (0x5A10, 110, 111, true),
    (0x5522, 112, 109, false),
    (0x59EB, 112, 111, true),
    (0x5A1D, 113, 113, false),
];
const FIXED: usize = 113;

/// Zero bytes behind the data that a whole scan may still need for a less probable symbol. An encoder leaves zeros out at the end,
/// any number of them, but behind the fifth only more probable symbols are left, but for one file in 30,000: with another it was cut.
const MOST_ZEROS: u32 = 5;

/// The statistics of a table: a state, and which symbol is the more probable one.
type Bins<const N: usize> = [(u8, bool); N];

/// The coder and its statistics.
pub(super) struct Coder<'a> {
    data: &'a [u8],
    at: usize,
    /// The code, of which the upper part is compared with the interval, and below it the bits that come next.
    code: u64,
    interval: u64,
    /// Bits of the code below the interval; below 0 until two bytes were read.
    below: i32,
    /// Zeros that stand for bytes behind the last one.
    zeros: u32,
    conditioning: Conditioning,
    constant: [Bins<64>; 4],
    waves: [Bins<256>; 4],
    /// The state of the difference before, of each component of the scan.
    context: [usize; 4],
}

impl<'a> Coder<'a> {
    pub(super) fn new(data: &'a [u8], at: usize, conditioning: Conditioning) -> Self {
        Coder {
            data,
            at,
            code: 0,
            interval: 0,
            below: -16,
            zeros: 0,
            conditioning,
            constant: [[(0, false); 64]; 4],
            waves: [[(0, false); 256]; 4],
            context: [0; 4],
        }
    }

    /// Goes on behind the restart marker `number` (0 to 7), with new statistics.
    pub(super) fn restart(&mut self, number: u8) -> Option<()> {
        let at = self.end()?;
        (self.data.get(at + 1) == Some(&(0xD0 + number))).then_some(())?;
        *self = Coder::new(self.data, at + 2, self.conditioning);
        Some(())
    }

    /// Where the marker stands that ends the scan. `None` where there is none, since nothing else says that no byte is missing, and
    /// where more bytes are left than the coder's lead.
    pub(super) fn end(&self) -> Option<usize> {
        let mut at = self.at;
        let mut left = 0;
        loop {
            match (self.data.get(at), self.data.get(at + 1)) {
                (Some(0xFF), Some(0)) => {
                    at += 2;
                    left += 1;
                }
                (Some(0xFF), Some(0xFF)) => at += 1,
                (Some(0xFF) | None, _) => break,
                (Some(&byte), _) => {
                    at += 1;
                    left += u32::from(byte != 0);
                }
            }
        }
        // An encoder leaves zeros at the end out; they are what an interrupted download leaves.
        let zeros = self.data.get(..at).is_some_and(|data| data.ends_with(&[0, 0]));
        (left <= 2 && !zeros && at < self.data.len()).then_some(at)
    }

    /// Whether symbols were read that are not there.
    pub(super) fn ran_out(&self) -> bool {
        self.zeros > u32::MAX / 2
    }

    fn byte(&mut self) -> u64 {
        loop {
            match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 2;
                    return 0xFF;
                }
                (Some(0xFF), Some(0xFF)) => self.at += 1,
                (Some(0xFF) | None, _) => {
                    self.zeros = self.zeros.saturating_add(1);
                    return 0;
                }
                (Some(&byte), _) => {
                    self.at += 1;
                    return byte.into();
                }
            }
        }
    }

    /// The next symbol, by the statistics of a bin (D.2).
    fn symbol(&mut self, bin: &mut (u8, bool)) -> bool {
        while self.interval < 0x8000 {
            self.below -= 1;
            if self.below < 0 {
                self.code = self.code << 8 | self.byte();
                self.below += 8;
                if self.below < 0 {
                    self.below += 1;
                    if self.below == 0 {
                        // Two bytes were read.
                        self.interval = 0x8000;
                    }
                }
            }
            self.interval <<= 1;
        }
        let (state, probable) = *bin;
        let (rare, after_rare, after_probable, change) = STATES[usize::from(state)];
        let rare = u64::from(rare);
        self.interval -= rare;
        let cut = self.interval << self.below;
        let upper = self.code >= cut;
        let exchanged = self.interval < rare;
        if upper {
            self.code -= cut;
            self.interval = rare;
            if self.zeros > MOST_ZEROS {
                self.zeros = u32::MAX;
            }
        } else if self.interval >= 0x8000 {
            return probable;
        }
        if upper == exchanged {
            *bin = (after_probable, probable);
            probable
        } else {
            *bin = (after_rare, probable != change);
            !probable
        }
    }

    fn fixed(&mut self) -> bool {
        self.symbol(&mut (FIXED as u8, false))
    }

    fn constant(&mut self, table: usize, bin: usize) -> bool {
        let mut state = self.constant[table][bin];
        let symbol = self.symbol(&mut state);
        self.constant[table][bin] = state;
        symbol
    }

    fn wave(&mut self, table: usize, bin: usize) -> bool {
        let mut state = self.waves[table][bin];
        let symbol = self.symbol(&mut state);
        self.waves[table][bin] = state;
        symbol
    }

    /// The difference to the constant before (F.1.4.1), of a component of the scan.
    pub(super) fn difference(&mut self, component: usize, table: usize) -> Option<i32> {
        let context = self.context[component];
        if !self.constant(table, context) {
            self.context[component] = 0;
            return Some(0);
        }
        let negative = self.constant(table, context + 1);
        let mut bin = context + 2 + usize::from(negative);
        let mut magnitude = i32::from(self.constant(table, bin));
        if magnitude != 0 {
            bin = 20;
            while self.constant(table, bin) {
                magnitude <<= 1;
                (magnitude < 0x8000).then_some(())?;
                bin += 1;
            }
        }
        let (low, high) = self.conditioning.constant[table];
        let large = if magnitude < (1 << low) >> 1 { None } else { Some(magnitude > (1 << high) >> 1) };
        self.context[component] =
            large.map_or(0, |large| 4 + 8 * usize::from(large) + 4 * usize::from(negative));
        let mut value = magnitude;
        let mut bit = magnitude >> 1;
        while bit > 0 {
            if self.constant(table, bin + 14) {
                value |= bit;
            }
            bit >>= 1;
        }
        Some(if negative { -value - 1 } else { value + 1 })
    }

    /// The waves of a band of a block (F.1.4.2), into places of its rows, times a power of two.
    pub(super) fn waves(&mut self, scan: &Scan, table: usize, block: &mut [i16; 64]) -> Option<()> {
        let (mut place, last) = (scan.band.0.max(1), scan.band.1);
        while place <= last {
            let mut bin = 3 * (place - 1);
            if self.wave(table, bin) {
                break;
            }
            while !self.wave(table, bin + 1) {
                bin += 3;
                place += 1;
                (place <= last).then_some(())?;
            }
            let negative = self.fixed();
            bin += 2;
            let mut magnitude = i32::from(self.wave(table, bin));
            if magnitude != 0 && self.wave(table, bin) {
                magnitude <<= 1;
                bin = if place <= usize::from(self.conditioning.waves[table]) { 189 } else { 217 };
                while self.wave(table, bin) {
                    magnitude <<= 1;
                    (magnitude < 0x8000).then_some(())?;
                    bin += 1;
                }
            }
            let mut value = magnitude;
            let mut bit = magnitude >> 1;
            while bit > 0 {
                if self.wave(table, bin + 14) {
                    value |= bit;
                }
                bit >>= 1;
            }
            value += 1;
            block[usize::from(NATURAL[place])] =
                ((if negative { -value } else { value }) << scan.unknown) as i16;
            place += 1;
        }
        Some(())
    }

    /// The next bit of a constant (G.1.3.1).
    pub(super) fn refine_constant(&mut self) -> bool {
        self.fixed()
    }

    /// The next bit of the waves of a band of a block (G.1.3.3).
    pub(super) fn refine_waves(&mut self, scan: &Scan, table: usize, block: &mut [i16; 64]) -> Option<()> {
        let (mut place, last) = scan.band;
        let bit = 1i16 << scan.unknown;
        let known = (1..=last).rev().find(|&place| block[usize::from(NATURAL[place])] != 0).unwrap_or(0);
        while place <= last {
            let mut bin = 3 * (place - 1);
            if place > known && self.wave(table, bin) {
                break;
            }
            loop {
                let value = &mut block[usize::from(NATURAL[place])];
                if *value != 0 {
                    if self.wave(table, bin + 2) {
                        *value = if *value < 0 { value.wrapping_sub(bit) } else { value.wrapping_add(bit) };
                    }
                    break;
                }
                if self.wave(table, bin + 1) {
                    *value = if self.fixed() { -bit } else { bit };
                    break;
                }
                bin += 3;
                place += 1;
                (place <= last).then_some(())?;
            }
            place += 1;
        }
        Some(())
    }
}
