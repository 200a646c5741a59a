//! Channels exchanged. Reference: `albumentations.ChannelShuffle`.

use crate::{Frame, Shape, Transform};
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
        frame
            .pixels_mut()
            .as_chunks_mut::<3>()
            .0
            .iter_mut()
            .for_each(|pixel| *pixel = order.map(|from| pixel[from]));
    }
}
