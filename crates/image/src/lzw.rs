//! The loop around `weezl`'s decoder that GIF and TIFF share.

use weezl::{LzwStatus, decode::Decoder};

/// The decoder takes in up to so many bits before it needs them, and may work off codes that clear the table one a call: so many calls may
/// do nothing that is seen.
const HELD: u32 = 64;

/// Why not all samples came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// The data end after so many.
    Early(usize),
    /// A code stands for nothing.
    Damaged,
}

/// Fills `out` from the data that `next` gives part by part, an empty one at the end. What follows the last sample does not count: neither
/// the code of the end nor damage.
pub(crate) fn fill<'a>(
    decoder: &mut Decoder,
    mut next: impl FnMut() -> &'a [u8],
    out: &mut [u8],
) -> Result<(), Stopped> {
    let (mut filled, mut part, mut ended, mut idle) = (0, &[][..], false, 0);
    loop {
        let done = decoder.decode_bytes(part, &mut out[filled..]);
        filled += done.consumed_out;
        part = &part[done.consumed_in..];
        if filled == out.len() {
            return Ok(());
        }
        match done.status {
            Err(_) => return Err(Stopped::Damaged),
            Ok(LzwStatus::Done) => return Err(Stopped::Early(filled)),
            Ok(_) => {}
        }
        idle = if done.consumed_in + done.consumed_out > 0 { 0 } else { idle + 1 };
        if part.is_empty() && !ended {
            part = next();
            ended = part.is_empty();
        } else if idle > HELD {
            return Err(Stopped::Early(filled));
        }
    }
}
