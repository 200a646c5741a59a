//! `pupila bench`: how fast a network trains and judges on this machine, and how near that is to what the machine can do.

use super::recipe::resolve;
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::{interrupted, listen};
use crate::output::{Output, count};
use anyhow::Context;
use pupila_engine::floor::Floor;
use pupila_engine::{Engine, Isa, Optimizer, Snapshot, Spread, StageTime, StepContext, thread_pool};
use pupila_network::{Network, Op, Shape, architectures};
use pupila_random::{Purpose, Stream};
use pupila_train::{Recipe, Train, peak_rss_bytes};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Steps before the clock counts: pages are mapped and caches filled.
const WARM_UP: u32 = 3;
/// Rounds in which the floor is measured.
const FLOOR_ROUNDS: usize = 10;

pub(crate) fn run(arguments: &cli::Bench) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let recipe = resolve(&arguments.choice, [])?.recipe;
    listen();
    let threads = arguments.threads.count();
    let pool = thread_pool(threads).context("cannot start the threads").map_err(Failure::Work)?;
    pool.install(|| bench(arguments, &recipe, threads, output))
}

fn bench(arguments: &cli::Bench, recipe: &Recipe, threads: usize, output: Output) -> Result<(), Failure> {
    let side = recipe.input.size as usize;
    let input = Shape::Map { height: side, width: side, channels: usize::from(recipe.input.channels) };
    let classes = usize::from(arguments.classes);
    let network = architectures::build(&recipe.model, input, classes)
        .map_err(|error| Failure::wrong(format_args!("model.{}: {error}", error.key())))?;
    let (batch, steps) = (recipe.train.batch, arguments.steps);
    let (images, targets) = noise(batch, &network);
    let state = recipe.model.init.state(&network, recipe.train.seed);

    // Judging is measured before the memory of training is there.
    let mut judge = Engine::<f32>::new(&network, batch, false);
    judge.load(&state).map_err(Failure::work)?;
    let mut forward = Vec::new();
    for step in 0..WARM_UP + steps {
        let started = Instant::now();
        std::hint::black_box(judge.forward(&images, batch));
        if step >= WARM_UP {
            forward.push(started.elapsed());
        }
        stop_if_interrupted()?;
    }
    drop(judge);

    let mut engine = Engine::<f32>::new(&network, batch, true);
    engine.load(&state).map_err(Failure::work)?;
    let mut optimizer = Optimizer::new(&recipe.optimizer, engine.values().len()).map_err(Failure::wrong)?;
    let at_start =
        StepContext { seed: recipe.train.seed, step: 0, label_smoothing: recipe.loss.label_smoothing };
    let spreads =
        if arguments.init_report { engine.spreads(&images, &targets, &at_start) } else { Vec::new() };
    let mut taken = Vec::new();
    let Train { accumulate, clip_norm, ema_decay, .. } = recipe.train;
    let mut average = Snapshot::default();
    for step in 0..WARM_UP + steps {
        if step == WARM_UP && arguments.profile {
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
        stop_if_interrupted()?;
    }
    let memory = peak_rss_bytes();
    let measured = Measured { step: Times::of(taken), forward: Times::of(forward) };
    let floor = Floor::measure(FLOOR_ROUNDS);
    let work = Work::of(&network, batch);
    let floor_ms = work.floor_ms(&floor);

    let mut object = json!({
        "model": recipe.model.name,
        "parameters": network.parameter_count(),
        "input": [side, side, recipe.input.channels],
        "classes": classes,
        "batch": batch,
        "threads": threads,
        "steps": steps,
        "instruction_set": Isa::detected().to_string(),
        "step_ms_median": measured.step.median,
        "step_ms_min": measured.step.least,
        "forward_ms_median": measured.forward.median,
        "forward_ms_min": measured.forward.least,
        "images_per_s": 1e3 * batch as f64 / measured.step.median,
        "peak_rss_bytes": memory,
        "floor": {
            "matmul_gflops": floor.flops_per_s / 1e9,
            "bandwidth_gb_per_s": floor.bytes_per_s / 1e9,
            "step_flops": work.flops,
            "step_bytes": work.bytes,
            "step_ms": floor_ms,
            "step_frac": floor_ms / measured.step.median,
        },
    });
    tell(output, recipe, &network, &measured, &floor, floor_ms, memory);
    if arguments.profile {
        let stages = tell_profile(output, engine.profile(), batch, steps);
        object["stages"] = stages;
    }
    if arguments.init_report {
        object["init"] = tell_spreads(output, &spreads, recipe);
    }
    output.object(&object);
    Ok(())
}

fn stop_if_interrupted() -> Result<(), Failure> {
    if interrupted() {
        return Err(Failure::Interrupted("interrupted before the measurement ended".into()));
    }
    Ok(())
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
struct Times {
    median: f64,
    least: f64,
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

struct Measured {
    step: Times,
    forward: Times,
}

/// What a training step cannot do without, if every product is worked out as it is defined. Winograd's convolutions multiply less,
/// and the gradient of a linear weight leaves out what ReLU has made zero.
struct Work {
    /// Multiply-adds of the forward pass, of the gradient of the weights and of that of the inputs, but not of the images.
    flops: u64,
    /// Values and both moments read and written, as Adam does.
    bytes: u64,
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

fn tell(
    output: Output,
    recipe: &Recipe,
    network: &Network,
    measured: &Measured,
    floor: &Floor,
    floor_ms: f64,
    memory: Option<u64>,
) {
    let batch = recipe.train.batch;
    let Measured { step, forward } = measured;
    output.heading(format_args!(
        "{}, {} parameters, {} input, batch {batch}",
        recipe.model.name,
        count(network.parameter_count()),
        network.input()
    ));
    let line = |what: &str, times: &Times| {
        output.say(format_args!(
            "  {what:<16} {:>9.3} ms median, {:.3} ms least, {:.0} images/s",
            times.median,
            times.least,
            1e3 * batch as f64 / times.median
        ));
    };
    line("training step", step);
    line("forward alone", forward);
    if let Some(bytes) = memory {
        output.say(format_args!("  {:<16} {:>9.0} MB", "peak memory", bytes as f64 / 1e6));
    }
    let reached = if step.median < floor_ms {
        "the step multiplies less and is faster".to_owned()
    } else {
        format!("the step reaches {:.0} % of it", 100.0 * floor_ms / step.median)
    };
    output.say(format_args!(
        "  {:<16} {floor_ms:>9.3} ms a step: {:.0} GFLOP/s ({}) and {:.0} GB/s; {reached}",
        "floor",
        floor.flops_per_s / 1e9,
        Isa::detected(),
        floor.bytes_per_s / 1e9,
    ));
}

/// The table of stages, and the same as JSON.
fn tell_profile(output: Output, profile: &[StageTime], batch: usize, steps: u32) -> Value {
    output.heading("Where a step goes");
    let width = profile.iter().map(|stage| stage.layer.len()).fold(8, usize::max);
    output.say(format_args!(
        "  {:<width$} {:<18} {:>10} {:>9} {:>11} {:>9}",
        "stage", "module", "forward ms", "GFLOP/s", "backward ms", "GFLOP/s"
    ));
    let ms = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(steps);
    let mut rows = Vec::new();
    for (index, stage) in profile.iter().enumerate() {
        let (forward, backward) = (ms(stage.forward), ms(stage.backward));
        let work = stage.flops as f64 * batch as f64 / 1e6;
        let rate = |times: f64, ms: f64| {
            if work > 0.0 { format!("{:.0}", times * work / ms) } else { String::new() }
        };
        let (ahead, back) = (rate(1.0, forward), rate(if index == 0 { 1.0 } else { 2.0 }, backward));
        output.say(format_args!(
            "  {:<width$} {:<18} {forward:>10.3} {ahead:>9} {backward:>11.3} {back:>9}",
            stage.layer, stage.module
        ));
        rows.push(json!({ "layer": stage.layer, "module": stage.module, "forward_ms": forward, "backward_ms": backward }));
    }
    let total = |of: fn(&StageTime) -> Duration| profile.iter().map(|stage| ms(of(stage))).sum::<f64>();
    let (forward, backward) = (total(|stage| stage.forward), total(|stage| stage.backward));
    output.say(format_args!("  {:<width$} {:<18} {forward:>10.3} {:>9} {backward:>11.3}", "total", "", ""));
    Value::Array(rows)
}

/// The table of how activations and gradients spread, and the same as JSON.
fn tell_spreads(output: Output, spreads: &[Spread], recipe: &Recipe) -> Value {
    let init = serde_json::to_string(&recipe.model.init).unwrap_or_default();
    output.heading(format_args!(
        "Right after the initialisation ({}), for normal noise",
        init.trim_matches('"')
    ));
    let width = spreads.iter().map(|spread| spread.layer.len()).fold(8, usize::max);
    output.say(format_args!(
        "  {:<width$} {:<18} {:>15} {:>19} {:>6} {:>17}",
        "layer", "module", "activation mean", "activation variance", "zeros", "gradient variance"
    ));
    let mut rows = Vec::new();
    for spread in spreads {
        let Spread {
            layer, module, activation_mean, activation_variance, zeros_frac, gradient_variance, ..
        } = spread;
        output.say(format_args!(
            "  {layer:<width$} {module:<18} {activation_mean:>15.4} {activation_variance:>19.3e} {:>5.0}% {gradient_variance:>17.3e}",
            100.0 * zeros_frac
        ));
        rows.push(json!({
            "layer": layer,
            "module": module,
            "activation_mean": activation_mean,
            "activation_variance": activation_variance,
            "zeros_frac": zeros_frac,
            "gradient_variance": gradient_variance,
        }));
    }
    Value::Array(rows)
}
