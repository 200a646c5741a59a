//! Trains with a transform of one's own: `transform DATA`. It leaves out one of an image's channels at random. The run says that
//! it had such a transform; `pupila eval` and `pupila predict` need none.

use pupila::random::Stream;
use pupila::recipe::Augment;
use pupila::transforms::{Frame, HorizontalFlip, Shape, Transform};
use pupila::{Recipe, Session};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::error::Error;

/// Sets one channel of an image to zero.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct DropChannel {
    /// Probability of applying it.
    p: f64,
}

impl Default for DropChannel {
    fn default() -> Self {
        DropChannel { p: 0.2 }
    }
}

impl Transform for DropChannel {
    const NAME: &'static str = "drop_channel";
    const DESCRIPTION: &'static str = "sets one channel to zero";
    /// The channel.
    type Drawn = usize;

    fn p(&self) -> f64 {
        self.p
    }

    fn draw(&self, input: Shape, stream: &mut Stream) -> usize {
        stream.below(input.channels as u32) as usize
    }

    fn apply(&self, channel: &usize, frame: &mut Frame) {
        let channels = frame.shape().channels;
        frame.pixels_mut().chunks_exact_mut(channels).for_each(|pixel| pixel[*channel] = 0);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let data = std::env::args().nth(1).ok_or("usage: transform DATA")?;
    let recipe = Recipe {
        augment: Augment::of([HorizontalFlip { p: 0.5 }.into(), DropChannel::default().into()]),
        ..Recipe::default()
    };
    let run = Session::open(recipe, data)?.run(&mut ())?;
    println!("trained with {}", run.summary().own_transforms.join(", "));
    Ok(())
}
