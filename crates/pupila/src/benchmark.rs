//! How fast a network trains and judges on this machine, and how near that is to what the machine can do.

use crate::error::Error;
use crate::stop_signal::StopSignal;
use pupila_engine::floor::Floor;
use pupila_engine::{Engine, Optimizer, Snapshot, Spread, StageTime, StepContext};
use pupila_network::{Network, Op, Shape, architectures};
use pupila_random::{Purpose, Stream};
use pupila_train::{CheckedRecipe, Train, TrainError};
use std::time::{Duration, Instant};

/// Steps before the clock counts: pages are mapped and caches filled.
const WARM_UP: u32 = 3;
/// Rounds in which the floor is measured.
const FLOOR_ROUNDS: usize = 10;

/// What is measured.
#[derive(Debug, Clone, Default)]
pub struct BenchmarkOptions {
    /// Classes that the network tells apart.
    pub classes: usize,
    /// Steps that are measured.
    pub steps: u32,
    /// Measure every stage of the network.
    pub profile: bool,
    /// Look at how activations and gradients spread right after the initialisation, for normal noise as images.
    pub init_report: bool,
    /// What may stop it.
    pub stop: StopSignal,
}

/// What was measured.
#[derive(Debug)]
pub struct Benchmark {
    /// The network.
    pub network: Network,
    /// A training step, as the recipe asks for it.
    pub step: Times,
    /// A forward pass of a batch.
    pub forward: Times,
    /// What the machine can do.
    pub floor: Floor,
    /// What a step cannot do without.
    pub work: Work,
    /// The most memory in use before the floor was measured, where the caller knows it.
    pub peak_memory_bytes: Option<u64>,
    /// The stages, if asked for.
    pub profile: Vec<StageTime>,
    /// Activations and gradients after the initialisation, if asked for.
    pub spreads: Vec<Spread>,
}

impl Benchmark {
    /// Measures, on the threads of the current pool. `peak_memory_bytes` is asked once the steps are done.
    ///
    /// # Errors
    /// The model cannot be built for the input, or the stop signal.
    pub fn measure(
        recipe: &CheckedRecipe,
        options: &BenchmarkOptions,
        peak_memory_bytes: impl FnOnce() -> Option<u64>,
    ) -> Result<Benchmark, Error> {
        let pupila_transforms::Shape { height, width, channels } = recipe.input.shape();
        let input = Shape::Map { height, width, channels };
        let network = architectures::build(&recipe.model, input, options.classes)?;
        let (batch, steps) = (recipe.train.batch, options.steps);
        let (images, targets) = noise(batch, &network);
        let state = recipe.model.init.state(&network, recipe.train.seed);
        let stopped = || match options.stop.is_set() {
            true => Err(Error::Stopped("interrupted before the measurement ended")),
            false => Ok(()),
        };

        // Judging is measured before the memory of training is there.
        let mut judge = Engine::<f32>::new(&network, batch, false);
        judge.load(&state).map_err(TrainError::from)?;
        let mut forward = Vec::new();
        for step in 0..WARM_UP + steps {
            let started = Instant::now();
            std::hint::black_box(judge.forward(&images, batch));
            if step >= WARM_UP {
                forward.push(started.elapsed());
            }
            stopped()?;
        }
        drop(judge);

        let mut engine = Engine::<f32>::new(&network, batch, true);
        engine.load(&state).map_err(TrainError::from)?;
        let mut optimizer =
            Optimizer::new(&recipe.optimizer, engine.values().len()).map_err(TrainError::from)?;
        let at_start =
            StepContext { seed: recipe.train.seed, step: 0, label_smoothing: recipe.loss.label_smoothing };
        let spreads =
            if options.init_report { engine.spreads(&images, &targets, &at_start) } else { Vec::new() };
        let mut taken = Vec::new();
        let Train { accumulate, clip_norm, ema_decay, .. } = recipe.train;
        let mut average = Snapshot::default();
        for step in 0..WARM_UP + steps {
            if step == WARM_UP && options.profile {
                engine.begin_profile();
            }
            let context = StepContext { step: step.into(), ..at_start };
            let updates = optimizer.steps();
            let started = Instant::now();
            // As training does it: clipping and accumulation need the whole gradient.
            if accumulate > 1 || clip_norm.is_some() {
                engine.accumulate(&images, &targets, &context);
                if (step as usize + 1).is_multiple_of(accumulate) {
                    engine.apply(&mut optimizer, recipe.optimizer.lr, clip_norm);
                }
            } else {
                engine.step(&images, &targets, &context, &mut optimizer, recipe.optimizer.lr);
            }
            if let Some(decay) = ema_decay.filter(|_| optimizer.steps() > updates) {
                engine.average_into(&mut average, decay);
            }
            if step >= WARM_UP {
                taken.push(started.elapsed());
            }
            stopped()?;
        }
        let peak_memory_bytes = peak_memory_bytes();
        let floor = Floor::measure(FLOOR_ROUNDS);
        Ok(Benchmark {
            step: Times::of(taken),
            forward: Times::of(forward),
            floor,
            work: Work::of(&network, batch),
            peak_memory_bytes,
            profile: if options.profile { engine.profile().to_vec() } else { Vec::new() },
            spreads,
            network,
        })
    }

