//! Other spaces of color, in the 8-bit arithmetic of `cv2.cvtColor`.

use pupila_isa::{BLOCK, dispatch, map_pixels};
use std::sync::LazyLock;

/// `COLOR_RGB2GRAY`: weights in 15 bits.
#[inline(always)]
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
    let whole = 3 * (width - width % 32);
    dispatch(
        #[inline(always)]
        || {
            for row in pixels.chunks_mut(3 * width.max(1)) {
                let (blocks, rest) = row.split_at_mut(whole);
                map_pixels(
                    blocks,
                    #[inline(always)]
                    |planes| tables.map::<false>(planes),
                );
                map_pixels(
                    rest,
                    #[inline(always)]
                    |planes| tables.map::<true>(planes),
                );
            }
        },
    );
}

/// What is made of each hue, saturation and value, as the numbers that the way back needs.
struct HsvTables {
    /// The sixth of the circle of each hue after it was changed.
    sector: [i32; 256],
    /// The rest of the hue.
    rest: [f32; 256],
    /// 0 to 1.
    saturation: [f32; 256],
    /// 0 to 255.
    value: [f32; 256],
}

impl HsvTables {
    fn new(hue: &[u8; 256], saturation: &[u8; 256], value: &[u8; 256], keep_gray: bool) -> Self {
        let hue = hue.map(|h| f32::from(h) * (6.0 / 180.0));
        let mut saturation = saturation.map(|s| f32::from(s) * (1.0 / 255.0));
        if keep_gray {
            saturation[0] = 0.0;
        }
        HsvTables {
            sector: hue.map(|h| i32::from(h as u8 % 6)),
            rest: hue.map(|h| h - h.floor()),
            saturation,
            value: value.map(f32::from),
        }
    }

    #[inline(always)]
    fn map<const ROUND: bool>(&self, planes: &mut [[u8; BLOCK]; 3]) {
        let [by_value, by_range] = &*HSV_DIVISION;
        let [red, green, blue] = planes;
        for i in 0..BLOCK {
            let (r, g, b) = (i32::from(red[i]), i32::from(green[i]), i32::from(blue[i]));
            let v = r.max(g).max(b);
            let range = v - r.min(g).min(b);
            let s = (range * by_value[v as usize & 255] + (1 << 11)) >> 12;
            let last = if v == g { b - r + 2 * range } else { r - g + 4 * range };
            let turn = if v == r { g - b } else { last };
            let h = (turn * by_range[range as usize & 255] + (1 << 11)) >> 12;
            let h = (if h < 0 { h + 180 } else { h }) as usize & 255;
            let (s, v) = (self.saturation[s as usize & 255], self.value[v as usize & 255]);
            let rgb = from_hsv::<ROUND>(self.sector[h], self.rest[h], s, v);
            (red[i], green[i], blue[i]) = (rgb[0], rgb[1], rgb[2]);
        }
    }
}

/// `COLOR_HSV2RGB` of a hue given as its sixth of the circle and the rest, and a saturation of 0 to 1.
#[inline(always)]
fn from_hsv<const ROUND: bool>(sector: i32, rest: f32, s: f32, v: f32) -> [u8; 3] {
    let byte = |x: f32| {
        // Not by a cast, which would not be vectorised.
        let rounded = (x + 8_388_608.0) - 8_388_608.0;
        let x = if !ROUND && rounded > x && x > 0.0 { rounded - 1.0 } else { rounded };
        (x + 8_388_608.0).to_bits() as u8
    };
    let low = byte(v * (1.0 - s));
    // The two that change within a sixth are never needed at once.
    let changing = byte(v * (1.0 - s * if sector & 1 == 1 { rest } else { 1.0 - rest }));
    let v = byte(v);
    let choose = |of: [i32; 2], changes: [i32; 2]| {
        let other = if sector == changes[0] || sector == changes[1] { changing } else { low };
        if sector == of[0] || sector == of[1] { v } else { other }
    };
    [choose([0, 5], [1, 4]), choose([1, 2], [0, 3]), choose([3, 4], [2, 5])]
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
    root: [i32; 4096],
    coefficients: [[i32; 3]; 3],
    /// Y of each L, in 14 bits.
    light: [i32; 256],
    /// The cube root of Y of each L, in 14 bits.
    light_root: [i32; 256],
    /// Linear RGB of XYZ relative to white, in 12 bits.
    to_rgb: [[i32; 3]; 3],
    /// sRGB levels of linear light in 12 bits.
    level: [i32; 4096],
}

/// What OpenCV has cubes of, in 14 bits.
const ROOTS: [i32; 2] = [-8145, -8145 + 36_863];

