//! What is left of an image that was a JPEG file: the lossy steps of libjpeg's baseline codec, without the lossless ones
//! between them, so nothing is written or parsed.
//!
//! Reference: libjpeg-turbo as OpenCV uses it, to the bit: chroma at half size in both directions (4:2:0), the accurate
//! integer transforms (Loeffler, Ligtenberg and Moschytz 1989, 13 bits), the quantisation tables of the standard's annex K,
//! "fancy" upsampling.

use crate::Shape;
use pupila_isa::{BLOCK, dispatch, planes_of, write_planes};

/// Annex K, tables K.1 and K.2.
#[rustfmt::skip]
const LUMA: [u16; 64] = [
    16, 11, 10, 16, 24, 40, 51, 61, 12, 12, 14, 19, 26, 58, 60, 55, 14, 13, 16, 24, 40, 57, 69, 56, 14, 17, 22, 29, 51, 87, 80, 62,
    18, 22, 37, 56, 68, 109, 103, 77, 24, 35, 55, 64, 81, 104, 113, 92, 49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99,
];
#[rustfmt::skip]
const CHROMA: [u16; 64] = [
    17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99, 24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,
    99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,
];

/// Compresses the image and decompresses it, at quality 1 to 100. The channels are taken as blue, green and red, as OpenCV
/// does. `pixels: [H, W, C]`
pub(crate) fn round_trip(pixels: &mut [u8], shape: Shape, quality: u8) {
    let Shape { height, width, channels } = shape;
    let luma = steps(&LUMA, quality);
    if channels == 1 {
        let mut plane = Plane::new(height, width);
        for (row, from) in plane.values.chunks_exact_mut(plane.stride).zip(pixels.chunks_exact(width)) {
            row[..width].copy_from_slice(from);
        }
        plane.complete_columns();
        plane.quantise(&luma);
        for (row, to) in plane.values.chunks_exact(plane.stride).zip(pixels.chunks_exact_mut(width)) {
            to.copy_from_slice(&row[..width]);
        }
        return;
    }
    let chroma = steps(&CHROMA, quality);
    let (half_height, half_width) = (height.div_ceil(2), width.div_ceil(2));
    let mut y = Plane::new(height, width);
    let (mut cb, mut cr) = (Plane::new(half_height, half_width), Plane::new(half_height, half_width));
    dispatch(
        #[inline(always)]
        || to_planes(pixels, width, &mut y, &mut cb, &mut cr),
    );
    // Chroma has been completed to the right, from pixels that were repeated before it was halved.
    y.complete_columns();
    y.quantise(&luma);
    cb.quantise(&chroma);
    cr.quantise(&chroma);
    dispatch(
        #[inline(always)]
        || from_planes(pixels, width, &y, &cb, &cr),
    );
}

#[inline(always)]
fn from_planes(pixels: &mut [u8], width: usize, y: &Plane, cb: &Plane, cr: &Plane) {
    let wide = (2 * cb.width).next_multiple_of(BLOCK);
    let (mut blue, mut red, mut luma) = (vec![0u8; wide], vec![0u8; wide], vec![0u8; wide]);
    let mut sums = vec![0u16; cb.width + 2];
    for (i, row) in pixels.chunks_exact_mut(width * 3).enumerate() {
        cb.upsampled_row(i, &mut sums, &mut blue[..2 * cb.width]);
        cr.upsampled_row(i, &mut sums, &mut red[..2 * cb.width]);
        luma[..width].copy_from_slice(&y.values[i * y.stride..][..width]);
        let chroma = blue.as_chunks::<BLOCK>().0.iter().zip(red.as_chunks::<BLOCK>().0);
        for ((pixels, luma), (blue, red)) in
            row.chunks_mut(3 * BLOCK).zip(luma.as_chunks::<BLOCK>().0).zip(chroma)
        {
            let mut planes = [[0; BLOCK]; 3];
            let [b, g, r] = &mut planes;
            for i in 0..BLOCK {
                let (y, cb, cr) = (i32::from(luma[i]), i32::from(blue[i]) - 128, i32::from(red[i]) - 128);
                let byte = |x: i32| x.clamp(0, 255) as u8;
                b[i] = byte(y + ((116_130 * cb + 32_768) >> 16));
                g[i] = byte(y + ((-22_554 * cb - 46_802 * cr + 32_768) >> 16));
                r[i] = byte(y + ((91_881 * cr + 32_768) >> 16));
            }
            write_planes(&planes, pixels);
        }
    }
}

