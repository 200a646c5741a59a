//! `pupila bench`: how fast a network trains and judges on this machine, and how near that is to what the machine can do.

use super::recipe::resolve;
use super::{in_pool, tell as words};
use crate::cli;
use crate::failure::Failure;
use crate::interrupt::listen;
use crate::memory::peak_rss_bytes;
use crate::output::Output;
use pupila::engine::{Isa, Spread, StageTime};
use pupila::{Benchmark, BenchmarkOptions, Recipe, Times, count};
use serde_json::{Value, json};
use std::time::Duration;

pub(crate) fn run(arguments: &cli::Bench) -> Result<(), Failure> {
    let output = Output::new(arguments.json.json);
    let recipe = resolve(&arguments.choice, [])?;
    words::taken(output, &recipe);
    let threads = arguments.threads.count();
    let options = BenchmarkOptions {
        classes: usize::from(arguments.classes),
        steps: arguments.steps,
        profile: arguments.profile,
        init_report: arguments.init_report,
        stop: listen(),
    };
    let measured = in_pool(threads, || Ok(Benchmark::measure(&recipe, &options, peak_rss_bytes)?))?;
    let (size, batch, steps) = (recipe.input.size, recipe.train.batch, options.steps);
    let (classes, floor_ms) = (options.classes, measured.floor_ms());
    let mut object = json!({
        "model": recipe.model.name,
        "parameters": measured.network.parameter_count(),
        "input": [size.height, size.width, u32::from(recipe.input.channels)],
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
        "peak_rss_bytes": measured.peak_memory_bytes,
        "floor": {
            "matmul_gflops": measured.floor.flops_per_s / 1e9,
            "bandwidth_gb_per_s": measured.floor.bytes_per_s / 1e9,
            "step_flops": measured.work.flops,
            "step_bytes": measured.work.bytes,
            "step_ms": floor_ms,
            "step_frac": floor_ms / measured.step.median,
        },
    });
    tell(output, &recipe, &measured);
    if arguments.profile {
        let stages = tell_profile(output, &measured.profile, batch, steps);
        object["stages"] = stages;
    }
    if arguments.init_report {
        object["init"] = tell_spreads(output, &measured.spreads, &recipe);
    }
    output.object(&object);
    Ok(())
}

fn tell(output: Output, recipe: &Recipe, measured: &Benchmark) {
    let batch = recipe.train.batch;
    let Benchmark { network, step, forward, floor, peak_memory_bytes: memory, .. } = measured;
    let floor_ms = measured.floor_ms();
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
        output.say(format_args!("  {:<16} {:>9.0} MB", "peak memory", *bytes as f64 / 1e6));
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