    /// The shortest time of a step by what the machine can do, in milliseconds.
    pub fn floor_ms(&self) -> f64 {
        self.work.floor_ms(&self.floor)
    }
}

/// Normal noise and classes in turn: the time of a step depends on neither.
fn noise(batch: usize, network: &Network) -> (Vec<f32>, Vec<u32>) {
    let mut stream = Stream::new(0, Purpose::Init, u32::MAX, 0);
    let len = batch * network.input().len();
    let pairs = (0..len.div_ceil(2)).map(|_| stream.normal_pair());
    let images = pairs.flat_map(|(a, b)| [a as f32, b as f32]).take(len).collect();
    (images, (0..batch).map(|sample| (sample % network.classes()) as u32).collect())
}

/// Milliseconds of many repetitions.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// The median.
    pub median: f64,
    /// The lowest.
    pub least: f64,
}

impl Times {
    fn of(mut times: Vec<Duration>) -> Self {
        times.sort();
        let ms = |index: usize| times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3);
        let middle = times.len() / 2;
        let below = if times.len() % 2 == 1 { middle } else { middle.saturating_sub(1) };
        Times { median: (ms(below) + ms(middle)) / 2.0, least: ms(0) }
    }
}

/// What a training step cannot do without, if every product is worked out as it is defined. Winograd's convolutions multiply less,
/// and the gradient of a linear weight leaves out what ReLU has made zero.
#[derive(Debug, Clone, Copy)]
pub struct Work {
    /// Multiply-adds of the forward pass, of the gradient of the weights and of that of the inputs, but not of the images.
    pub flops: u64,
    /// Values and both moments read and written, as Adam does.
    pub bytes: u64,
}

impl Work {
    fn of(network: &Network, batch: usize) -> Self {
        let nodes = network.nodes();
        let from_images = |id: usize| {
            let mut id = nodes[id].inputs[0];
            while nodes[id].op == Op::Flatten {
                id = nodes[id].inputs[0];
            }
            nodes[id].op == Op::Input
        };
        let flops = nodes.iter().enumerate().map(|(id, node)| {
            let flops = node.op.flops(node.shape);
            if flops == 0 { 0 } else { flops * if from_images(id) { 2 } else { 3 } }
        });
        Work {
            flops: flops.sum::<u64>() * batch as u64,
            bytes: 6 * size_of::<f32>() as u64 * network.parameter_count() as u64,
        }
    }

    fn floor_ms(&self, floor: &Floor) -> f64 {
        1e3 * (self.flops as f64 / floor.flops_per_s + self.bytes as f64 / floor.bytes_per_s)
    }
}