fn steps(table: &[u16; 64], quality: u8) -> [i32; 64] {
    let quality = i32::from(quality.clamp(1, 100));
    let scale = if quality < 50 { 5000 / quality } else { 200 - 2 * quality };
    table.map(|step| ((i32::from(step) * scale + 50) / 100).clamp(1, 255))
}

/// A component in whole blocks of 8 by 8.
struct Plane {
    values: Vec<u8>,
    stride: usize,
    height: usize,
    width: usize,
}

#[inline(always)]
fn to_planes(pixels: &[u8], width: usize, y: &mut Plane, cb: &mut Plane, cr: &mut Plane) {
    let wide = (2 * cb.stride).next_multiple_of(BLOCK);
    let zeros = || [vec![0u8; wide], vec![0u8; wide]];
    let (mut luma, mut blue, mut red) = (vec![0u8; wide], zeros(), zeros());
    let rows: Vec<&[u8]> = pixels.chunks_exact(width * 3).collect();
    for (i, pair) in rows.chunks(2).enumerate() {
        for parity in 0..2 {
            // Below an odd image is its last row again.
            let row = pair.get(parity).unwrap_or(&pair[0]);
            let chroma = blue[parity]
                .as_chunks_mut::<BLOCK>()
                .0
                .iter_mut()
                .zip(red[parity].as_chunks_mut::<BLOCK>().0);
            for ((pixels, luma), (blue, red)) in
                row.chunks(3 * BLOCK).zip(luma.as_chunks_mut::<BLOCK>().0).zip(chroma)
            {
                let [b, g, r] = planes_of(pixels);
                for i in 0..BLOCK {
                    let (b, g, r) = (i32::from(b[i]), i32::from(g[i]), i32::from(r[i]));
                    luma[i] = ((19_595 * r + 38_470 * g + 7_471 * b + 32_768) >> 16) as u8;
                    blue[i] = ((-11_059 * r - 21_709 * g + 32_768 * b + (128 << 16) + 32_767) >> 16) as u8;
                    red[i] = ((32_768 * r - 27_439 * g - 5_329 * b + (128 << 16) + 32_767) >> 16) as u8;
                }
            }
            let at = (2 * i + parity.min(pair.len() - 1)) * y.stride;
            y.values[at..at + width].copy_from_slice(&luma[..width]);
        }
        for (full, plane) in [(&mut blue, &mut *cb), (&mut red, &mut *cr)] {
            for row in full.iter_mut() {
                let last = row[width - 1];
                row[width..].fill(last);
            }
            let to = &mut plane.values[i * plane.stride..][..plane.stride];
            let [upper, lower] = full.each_ref().map(|row| row.as_chunks::<2>().0);
            for (x, ((to, upper), lower)) in to.iter_mut().zip(upper).zip(lower).enumerate() {
                let sum =
                    u16::from(upper[0]) + u16::from(lower[0]) + u16::from(upper[1]) + u16::from(lower[1]);
                // Biases of 1 and 2 in turn, so that halves go either way.
                *to = ((sum + 1 + (x as u16 & 1)) >> 2) as u8;
            }
        }
    }
}

impl Plane {
    fn new(height: usize, width: usize) -> Self {
        let stride = width.next_multiple_of(8);
        Plane { values: vec![0; stride * height.next_multiple_of(8)], stride, height, width }
    }

    /// Transforms every block, rounds to multiples of `steps`, and transforms back.
    fn quantise(&mut self, steps: &[i32; 64]) {
        self.complete_rows();
        dispatch(
            #[inline(always)]
            || self.quantise_blocks(steps),
        );
    }

    #[inline(always)]
    fn quantise_blocks(&mut self, steps: &[i32; 64]) {
        // A transform's results are 8 times what they should be.
        let divisors = steps.map(|step| (8 * step) as f32);
        let halves = steps.map(|step| (4 * step) as f32 + 0.5);
        let stride = self.stride;
        for strip in self.values.chunks_exact_mut(8 * stride) {
            for left in (0..stride).step_by(8 * LANES) {
                let mut blocks = Blocks::of(strip, stride, left);
                blocks.forward();
                for (i, values) in blocks.0.iter_mut().enumerate() {
                    for value in values {
                        // Exact: with the half no quotient is within rounding of a whole number.
                        let size =
                            ((value.abs() as f32 + halves[i]) / divisors[i] + (8_388_608.0 - 0.5)).to_bits();
                        let whole = (size & 0x007f_ffff) as i32;
                        *value = (if *value < 0 { -whole } else { whole }) * steps[i];
                    }
                }
                blocks.backward();
                blocks.write(strip, stride, left);
            }
        }
    }

