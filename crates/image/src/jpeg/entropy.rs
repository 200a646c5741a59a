//! The entropy-coded part of a JPEG (ITU-T T.81, annexes F and G): Huffman codes and the bits between them. Whatever is out of
//! order gives `None`.

/// Code lengths that one lookup finds.
const FAST_BITS: u32 = 10;
/// The longest code.
const MAX_BITS: usize = 16;

/// A Huffman table, by its first bits.
pub(super) struct Huffman {
    /// `symbol << 8 | length` for every start of [`FAST_BITS`] bits; 0 where the code is longer or there is none.
    fast: Vec<u16>,
    /// For every start of [`FAST_BITS`] bits that holds a whole code of a wave and its value: `value << 8 | zeros before it << 4 |
    /// bits in all`; 0 for the others.
    waves: Vec<i16>,
    /// The first code after those of a length, moved to the top of 16 bits.
    ends: [u32; MAX_BITS + 1],
    /// What to add to a code of a length for its place among the symbols.
    offsets: [i32; MAX_BITS + 1],
    symbols: Vec<u8>,
}

impl Huffman {
    /// The table of a DHT segment: how many codes there are of each length, and their symbols.
    pub(super) fn new(counts: &[u8; MAX_BITS], symbols: &[u8]) -> Option<Self> {
        let mut table = Huffman {
            fast: vec![0; 1 << FAST_BITS],
            waves: vec![0; 1 << FAST_BITS],
            ends: [0; MAX_BITS + 1],
            offsets: [0; MAX_BITS + 1],
            symbols: symbols.to_vec(),
        };
        let (mut code, mut place) = (0u32, 0usize);
        for length in 1..=MAX_BITS {
            let count = u32::from(counts[length - 1]);
            table.offsets[length] = place as i32 - code as i32;
            for _ in 0..count {
                let symbol = *symbols.get(place)?;
                if length as u32 <= FAST_BITS {
                    let free = FAST_BITS - length as u32;
                    let first = (code << free) as usize;
                    table
                        .fast
                        .get_mut(first..first + (1 << free))?
                        .fill(u16::from(symbol) << 8 | length as u16);
                }
                code += 1;
                place += 1;
            }
            // No code may be longer than its length.
            if code > 1 << length {
                return None;
            }
            table.ends[length] = code << (MAX_BITS - length);
            code <<= 1;
        }
        for start in 0..1u32 << FAST_BITS {
            let (symbol, length) =
                (table.fast[start as usize] >> 8, u32::from(table.fast[start as usize] & 0xFF));
            let size = u32::from(symbol & 15);
            if length == 0 || size == 0 || length + size > FAST_BITS {
                continue;
            }
            let bits = (start >> (FAST_BITS - length - size)) as i32 & ((1 << size) - 1);
            let value = if bits < 1 << (size - 1) { bits - (1 << size) + 1 } else { bits };
            if let Ok(value) = i8::try_from(value) {
                let run = (symbol >> 4) as i16;
                table.waves[start as usize] = i16::from(value) << 8 | run << 4 | (length + size) as i16;
            }
        }
        (place == symbols.len()).then_some(table)
    }

    /// The next wave where a lookup finds it: zeros before it, and its value.
    #[inline(always)]
    pub(super) fn wave(&self, bits: &mut Bits<'_>) -> Option<(usize, i32)> {
        let found = self.waves[(bits.buffer >> (64 - FAST_BITS)) as usize];
        (found != 0).then(|| {
            bits.skip(found as u32 & 15);
            ((found >> 4) as usize & 15, i32::from(found >> 8))
        })
    }

    /// The next symbol; up to 16 bits of those that are there.
    #[inline(always)]
    pub(super) fn read(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let found = self.fast[(bits.buffer >> (64 - FAST_BITS)) as usize];
        if found != 0 {
            bits.skip(u32::from(found & 0xFF));
            return Some((found >> 8) as u8);
        }
        self.read_long(bits)
    }

    #[cold]
    fn read_long(&self, bits: &mut Bits<'_>) -> Option<u8> {
        let start = (bits.buffer >> (64 - MAX_BITS)) as u32;
        let length = (FAST_BITS as usize + 1..=MAX_BITS).find(|&length| start < self.ends[length])?;
        let place = (start >> (MAX_BITS - length)) as i32 + self.offsets[length];
        bits.skip(length as u32);
        self.symbols.get(usize::try_from(place).ok()?).copied()
    }
}

