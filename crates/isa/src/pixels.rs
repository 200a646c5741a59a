//! Pixels of three bytes as three planes and back, a block at a time: loops over planes are vectorised, loops over pixels
//! hardly.

/// Pixels of a block.
pub const BLOCK: usize = 64;

/// The planes of a block of pixels.
#[inline(always)]
pub fn split(pixels: &[u8; 3 * BLOCK]) -> [[u8; BLOCK]; 3] {
    let mut planes = [[0; BLOCK]; 3];
    for i in 0..BLOCK {
        planes[0][i] = pixels[3 * i];
        planes[1][i] = pixels[3 * i + 1];
        planes[2][i] = pixels[3 * i + 2];
    }
    planes
}

/// The pixels of three planes.
#[inline(always)]
pub fn join(planes: &[[u8; BLOCK]; 3], pixels: &mut [u8; 3 * BLOCK]) {
    for i in 0..BLOCK {
        pixels[3 * i] = planes[0][i];
        pixels[3 * i + 1] = planes[1][i];
        pixels[3 * i + 2] = planes[2][i];
    }
}

/// The planes of at most a block of pixels; those that are missing are 0.
#[inline(always)]
pub fn planes_of(pixels: &[u8]) -> [[u8; BLOCK]; 3] {
    if let Ok(pixels) = pixels.try_into() {
        return split(pixels);
    }
    let mut block = [0; 3 * BLOCK];
    block[..pixels.len()].copy_from_slice(pixels);
    split(&block)
}

/// Writes as many pixels as there is room for, of at most a block.
#[inline(always)]
pub fn write_planes(planes: &[[u8; BLOCK]; 3], pixels: &mut [u8]) {
    if let Ok(pixels) = (&mut *pixels).try_into() {
        return join(planes, pixels);
    }
    let mut block = [0; 3 * BLOCK];
    join(planes, &mut block);
    pixels.copy_from_slice(&block[..pixels.len()]);
}

/// Changes pixels of three bytes block by block, given as planes. The last block may hold fewer pixels than it has room for;
/// the others are 0 and what becomes of them is dropped. Call it within [`dispatch`](crate::dispatch), with an inlined closure.
#[inline(always)]
pub fn map_pixels(pixels: &mut [u8], mut change: impl FnMut(&mut [[u8; BLOCK]; 3])) {
    let mut rest = [0; 3 * BLOCK];
    let (blocks, tail) = pixels.as_chunks_mut::<{ 3 * BLOCK }>();
    rest[..tail.len()].copy_from_slice(tail);
    // One loop for both, so that the body is compiled once.
    let whole = blocks.len();
    let more = usize::from(!tail.is_empty());
    for i in 0..whole + more {
        let block = if i < whole { &mut blocks[i] } else { &mut rest };
        let mut planes = split(block);
        change(&mut planes);
        join(&planes, block);
    }
    tail.copy_from_slice(&rest[..tail.len()]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_come_back_as_pixels() {
        for length in [0, 3, 192, 195, 384 + 15] {
            let from: Vec<u8> = (0..length).map(|i| (i * 5) as u8).collect();
            let mut to = from.clone();
            map_pixels(&mut to, |planes| {
                planes.swap(0, 2);
                planes[1] = planes[1].map(|x| 255 - x);
            });
            let wanted: Vec<u8> =
                from.as_chunks::<3>().0.iter().flat_map(|p| [p[2], 255 - p[1], p[0]]).collect();
            assert_eq!(to, wanted);
        }
    }
}