    /// Repeats the last column.
    fn complete_columns(&mut self) {
        let (width, height) = (self.width, self.height);
        for row in self.values.chunks_exact_mut(self.stride).take(height) {
            let last = row[width - 1];
            row[width..].fill(last);
        }
    }

    /// Repeats the last row.
    fn complete_rows(&mut self) {
        let (stride, height) = (self.stride, self.height);
        let (inside, below) = self.values.split_at_mut(height * stride);
        let last = &inside[(height - 1) * stride..];
        below.chunks_exact_mut(stride).for_each(|row| row.copy_from_slice(last));
    }

    /// Row `y` at twice the size. `out: [2 width]`
    #[inline(always)]
    fn upsampled_row(&self, y: usize, sums: &mut [u16], out: &mut [u8]) {
        let row = |y: usize| &self.values[y * self.stride..][..self.width];
        let own = row(y / 2);
        if self.width <= 2 {
            // So narrow that libjpeg repeats each value.
            out.iter_mut().enumerate().for_each(|(x, out)| *out = own[x / 2]);
            return;
        }
        let near =
            if y.is_multiple_of(2) { (y / 2).saturating_sub(1) } else { (y / 2 + 1).min(self.height - 1) };
        // The first and the last once more at the ends.
        let inside = &mut sums[1..=self.width];
        for ((sum, &own), &near) in inside.iter_mut().zip(own).zip(row(near)) {
            *sum = 3 * u16::from(own) + u16::from(near);
        }
        (sums[0], sums[self.width + 1]) = (sums[1], sums[self.width]);
        let (before, this, after) = (&sums[..self.width], &sums[1..=self.width], &sums[2..]);
        for (((out, &before), &this), &after) in
            out.as_chunks_mut::<2>().0.iter_mut().zip(before).zip(this).zip(after)
        {
            *out = [((3 * this + before + 8) >> 4) as u8, ((3 * this + after + 7) >> 4) as u8];
        }
    }
}

const fn fixed(x: f64) -> i32 {
    (x * 8192.0 + 0.5) as i32
}

/// Blocks that are worked on at a time.
const LANES: usize = 16;

/// Row by row the values of 8 by 8, each of as many blocks side by side, so that what is done to one is done to all in one
/// instruction, and nothing need be transposed.
struct Blocks([[i32; LANES]; 64]);

impl Blocks {
    /// The blocks of a strip of eight rows from column `left` on.
    #[inline(always)]
    fn of(strip: &[u8], stride: usize, left: usize) -> Self {
        let mut blocks = Blocks([[0; LANES]; 64]);
        for (row, values) in strip.chunks_exact(stride).zip(blocks.0.as_chunks_mut::<8>().0) {
            let mut words = [0; LANES];
            words
                .iter_mut()
                .zip(row[left..].as_chunks().0)
                .for_each(|(word, &row)| *word = u64::from_le_bytes(row));
            for (x, values) in values.iter_mut().enumerate() {
                for i in 0..LANES {
                    values[i] = (words[i] >> (8 * x)) as u8 as i32 - 128;
                }
            }
        }
        blocks
    }

    /// Puts them back.
    #[inline(always)]
    fn write(&self, strip: &mut [u8], stride: usize, left: usize) {
        for (row, values) in strip.chunks_exact_mut(stride).zip(self.0.as_chunks::<8>().0) {
            let mut words = [0u64; LANES];
            for (x, values) in values.iter().enumerate() {
                for i in 0..LANES {
                    words[i] |= ((values[i] + 128).clamp(0, 255) as u64) << (8 * x);
                }
            }
            let row = row[left..].as_chunks_mut().0;
            row.iter_mut().zip(words).for_each(|(row, word)| *row = word.to_le_bytes());
        }
    }

    /// `jpeg_fdct_islow`: rows, then columns.
    #[inline(always)]
    fn forward(&mut self) {
        for y in 0..8 {
            self.change(8 * y, 1, |d| forward(d, true));
        }
        for x in 0..8 {
            self.change(x, 8, |d| forward(d, false));
        }
    }