/// The bits of a scan, without the zeros that are stuffed behind every 0xFF.
#[derive(Clone, Copy)]
pub(super) struct Bits<'a> {
    data: &'a [u8],
    /// The first byte that is not in the buffer.
    at: usize,
    /// The next bits, from the top; below them zeros, or bits of the bytes that come next.
    buffer: u64,
    /// How many they are.
    count: u32,
    /// Zeros among them, at the end, that stand for bits behind the last one.
    beyond: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8], at: usize) -> Self {
        Bits { data, at, buffer: 0, count: 0, beyond: 0 }
    }

    /// Makes sure of 32 bits: a code and its value have 31 at most.
    #[inline(always)]
    pub(super) fn fill(&mut self) {
        if self.count >= 32 {
            return;
        }
        if let Some(next) = self.data.get(self.at..).and_then(|rest| rest.first_chunk::<8>()) {
            let next = u64::from_be_bytes(*next);
            // Some byte is 0xFF if its complement has a zero byte.
            let none = !next;
            if none.wrapping_sub(0x0101_0101_0101_0101) & !none & 0x8080_8080_8080_8080 == 0 {
                self.buffer |= next >> self.count;
                let bytes = (64 - self.count) / 8;
                self.at += bytes as usize;
                self.count += 8 * bytes;
                return;
            }
        }
        self.fill_slowly();
    }

    fn fill_slowly(&mut self) {
        while self.count <= 56 {
            let byte = match (self.data.get(self.at), self.data.get(self.at + 1)) {
                (Some(0xFF), Some(0)) => {
                    self.at += 2;
                    0xFF
                }
                // A fill byte: what follows decides.
                (Some(0xFF), Some(0xFF)) => {
                    self.at += 1;
                    continue;
                }
                // A marker, or the end.
                (Some(0xFF), _) | (None, _) => {
                    self.beyond += 8;
                    0
                }
                (Some(&byte), _) => {
                    self.at += 1;
                    byte
                }
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    #[inline(always)]
    pub(super) fn skip(&mut self, bits: u32) {
        self.buffer <<= bits;
        self.count = self.count.wrapping_sub(bits);
    }

    /// The value of `size` bits (up to 15), of which the upper half is positive (F.2.2.1).
    #[inline(always)]
    pub(super) fn value(&mut self, size: u32) -> i32 {
        // In two steps, since no bits at all are a shift by 64.
        let bits = (self.buffer >> 1 >> (63 - size)) as i32;
        self.skip(size);
        let negative = bits < (1 << size) >> 1;
        bits - if negative { (1 << size) - 1 } else { 0 }
    }

    /// Whether more bits were read than there are.
    pub(super) fn ran_out(&self) -> bool {
        self.count < self.beyond
    }

    /// The next bits (at most 16), as a number.
    #[inline(always)]
    pub(super) fn take(&mut self, bits: u32) -> u32 {
        self.fill();
        let taken = (self.buffer >> 1 >> (63 - bits)) as u32;
        self.skip(bits);
        taken
    }

    /// Behind the last code: where the marker stands that ends the scan, or the end of the file. `None` where more bits were read
    /// than there are, or where more is left than the rest of a byte and, before a marker, bytes that all are 0 or all are 0xFF.
    pub(super) fn end(&self) -> Option<usize> {
        let left = self.count.checked_sub(self.beyond)?;
        let buffered = self.buffer << (left % 8);
        let bytes = (0..left / 8).map(|byte| (buffered << (8 * byte) >> 56) as u8);
        let mut at = self.at;
        let mut rest = Vec::new();
        loop {
            match (self.data.get(at), self.data.get(at + 1)) {
                // Stuffed, or a fill byte.
                (Some(0xFF), Some(0)) => {
                    rest.push(0xFF);
                    at += 2;
                }
                (Some(0xFF), Some(0xFF)) => at += 1,
                (Some(0xFF) | None, _) => break,
                (Some(&byte), _) => {
                    rest.push(byte);
                    at += 1;
                }
            }
        }
        let left: Vec<u8> = bytes.chain(rest).collect();
        let Some(&first) = left.first() else {
            // Zeros up to the end of the file are what an interrupted download leaves; some of them may have been read as codes.
            return (at < self.data.len() || !self.data.ends_with(&[0, 0])).then_some(at);
        };
        let read = &self.data[..at.checked_sub(left.len())?];
        let padding = left.iter().all(|&byte| byte == first)
            && (first == 0xFF || first == 0 && !read.ends_with(&[0, 0]));
        (padding && at < self.data.len()).then_some(at)
    }

    /// Goes on behind the restart marker `number` (0 to 7).
    pub(super) fn restart(&mut self, number: u8) -> Option<()> {
        let at = self.end()?;
        (self.data.get(at + 1) == Some(&(0xD0 + number))).then_some(())?;
        *self = Bits::new(self.data, at + 2);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_every_length_are_found() {
        // One code of each length: 0, 10, 110, ...
        let symbols: Vec<u8> = (1..=16).collect();
        let table = Huffman::new(&[1; 16], &symbols).unwrap();
        for length in 1..=16u32 {
            let code = (0xFFFFu32 << (17 - length)) as u16;
            let mut bytes: Vec<u8> = Vec::new();
            for byte in code.to_be_bytes() {
                bytes.push(byte);
                if byte == 0xFF {
                    bytes.push(0);
                }
            }
            bytes.extend([0xFF, 0xD9]);
            let mut bits = Bits::new(&bytes, 0);
            bits.fill();
            assert_eq!(table.read(&mut bits), Some(length as u8));
            assert_eq!((bits.count - bits.beyond), 16 - length);
        }
        // The code of sixteen ones is no symbol's.
        let bytes = [0xFF, 0, 0xFF, 0, 0xFF, 0xD9];
        let mut bits = Bits::new(&bytes, 0);
        bits.fill();
        assert_eq!(table.read(&mut bits), None);
        // Three codes of one bit, and a symbol without a code.
        let mut counts = [0; 16];
        counts[0] = 3;
        assert!(Huffman::new(&counts, &[1, 2, 3]).is_none());
        counts[0] = 1;
        assert!(Huffman::new(&counts, &[1, 2]).is_none() && Huffman::new(&counts, &[]).is_none());
    }

    #[test]
    fn values_are_signed_by_their_first_bit() {
        // 1, 0, 11, 00, 101, 0110, 111...
        let bytes = [0b1011_0010, 0b1011_0111, 0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xFF, 0xD9];
        let mut bits = Bits::new(&bytes, 0);
        let mut next = |size| {
            bits.fill();
            bits.value(size)
        };
        assert_eq!([next(0), next(1), next(1), next(2), next(2)], [0, 1, -1, 3, -3]);
        assert_eq!([next(3), next(4)], [5, -9]);
        assert_eq!(next(15), 0b111_0001_0010_0011);
        assert!(bits.end().is_none(), "codes are left");
    }
}
