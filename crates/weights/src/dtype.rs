//! Types of elements, and their values as f32.

use std::fmt;

/// The type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dtype {
    F64,
    F32,
    F16,
    BF16,
    /// Whole numbers or truth values: counters, never weights. The name and the bytes of an element.
    Whole(&'static str, usize),
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Dtype::F64 => "float64",
            Dtype::F32 => "float32",
            Dtype::F16 => "float16",
            Dtype::BF16 => "bfloat16",
            Dtype::Whole(name, _) => name,
        })
    }
}

impl Dtype {
    /// Bytes of an element.
    pub(crate) fn bytes(self) -> usize {
        match self {
            Dtype::F64 => 8,
            Dtype::F32 => 4,
            Dtype::F16 | Dtype::BF16 => 2,
            Dtype::Whole(_, bytes) => bytes,
        }
    }

    /// The element that begins at a place, little-endian. Half precision is exact in f32; of f64 the nearest f32.
    pub(crate) fn value(self, bytes: &[u8], at: usize) -> Option<f32> {
        let part = bytes.get(at..at.checked_add(self.bytes())?)?;
        Some(match (self, part) {
            (Dtype::F64, &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
            (Dtype::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (Dtype::F16, &[a, b]) => f16_value(u16::from_le_bytes([a, b])),
            (Dtype::BF16, &[a, b]) => f32::from_bits(u32::from(u16::from_le_bytes([a, b])) << 16),
            _ => return None,
        })
    }
}

/// IEEE 754 binary16: 1 bit of sign, 5 of exponent, 10 of mantissa.
fn f16_value(bits: u16) -> f32 {
    let sign = u32::from(bits >> 15) << 31;
    let (exponent, mantissa) = (u32::from(bits >> 10) & 31, u32::from(bits) & 1023);
    match exponent {
        // Subnormal: mantissa * 2^-24.
        0 => f32::from_bits(sign | (mantissa as f32 / 16_777_216.0).to_bits()),
        31 => f32::from_bits(sign | 0x7F80_0000 | mantissa << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | mantissa << 13),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_is_exact() {
        for (bits, value) in [
            (0x0000, 0.0),
            (0x3C00, 1.0),
            (0xC000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7BFF, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x03FF, 6.097_555e-5),
            (0x0400, 6.103_515_6e-5),
            (0xFC00, f32::NEG_INFINITY),
        ] {
            assert_eq!(f16_value(bits).to_bits(), f32::to_bits(value), "{bits:04x}");
        }
        assert_eq!(f16_value(0x8000).to_bits(), (-0.0f32).to_bits());
        assert!(f16_value(0x7E00).is_nan());
        assert_eq!(Dtype::BF16.value(&[0x80, 0x3F], 0), Some(1.0));
        assert_eq!(Dtype::F64.value(&1.5f64.to_le_bytes(), 0), Some(1.5));
        assert_eq!(Dtype::F32.value(&[0; 4], 1), None);
        assert_eq!(Dtype::Whole("int64", 8).value(&[0; 8], 0), None);
    }
}