    /// `jpeg_idct_islow`: columns, then rows.
    #[inline(always)]
    fn backward(&mut self) {
        for x in 0..8 {
            self.change(x, 8, |d| backward(d, 11));
        }
        for y in 0..8 {
            self.change(8 * y, 1, |d| backward(d, 18));
        }
    }

    /// Changes the eight values at `first, first + step, ...` of every block.
    #[inline(always)]
    fn change(&mut self, first: usize, step: usize, change: impl Fn([i32; 8]) -> [i32; 8]) {
        let mut line = [[0; LANES]; 8];
        for (j, values) in line.iter_mut().enumerate() {
            *values = self.0[first + j * step];
        }
        for i in 0..LANES {
            let [a, b, c, d, e, f, g, h] = &line;
            let new = change([a[i], b[i], c[i], d[i], e[i], f[i], g[i], h[i]]);
            for j in 0..8 {
                line[j][i] = new[j];
            }
        }
        for (j, values) in line.iter().enumerate() {
            self.0[first + j * step] = *values;
        }
    }
}

#[inline(always)]
fn times(a: i32, x: f64) -> i32 {
    a * if x < 0.0 { -fixed(-x) } else { fixed(x) }
}

#[inline(always)]
fn descale(a: i32, bits: u32) -> i32 {
    (a + (1 << (bits - 1))) >> bits
}

#[inline(always)]
fn forward(d: [i32; 8], first: bool) -> [i32; 8] {
    let sums = [d[0] + d[7], d[1] + d[6], d[2] + d[5], d[3] + d[4]];
    let (outer, inner) = (sums[0] + sums[3], sums[1] + sums[2]);
    let (outer_d, inner_d) = (sums[0] - sums[3], sums[1] - sums[2]);
    let even = |x: i32| if first { x << 2 } else { descale(x, 2) };
    let bits = if first { 11 } else { 15 };
    let z1 = times(inner_d + outer_d, 0.541196100);
    let [t7, t6, t5, t4] = [d[0] - d[7], d[1] - d[6], d[2] - d[5], d[3] - d[4]];
    let (z1o, z2, z3, z4) = (t4 + t7, t5 + t6, t4 + t6, t5 + t7);
    let z5 = times(z3 + z4, 1.175875602);
    let (t4, t5) = (times(t4, 0.298631336), times(t5, 2.053119869));
    let (t6, t7) = (times(t6, 3.072711026), times(t7, 1.501321110));
    let (z1o, z2) = (times(z1o, -0.899976223), times(z2, -2.562915447));
    let (z3, z4) = (times(z3, -1.961570560) + z5, times(z4, -0.390180644) + z5);
    [
        even(outer + inner),
        descale(t7 + z1o + z4, bits),
        descale(z1 + times(outer_d, 0.765366865), bits),
        descale(t6 + z2 + z3, bits),
        even(outer - inner),
        descale(t5 + z2 + z4, bits),
        descale(z1 + times(inner_d, -1.847759065), bits),
        descale(t4 + z1o + z3, bits),
    ]
}

#[inline(always)]
fn backward(d: [i32; 8], bits: u32) -> [i32; 8] {
    let z1 = times(d[2] + d[6], 0.541196100);
    let (t2, t3) = (z1 + times(d[6], -1.847759065), z1 + times(d[2], 0.765366865));
    let (t0, t1) = ((d[0] + d[4]) << 13, (d[0] - d[4]) << 13);
    let even = [t0 + t3, t1 + t2, t1 - t2, t0 - t3];
    let [t0, t1, t2, t3] = [d[7], d[5], d[3], d[1]];
    let (z1, z2, z3, z4) = (t0 + t3, t1 + t2, t0 + t2, t1 + t3);
    let z5 = times(z3 + z4, 1.175875602);
    let (t0, t1) = (times(t0, 0.298631336), times(t1, 2.053119869));
    let (t2, t3) = (times(t2, 3.072711026), times(t3, 1.501321110));
    let (z1, z2) = (times(z1, -0.899976223), times(z2, -2.562915447));
    let (z3, z4) = (times(z3, -1.961570560) + z5, times(z4, -0.390180644) + z5);
    let odd = [t3 + z1 + z4, t2 + z2 + z3, t1 + z2 + z4, t0 + z1 + z3];
    let [a, b, c, e] = even;
    let [f, g, h, i] = odd;
    [a + f, b + g, c + h, e + i, e - i, c - h, b - g, a - f].map(|sum| descale(sum, bits))
}
