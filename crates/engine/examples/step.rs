//! Times the training step of an MLP, or of another network with the time of each stage: `step [batch] [threads] [model] [side]`.
use pupila_engine::{Engine, Optimizer, OptimizerConfig, StepContext, thread_pool};
use pupila_network::{Init, ModelConfig, Shape, architectures};
use std::time::Instant;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default| args.get(at).map_or(default, |arg| arg.parse().expect("a number"));
    let (batch, threads, side): (usize, usize, usize) = (number(0, 32), number(1, 2), number(3, 64));
    let config = match args.get(2) {
        Some(name) => ModelConfig { name: name.clone(), ..ModelConfig::default() },
        None => ModelConfig { hidden: Some(vec![512, 256]), ..ModelConfig::default() },
    };
    let steps = if args.len() > 2 { 10 } else { 60 };
    let input = Shape::Map { height: side, width: side, channels: 3 };
    let network = architectures::build(&config, input, 10).expect("a network");
    thread_pool(threads).expect("threads").install(|| {
        let mut engine = Engine::<f32>::new(&network, batch, true);
        let t = Instant::now();
        let state = Init::Pytorch.state(&network, 0);
        println!("init {:?}", t.elapsed());
        let t = Instant::now();
        engine.load(&state).expect("fits");
        println!("load {:?}", t.elapsed());
        let t = Instant::now();
        engine.state();
        println!("state {:?}", t.elapsed());
        let mut optimizer =
            Optimizer::new(&OptimizerConfig::default(), engine.values().len()).expect("valid");
        let images: Vec<f32> = (0..batch * input.len()).map(|i| (i % 255) as f32 / 128.0 - 1.0).collect();
        let targets: Vec<u32> = (0..batch as u32).map(|i| i % 10).collect();
        let mut times = Vec::new();
        for step in 0..steps {
            let t = Instant::now();
            let context = StepContext { seed: 0, step, label_smoothing: 0.0 };
            engine.step(&images, &targets, &context, &mut optimizer, 1e-3);
            times.push(t.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("step median {:.2} ms, min {:.2} ms", times[times.len() / 2], times[0]);
        let mut times = Vec::new();
        for _ in 0..steps {
            let t = Instant::now();
            engine.forward(&images, batch);
            times.push(t.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_by(f64::total_cmp);
        println!("forward median {:.2} ms, min {:.2} ms", times[times.len() / 2], times[0]);
        if args.len() > 2 {
            engine.begin_profile();
            let context = StepContext { seed: 0, step: steps, label_smoothing: 0.0 };
            engine.step(&images, &targets, &context, &mut optimizer, 1e-3);
            for stage in engine.profile() {
                let [forward, backward] =
                    [stage.forward, stage.backward].map(|time| time.as_secs_f64() * 1e3);
                println!("{:<24} {:<18} {forward:>8.2} {backward:>8.2}", stage.layer, stage.module);
            }
        }
    });
}