static LAB: LazyLock<Lab> = LazyLock::new(|| {
    let linear = |x: f64| if x <= 0.04045 { x / 12.92 } else { ((x + 0.055) / 1.055).powf(2.4) };
    let level = |x: f64| if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
    let root = |x: f64| if x < 0.008_856 { x * 7.787 + 16.0 / 116.0 } else { x.cbrt() };
    let whole = |x: f64| x.round_ties_even() as i32;
    let back = crate::warp::inverse(&TO_XYZ);
    let base = 16384.0;
    let light = |l: usize| {
        let l = l as f64;
        if l <= 20.0 {
            let y = l * base * 180.0 / (17.0 * 29f64.powi(3));
            [whole(y), whole(base * 16.0 / 116.0 + l * base * 5.0 / (3.0 * 17.0 * 29.0))]
        } else {
            let root = l * 100.0 * base / (255.0 * 116.0) + 16.0 * base / 116.0;
            [whole(root.powi(3) / base / base), whole(root)]
        }
    };
    Lab {
        linear: std::array::from_fn(|i| whole(2040.0 * linear(i as f64 / 255.0))),
        // Light is at most 2040, and rounding may make it a little more.
        root: std::array::from_fn(|i| whole(32768.0 * root(i as f64 / 2040.0))),
        coefficients: std::array::from_fn(|i| TO_XYZ[i].map(|c| whole(4096.0 * c / WHITE[i]))),
        light: std::array::from_fn(|l| light(l)[0]),
        light_root: std::array::from_fn(|l| light(l)[1]),
        to_rgb: std::array::from_fn(|i| std::array::from_fn(|j| whole(4096.0 * back[i][j] * WHITE[j]))),
        level: std::array::from_fn(|i| whole(255.0 * level(i as f64 / 4096.0))),
    }
});

impl Lab {
    /// The tables.
    pub(crate) fn tables() -> &'static Lab {
        &LAB
    }

    /// [`of_rgb`](Self::of_rgb) of a block.
    #[inline(always)]
    pub(crate) fn of_planes(&self, planes: &[[u8; BLOCK]; 3]) -> [[u8; BLOCK]; 3] {
        map_planes(planes, |rgb| self.of_rgb(rgb))
    }

    /// [`to_rgb`](Self::to_rgb) of a block.
    #[inline(always)]
    pub(crate) fn to_planes(&self, planes: &[[u8; BLOCK]; 3]) -> [[u8; BLOCK]; 3] {
        map_planes(planes, |lab| self.to_rgb(lab))
    }

    /// `COLOR_RGB2LAB`, to the bit.
    #[inline(always)]
    pub(crate) fn of_rgb(&self, rgb: [u8; 3]) -> [u8; 3] {
        let light = rgb.map(|level| self.linear[usize::from(level)]);
        let [x, y, z] = self.coefficients.map(|c| {
            let sum = c[0] * light[0] + c[1] * light[1] + c[2] * light[2];
            self.root[((sum + (1 << 11)) >> 12) as usize & 4095]
        });
        let scaled = |sum: i32| ((sum + (1 << 14)) >> 15).clamp(0, 255) as u8;
        let l = scaled(296 * y - ((16 * 255 * (1 << 15) + 50) / 100));
        [l, scaled(500 * (x - y) + (128 << 15)), scaled(200 * (y - z) + (128 << 15))]
    }

    /// `COLOR_LAB2RGB`, to the bit.
    #[inline(always)]
    pub(crate) fn to_rgb(&self, [l, a, b]: [u8; 3]) -> [u8; 3] {
        let (y, root) = (self.light[usize::from(l)], self.light_root[usize::from(l)]);
        let (a, b) = (i32::from(a), i32::from(b));
        // What a and b add to the cube root of Y for those of X and Z.
        let by_a = ((5 * a * 53_687 + (1 << 7)) >> 13) - 128 * 16_384 / 500;
        let by_b = ((b * 41_943 + (1 << 4)) >> 9) - 128 * 16_384 / 200 + 1;
        let (x, z) = (cube(root + by_a), cube(root - by_b));
        self.to_rgb.map(|c| {
            let light = (c[0] * x + c[1] * y + c[2] * z + (1 << 13)) >> 14;
            self.level[light.clamp(0, 4095) as usize & 4095] as u8
        })
    }
}

/// The inverse of the cube root of CIE, in 14 bits.
#[inline(always)]
fn cube(root: i32) -> i32 {
    let root = root.clamp(ROOTS[0], ROOTS[1]);
    let line = root * 108 / 841 - 16_384 * 16 / 116 * 108 / 841;
    // The same as dividing, since it counts for positive roots alone.
    let cube = (((root * root) >> 14) * root) >> 14;
    if root <= 3390 { line } else { cube }
}

#[inline(always)]
fn map_planes([x, y, z]: &[[u8; BLOCK]; 3], change: impl Fn([u8; 3]) -> [u8; 3]) -> [[u8; BLOCK]; 3] {
    let mut planes = [[0; BLOCK]; 3];
    for i in 0..BLOCK {
        let [a, b, c] = change([x[i], y[i], z[i]]);
        (planes[0][i], planes[1][i], planes[2][i]) = (a, b, c);
    }
    planes
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
