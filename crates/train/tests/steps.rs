//! Every optimizer under every schedule against PyTorch, step by step: parity/schedules/generate.py writes the golden, on the
//! images and the network of parity/engine.
#![allow(clippy::unwrap_used)]

use pupila_engine::{Engine, Float, Optimizer, OptimizerConfig, StepContext};
use pupila_metrics::Direction;
use pupila_network::{ModelConfig, Shape, StateDict, Tensor, architectures};
use pupila_train::schedule::{SCHEDULES, Schedule, ScheduleConfig};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

const TENSORS: &[u8] = include_bytes!("../../../parity/engine/tensors.safetensors");
const GOLDEN: &str = include_str!("golden/steps.json");

/// The loss at each of 50 steps in f32, relative. Where it falls to 0.003 (RMSprop), PyTorch's own rounding moves it by 1.3e-5:
/// a loss below a tenth is compared as if it were one.
const SINGLE: f64 = 1e-5;
const SMALL: f64 = 0.1;
/// The same in f64, with no such exception.
const DOUBLE: f64 = 1e-11;
/// Closed formulas of the learning rate against PyTorch's chained products.
const RATE: f64 = 1e-12;

#[derive(Deserialize)]
struct Golden {
    epochs: u32,
    steps_per_epoch: u64,
    batch: usize,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    optimizer: OptimizerConfig,
    schedule: ScheduleConfig,
    losses: Vec<f64>,
    losses_f64: Vec<f64>,
    last_lr: f64,
}

fn indices(tensors: &SafeTensors<'_>, name: &str) -> Vec<u32> {
    let tensor = tensors.tensor(name).unwrap();
    assert_eq!(tensor.dtype(), Dtype::I32, "{name}");
    tensor.data().chunks_exact(4).map(|b| u32::from_le_bytes(b.try_into().unwrap())).collect()
}

fn state(tensors: &SafeTensors<'_>) -> StateDict {
    let tensor = |full: &str| {
        let name = full.strip_prefix("runs.plain.state.")?;
        let tensor = tensors.tensor(full).unwrap();
        assert_eq!(tensor.dtype(), Dtype::F32, "{name}");
        let data = tensor.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
        Some((name.to_owned(), Tensor { shape: tensor.shape().to_vec(), data }))
    };
    tensors.names().into_iter().filter_map(tensor).collect()
}

/// The losses of as many steps as PyTorch made, and the learning rate of the last one.
fn train<T: Float>(golden: &Golden, case: &Case, tensors: &SafeTensors<'_>) -> (Vec<f64>, f64) {
    let model = ModelConfig { hidden: Some(vec![64, 32]), ..ModelConfig::default() };
    let network = architectures::build(&model, Shape::Map { height: 16, width: 16, channels: 3 }, 3).unwrap();
    let len = network.input().len();
    let pixels = tensors.tensor("runs.images").unwrap().data();
    let images: Vec<T> = pixels.iter().map(|&x| T::of((f64::from(x) - 127.5) / 64.0)).collect();
    let (targets, order) = (indices(tensors, "runs.targets"), indices(tensors, "runs.order"));

    let mut engine = Engine::<T>::new(&network, golden.batch, true);
    engine.load(&state(tensors)).unwrap();
    let mut optimizer = Optimizer::new(&case.optimizer, engine.values().len()).unwrap();
    let (lr, steps) = (case.optimizer.lr, golden.steps_per_epoch);
    let mut schedule = Schedule::new(&case.schedule, lr, golden.epochs, steps, Direction::Lower).unwrap();
    let (mut losses, mut last_lr) = (Vec::new(), 0.0);
    for (epoch, order) in order.chunks_exact(targets.len()).enumerate() {
        let mut sum = 0.0;
        for batch in order.chunks(golden.batch) {
            let step = losses.len() as u64;
            let images: Vec<T> =
                batch.iter().flat_map(|&i| &images[i as usize * len..][..len]).copied().collect();
            let targets: Vec<u32> = batch.iter().map(|&i| targets[i as usize]).collect();
            let context = StepContext { seed: 0, step, label_smoothing: 0.0 };
            let lr = schedule.lr(epoch as u32, step);
            let loss = engine.step(&images, &targets, &context, &mut optimizer, lr);
            if losses.len() < case.losses.len() {
                last_lr = lr;
            }
            losses.push(loss.loss / loss.samples as f64);
            sum += loss.loss;
        }
        schedule.epoch_ended(sum / targets.len() as f64);
    }
    losses.truncate(case.losses.len());
    (losses, last_lr)
}

#[test]
fn fifty_steps_of_every_optimizer_under_every_schedule_are_pytorchs() {
    let golden: Golden = serde_json::from_str(GOLDEN).unwrap();
    let tensors = SafeTensors::deserialize(TENSORS).unwrap();
    let (mut worst, mut worst_double) = (0.0_f64, 0.0_f64);
    for case in &golden.cases {
        let what = format!("{} under {:?}", case.optimizer.name, case.schedule);
        assert_eq!((case.losses.len(), case.losses_f64.len()), (50, 50));
        let (losses, last_lr) = train::<f32>(&golden, case, &tensors);
        assert!((last_lr - case.last_lr).abs() <= RATE * case.optimizer.lr, "{what}: lr {last_lr}");
        for (step, (loss, expected)) in losses.iter().zip(&case.losses).enumerate() {
            let off = (loss - expected).abs() / expected.max(SMALL);
            assert!(off <= SINGLE, "{what}, step {step}: {loss}, PyTorch {expected}");
            worst = worst.max(off);
        }
        let (losses, _) = train::<f64>(&golden, case, &tensors);
        for (step, (loss, expected)) in losses.iter().zip(&case.losses_f64).enumerate() {
            let off = (loss - expected).abs() / expected;
            assert!(off <= DOUBLE, "{what}, step {step} in f64: {loss}, PyTorch {expected}");
            worst_double = worst_double.max(off);
        }
    }
    println!("losses at most {worst:.1e} from PyTorch's, in f64 {worst_double:.1e}");
    let has = |optimizer: &str, schedule: &str| {
        golden.cases.iter().any(|case| case.optimizer.name == optimizer && case.schedule.name == schedule)
    };
    for optimizer in pupila_engine::optimizer::REGISTRY {
        for schedule in SCHEDULES {
            assert!(has(optimizer.name, schedule.name), "{} under {}", optimizer.name, schedule.name);
        }
    }
}
