//! Channels exchanged. Reference: `albumentations.ChannelShuffle`.

use crate::{Frame, Shape, Transform};
use pupila_isa::dispatch;
use pupila_random::Stream;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What one draw decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Which channel red, green and blue are taken from.
    pub order: [u8; 3],
}

/// Puts the channels of a color image into another order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelShuffle {
    /// Probability of applying it.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub p: f64,
}

impl Default for ChannelShuffle {
    fn default() -> Self {
        ChannelShuffle { p: 0.5 }
    }
}

impl Transform for ChannelShuffle {
    const NAME: &'static str = "channel_shuffle";
    const DESCRIPTION: &'static str = "exchanges the channels";

    type Drawn = Order;

    fn p(&self) -> f64 {
        self.p
    }

    fn draw(&self, _: Shape, stream: &mut Stream) -> Order {
        let mut order = [0, 1, 2];
        stream.shuffle(&mut order);
        Order { order }
    }

    fn apply(&self, drawn: &Order, frame: &mut Frame) {
        if frame.shape().channels != 3 || drawn.order == [0, 1, 2] {
            return;
        }
        let order = drawn.order.map(|channel| usize::from(channel.min(2)));
        frame.redraw(frame.shape(), |from, to| {
            dispatch(
                #[inline(always)]
                || match order {
                    [0, 2, 1] => reorder::<0, 2, 1>(from, to),
                    [1, 0, 2] => reorder::<1, 0, 2>(from, to),
                    [1, 2, 0] => reorder::<1, 2, 0>(from, to),
                    [2, 0, 1] => reorder::<2, 0, 1>(from, to),
                    [2, 1, 0] => reorder::<2, 1, 0>(from, to),
                    // A draw that is written by hand may name a channel twice.
                    _ => reorder_pixels(from, to, order),
                },
            );
        });
    }
}

/// Pixels that are reordered at a time: whole vectors, whose shuffles are known where the order is.
const BLOCK: usize = 64;

#[inline(always)]
fn reorder<const A: usize, const B: usize, const C: usize>(from: &[u8], to: &mut [u8]) {
    let (from, rest) = from.as_chunks::<{ 3 * BLOCK }>();
    let (to, rest_to) = to.as_chunks_mut::<{ 3 * BLOCK }>();
    for (from, to) in from.iter().zip(to) {
        for i in (0..3 * BLOCK).step_by(3) {
            (to[i], to[i + 1], to[i + 2]) = (from[i + A], from[i + B], from[i + C]);
        }
    }
    reorder_pixels(rest, rest_to, [A, B, C]);
}

#[inline(always)]
fn reorder_pixels(from: &[u8], to: &mut [u8], order: [usize; 3]) {
    for (from, to) in from.as_chunks::<3>().0.iter().zip(to.as_chunks_mut::<3>().0) {
        *to = order.map(|channel| from[channel]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FrameMemory;

    /// More pixels than a block, and some behind the last one.
    #[test]
    fn every_order_moves_every_pixel() {
        let shape = Shape { height: 3, width: 2 * BLOCK / 3 + 5, channels: 3 };
        let from: Vec<u8> = (0..shape.values()).map(|i| (i * 7 % 256) as u8).collect();
        let mut memory = FrameMemory::default();
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0], [1, 1, 0]] {
            let mut frame = Frame::new(shape, &from, &mut memory).unwrap();
            ChannelShuffle::default().apply(&Order { order }, &mut frame);
            let wanted: Vec<u8> = from
                .as_chunks::<3>()
                .0
                .iter()
                .flat_map(|pixel| order.map(|c| pixel[usize::from(c)]))
                .collect();
            assert_eq!(frame.pixels(), wanted, "{order:?}");
        }
    }
}
