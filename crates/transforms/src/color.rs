//! Other spaces of color, in the 8-bit arithmetic of `cv2.cvtColor`.

use std::sync::LazyLock;

/// `COLOR_RGB2GRAY`: weights in 15 bits.
#[inline]
pub(crate) fn gray([r, g, b]: [u8; 3]) -> u8 {
    ((9798 * u32::from(r) + 19235 * u32::from(g) + 3735 * u32::from(b) + (1 << 14)) >> 15) as u8
}

/// `COLOR_RGB2YCrCb`.
#[inline]
pub(crate) fn to_ycrcb([r, g, b]: [u8; 3]) -> [u8; 3] {
    let (r, g, b) = (i32::from(r), i32::from(g), i32::from(b));
    let y = (4899 * r + 9617 * g + 1868 * b + (1 << 13)) >> 14;
    let difference = |x: i32, scale: i32| ((x - y) * scale + (128 << 14) + (1 << 13)) >> 14;
    [y, difference(r, 11682), difference(b, 9241)].map(|x| x.clamp(0, 255) as u8)
}

/// `COLOR_YCrCb2RGB`.
#[inline]
pub(crate) fn from_ycrcb([y, cr, cb]: [u8; 3]) -> [u8; 3] {
    let (y, cr, cb) = (i32::from(y), i32::from(cr) - 128, i32::from(cb) - 128);
    let scaled = |x: i32| (x + (1 << 13)) >> 14;
    let (r, g, b) = (y + scaled(22987 * cr), y + scaled(-5636 * cb - 11698 * cr), y + scaled(29049 * cb));
    [r, g, b].map(|x| x.clamp(0, 255) as u8)
}

/// 1 / v in 12 bits for saturation and 30 / d for hue, of 8-bit values.
static HSV_DIVISION: LazyLock<[[i32; 256]; 2]> = LazyLock::new(|| {
    let table = |scale: f64| {
        std::array::from_fn(|i| if i == 0 { 0 } else { (scale * 4096.0 / i as f64).round_ties_even() as i32 })
    };
    [table(255.0), table(30.0)]
});

/// Converts pixels to hue (0..180), saturation and value, changes these, and converts back: `COLOR_RGB2HSV`, tables for the
/// three, `COLOR_HSV2RGB`. A pixel without saturation keeps none if `keep_gray`.
///
/// OpenCV converts back 32 pixels of a row at a time and cuts values off; what is left of the row it rounds. So does this.
pub(crate) fn map_hsv(
    pixels: &mut [u8],
    width: usize,
    hue: &[u8; 256],
    saturation: &[u8; 256],
    value: &[u8; 256],
    keep_gray: bool,
) {
    let tables = HsvTables::new(hue, saturation, value, keep_gray);
    for row in pixels.as_chunks_mut::<3>().0.chunks_mut(width.max(1)) {
        let (blocks, rest) = row.split_at_mut(width - width % 32);
        tables.map::<false>(blocks);
        tables.map::<true>(rest);
    }
}

struct HsvTables<'a> {
    /// The sixth of the circle of each hue after it was changed, and the rest.
    hue: [(u8, f32); 256],
    saturation: &'a [u8; 256],
    value: &'a [u8; 256],
    keep_gray: bool,
}

impl<'a> HsvTables<'a> {
    fn new(hue: &[u8; 256], saturation: &'a [u8; 256], value: &'a [u8; 256], keep_gray: bool) -> Self {
        let hue = hue.map(|h| {
            let h = f32::from(h) * (6.0 / 180.0);
            (h as u8 % 6, h - h.floor())
        });
        HsvTables { hue, saturation, value, keep_gray }
    }

    fn map<const ROUND: bool>(&self, pixels: &mut [[u8; 3]]) {
        let [by_value, by_range] = &*HSV_DIVISION;
        for pixel in pixels {
            let [r, g, b] = pixel.map(i32::from);
            let v = r.max(g).max(b);
            let range = v - r.min(g).min(b);
            let s = (range * by_value[v as usize & 255] + (1 << 11)) >> 12;
            let turn = if v == r {
                g - b
            } else if v == g {
                b - r + 2 * range
            } else {
                r - g + 4 * range
            };
            let h = (turn * by_range[range as usize & 255] + (1 << 11)) >> 12;
            let h = if h < 0 { h + 180 } else { h };
            let s = if self.keep_gray && s == 0 { 0 } else { self.saturation[s as usize & 255] };
            *pixel = from_hsv::<ROUND>(self.hue[h as usize & 255], s, self.value[v as usize & 255]);
        }
    }
}

/// `COLOR_HSV2RGB` of a hue given as its sixth of the circle and the rest.
#[inline]
fn from_hsv<const ROUND: bool>((sector, rest): (u8, f32), s: u8, v: u8) -> [u8; 3] {
    let (s, value) = (f32::from(s) * (1.0 / 255.0), f32::from(v));
    let byte = |x: f32| if ROUND { (x + 8_388_608.0).to_bits() as u8 } else { x as i32 as u8 };
    let low = byte(value * (1.0 - s));
    let falling = byte(value * (1.0 - s * rest));
    let rising = byte(value * (1.0 - s * (1.0 - rest)));
    // Where red, green and blue are taken from in each sixth.
    const CHOICE: [[u8; 3]; 8] =
        [[0, 3, 1], [2, 0, 1], [1, 0, 3], [1, 2, 0], [3, 1, 0], [0, 1, 2], [0; 3], [0; 3]];
    let values = [v, low, falling, rising];
    CHOICE[usize::from(sector & 7)].map(|choice| values[usize::from(choice & 3)])
}

