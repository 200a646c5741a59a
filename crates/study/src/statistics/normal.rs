//! Normal draws for simulations, keyed.

use pupila_random::{Purpose, Stream};

/// Standard normal numbers (Box and Muller, Annals of Mathematical Statistics 1958).
#[derive(Debug)]
pub struct Normals {
    stream: Stream,
    second: Option<f64>,
}

impl Normals {
    /// The numbers of a seed and a repetition.
    pub fn new(seed: u64, repetition: u32) -> Self {
        Normals { stream: Stream::new(seed, Purpose::Bootstrap, repetition, 1), second: None }
    }

    /// The next one.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> f64 {
        if let Some(second) = self.second.take() {
            return second;
        }
        // 1 - u is never 0.
        let radius = (-2.0 * (1.0 - self.stream.unit()).ln()).sqrt();
        let angle = std::f64::consts::TAU * self.stream.unit();
        self.second = Some(radius * angle.sin());
        radius * angle.cos()
    }
}