/// sRGB's primaries and D65, as OpenCV has them: rows give X, Y, Z.
const TO_XYZ: [[f64; 3]; 3] =
    [[0.412_453, 0.357_580, 0.180_423], [0.212_671, 0.715_160, 0.072_169], [0.019_334, 0.119_193, 0.950_227]];
const WHITE: [f64; 3] = [0.950_456, 1.0, 1.088_754];

/// Tables between RGB and CIE L*a*b* in 8 bits.
pub(crate) struct Lab {
    /// Linear light, in 1/8 of a level.
    linear: [i32; 256],
    /// The cube root of CIE, in 15 bits.
    root: Vec<i32>,
    coefficients: [[i32; 3]; 3],
    /// Y and its cube root of each L, in 14 bits.
    light: [[i32; 2]; 256],
    /// What is added to the cube root of Y for that of X, of each a.
    by_a: [i32; 256],
    /// What is taken from it for that of Z, of each b.
    by_b: [i32; 256],
    /// The inverse of the cube root of CIE, from [`LEAST_ROOT`].
    cube: Vec<i32>,
    /// Linear RGB of XYZ relative to white, in 12 bits.
    to_rgb: [[i32; 3]; 3],
    /// sRGB levels of linear light in 12 bits.
    level: Vec<u8>,
}

const LEAST_ROOT: i32 = -8145;

static LAB: LazyLock<Lab> = LazyLock::new(|| {
    let linear = |x: f64| if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) };
    let level = |x: f64| if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
    let root = |x: f64| if x < 0.008_856 { x * 7.787 + 16.0 / 116.0 } else { x.cbrt() };
    let whole = |x: f64| x.round_ties_even() as i32;
    let back = crate::warp::inverse(&TO_XYZ);
    let base = 16384.0;
    Lab {
        linear: std::array::from_fn(|i| whole(2040.0 * linear(i as f64 / 255.0))),
        root: (0..3072).map(|i| whole(32768.0 * root(f64::from(i) / 2040.0))).collect(),
        coefficients: std::array::from_fn(|i| TO_XYZ[i].map(|c| whole(4096.0 * c / WHITE[i]))),
        light: std::array::from_fn(|l| {
            let l = l as f64;
            if l <= 20.0 {
                let y = l * base * 180.0 / (17.0 * 29f64.powi(3));
                [whole(y), whole(base * 16.0 / 116.0 + l * base * 5.0 / (3.0 * 17.0 * 29.0))]
            } else {
                let root = l * 100.0 * base / (255.0 * 116.0) + 16.0 * base / 116.0;
                [whole(root.powi(3) / base / base), whole(root)]
            }
        }),
        by_a: std::array::from_fn(|a| ((5 * a as i32 * 53_687 + (1 << 7)) >> 13) - 128 * 16_384 / 500),
        by_b: std::array::from_fn(|b| ((b as i32 * 41_943 + (1 << 4)) >> 9) - 128 * 16_384 / 200 + 1),
        cube: (LEAST_ROOT..LEAST_ROOT + 36_864)
            .map(|root| match root {
                ..=3390 => root * 108 / 841 - 16_384 * 16 / 116 * 108 / 841,
                _ => root * root / 16_384 * root / 16_384,
            })
            .collect(),
        to_rgb: std::array::from_fn(|i| std::array::from_fn(|j| whole(4096.0 * back[i][j] * WHITE[j]))),
        level: (0..4096).map(|i| whole(255.0 * level(f64::from(i) / 4096.0)) as u8).collect(),
    }
});

impl Lab {
    /// The tables.
    pub(crate) fn tables() -> &'static Lab {
        &LAB
    }

    /// `COLOR_RGB2LAB`, to the bit.
    #[inline]
    pub(crate) fn of_rgb(&self, rgb: [u8; 3]) -> [u8; 3] {
        let light = rgb.map(|level| self.linear[usize::from(level)]);
        let [x, y, z] = self.coefficients.map(|c| {
            let sum = c[0] * light[0] + c[1] * light[1] + c[2] * light[2];
            self.root[((sum + (1 << 11)) >> 12) as usize]
        });
        let scaled = |sum: i32| ((sum + (1 << 14)) >> 15).clamp(0, 255) as u8;
        let l = scaled(296 * y - ((16 * 255 * (1 << 15) + 50) / 100));
        [l, scaled(500 * (x - y) + (128 << 15)), scaled(200 * (y - z) + (128 << 15))]
    }

    /// `COLOR_LAB2RGB`, to the bit.
    #[inline]
    pub(crate) fn to_rgb(&self, [l, a, b]: [u8; 3]) -> [u8; 3] {
        let [y, root] = self.light[usize::from(l)];
        let cube = |root: i32| self.cube[((root - LEAST_ROOT).max(0) as usize).min(self.cube.len() - 1)];
        let x = cube(root + self.by_a[usize::from(a)]);
        let z = cube(root - self.by_b[usize::from(b)]);
        self.to_rgb.map(|c| {
            let light = (c[0] * x + c[1] * y + c[2] * z + (1 << 13)) >> 14;
            self.level[light.clamp(0, 4095) as usize]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colors_are_those_of_opencv() {
        // cv2.cvtColor of OpenCV 5.0 of single pixels.
        assert_eq!([[255, 0, 0], [0, 255, 0], [10, 200, 90]].map(gray), [76, 150, 131]);
        let lab = Lab::tables();
        assert_eq!(lab.of_rgb([255, 255, 255]), [255, 128, 128]);
        assert_eq!(lab.to_rgb([255, 128, 128]), [255, 255, 255]);
        assert_eq!(to_ycrcb([255, 255, 255]), [255, 128, 128]);
        assert_eq!(from_ycrcb([255, 128, 128]), [255, 255, 255]);
    }
}
