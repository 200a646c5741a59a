//! What learns and what stays as it is: frozen parts to the bit, learning rates of parts, BatchNorm in evaluation mode, and a backward pass that ends
//! where nothing behind it learns.
#![allow(clippy::unwrap_used)]

use pupila_backend::{Learning, NodeLearning};
use pupila_engine::{Engine, Optimizer, OptimizerConfig, Snapshot, StepContext};
use pupila_network::{Init, ModelConfig, Network, Shape, StateDict, architectures};

const INPUT: Shape = Shape::Map { height: 16, width: 16, channels: 3 };
const TARGETS: [u32; 4] = [0, 2, 1, 1];

fn network(name: &str) -> Network {
    let cnn = name == "cnn";
    let config = ModelConfig {
        name: name.into(),
        batch_norm: cnn,
        dropout: cnn.then_some(0.2),
        ..ModelConfig::default()
    };
    architectures::build(&config, INPUT, 3).unwrap()
}

fn images(seed: usize) -> Vec<f64> {
    (0..4 * INPUT.len()).map(|i| ((i * 37 + seed * 11) % 101) as f64 / 50.0 - 1.0).collect()
}

/// Values whose running statistics are no initial ones.
fn start(network: &Network) -> StateDict {
    let mut state = Init::KaimingNormal.state(network, 3);
    for (name, tensor) in &mut state {
        let shift = if name.ends_with("running_mean") || name.ends_with("bias") { 0.1 } else { 0.0 };
        let scale = if name.ends_with("running_var") { 1.3 } else { 1.0 };
        tensor.data.iter_mut().enumerate().for_each(|(i, x)| *x = *x * scale + shift * (i % 3) as f32);
    }
    state
}

/// The first so many parts are frozen.
fn frozen(network: &Network, parts: usize) -> Learning {
    let boundary = network.parts()[parts].nodes.start;
    let of = |node| if node < boundary { NodeLearning::FROZEN } else { NodeLearning::FULLY };
    Learning { nodes: (0..network.nodes().len()).map(of).collect() }
}

fn decaying(name: &str) -> OptimizerConfig {
    let momentum = if name == "sgd" { 0.9 } else { 0.0 };
    OptimizerConfig { name: name.into(), lr: 0.05, weight_decay: 0.1, momentum, ..OptimizerConfig::default() }
}

fn step(engine: &mut Engine<f64>, optimizer: &mut Optimizer<f64>, at: u64, whole: bool) {
    let context = StepContext { seed: 1, step: at, label_smoothing: 0.0 };
    let images = images(at as usize);
    if whole {
        engine.accumulate(&images, &TARGETS, &context);
        engine.apply(optimizer, 0.05, Some(1.0));
    } else {
        engine.step(&images, &TARGETS, &context, optimizer, 0.05);
    }
}

#[test]
fn a_frozen_part_stays_as_it_is_to_the_bit() {
    for (name, parts) in [("resnet18", 3), ("mobilenet_v2", 19), ("cnn", 2), ("resnet18", 5), ("mlp", 1)] {
        let network = network(name);
        let before = start(&network);
        let boundary = network.parts()[parts].nodes.start;
        for (rule, whole) in [("sgd", false), ("adamw", false), ("adam", true)] {
            let mut engine = Engine::<f64>::new(&network, 4, true);
            engine.load(&before).unwrap();
            engine.set_learning(&frozen(&network, parts));
            let mut optimizer = Optimizer::new(&decaying(rule), engine.values().len()).unwrap();
            let mut average = Snapshot::default();
            for at in 0..3 {
                step(&mut engine, &mut optimizer, at, whole);
                engine.average_into(&mut average, 0.9);
                if at == 1 {
                    // A look goes through everything, and leaves nothing behind.
                    let context = StepContext { seed: 1, step: 0, label_smoothing: 0.0 };
                    assert!(
                        engine
                            .spreads(&images(0), &TARGETS, &context)
                            .iter()
                            .all(|s| s.gradient_variance > 0.0)
                    );
                }
            }
            let after = engine.state();
            engine.restore(&average);
            let averaged = engine.state();
            for spec in network.parameters() {
                let stays = spec.node < boundary;
                assert_eq!(after[&spec.name] == before[&spec.name], stays, "{name} {rule} {}", spec.name);
                assert_eq!(averaged[&spec.name] == before[&spec.name], stays, "{name} {rule} {}", spec.name);
            }
        }
    }
}

/// Behind a frozen part that works as in evaluation, the rest learns what it would learn from its outputs: compared with an engine that computes every
/// gradient and whose values are put back by hand.
#[test]
fn what_learns_learns_the_same_with_less_work() {
    let network = network("cnn");
    for parts in 1..network.parts().len() {
        let boundary = network.parts()[parts].nodes.start;
        let learning = frozen(&network, parts);
        // The same modes, but every node at a rate.
        let all = learning.nodes.iter().map(|node| NodeLearning { rate: 1.0, ..*node }).collect();
        let [mut short, mut long] = [learning.clone(), Learning { nodes: all }].map(|learning| {
            let mut engine = Engine::<f64>::new(&network, 4, true);
            engine.load(&start(&network)).unwrap();
            engine.set_learning(&learning);
            engine
        });
        let context = StepContext { seed: 1, step: 5, label_smoothing: 0.1 };
        short.gradients(&images(2), &TARGETS, &context);
        long.gradients(&images(2), &TARGETS, &context);
        let (short, long) = (short.gradient_state(), long.gradient_state());
        for spec in network.parameters().iter().filter(|spec| spec.role.trained()) {
            let (short, long) = (&short[&spec.name], &long[&spec.name]);
            if spec.node < boundary {
                assert!(short.data.iter().all(|&g| g == 0.0), "{}", spec.name);
            } else {
                assert_eq!(short, long, "{}", spec.name);
            }
        }
    }
}

/// The gradients through a BatchNorm in evaluation mode, against differences of the loss in f64.
#[test]
fn gradients_behind_running_statistics_are_those_of_the_affine_map() {
    let network = network("cnn");
    let modes = network.nodes().iter().map(|node| NodeLearning {
        evaluates: matches!(
            node.op,
            pupila_network::Op::BatchNorm { .. } | pupila_network::Op::Dropout { .. }
        ),
        ..NodeLearning::FULLY
    });
    let learning = Learning { nodes: modes.collect() };
    let mut engine = Engine::<f64>::new(&network, 4, true);
    engine.load(&start(&network)).unwrap();
    engine.set_learning(&learning);
    let context = StepContext { seed: 1, step: 5, label_smoothing: 0.0 };
    let images = images(3);
    engine.gradients(&images, &TARGETS, &context);
    let gradient = engine.gradient().to_vec();
    let values = engine.values().to_vec();
    let mut checked = 0;
    let mut at = 0;
    while at < values.len() {
        let (h, mut losses) = (1e-6, [0.0; 2]);
        for (loss, sign) in losses.iter_mut().zip([1.0, -1.0]) {
            engine.values_mut().copy_from_slice(&values);
            engine.values_mut()[at] += sign * h;
            let sum = engine.gradients(&images, &TARGETS, &context);
            *loss = sum.mean();
        }
        let difference = (losses[0] - losses[1]) / (2.0 * h);
        // A kink of ReLU or of pooling within h would differ by more; none of these places has one.
        if values[at] != 0.0 {
            assert!(
                (difference - gradient[at]).abs() < 1e-5 * (1.0 + gradient[at].abs()),
                "{at}: {difference} {}",
                gradient[at]
            );
            checked += 1;
        }
        at += 1999;
    }
    assert!(checked > 20, "{checked}");
}

#[test]
fn parts_learn_at_their_own_rates_and_count_their_own_updates() {
    let network = network("mlp");
    let boundary = network.parts()[1].nodes.start;
    let with = |first: NodeLearning| {
        let of = |node| if node < boundary { first } else { NodeLearning::FULLY };
        Learning { nodes: (0..network.nodes().len()).map(of).collect() }
    };
    let moved = |rule: &str, whole: bool, learning: &Learning, lr: f64| {
        let mut engine = Engine::<f64>::new(&network, 4, true);
        engine.load(&start(&network)).unwrap();
        engine.set_learning(learning);
        let mut optimizer =
            Optimizer::new(&OptimizerConfig { lr, ..decaying(rule) }, engine.values().len()).unwrap();
        let context = StepContext { seed: 1, step: 0, label_smoothing: 0.0 };
        if whole {
            engine.accumulate(&images(0), &TARGETS, &context);
            engine.apply(&mut optimizer, lr, None);
        } else {
            engine.step(&images(0), &TARGETS, &context, &mut optimizer, lr);
        }
        engine.state()
    };
    for (rule, whole) in [("sgd", false), ("adamw", false), ("sgd", true), ("rmsprop", true)] {
        let (all, slow, tenth) = (
            moved(rule, whole, &Learning::default(), 0.05),
            moved(rule, whole, &with(NodeLearning { rate: 0.1, ..NodeLearning::FULLY }), 0.05),
            moved(rule, whole, &Learning::default(), 0.05 * 0.1),
        );
        assert_eq!(slow["1.weight"], tenth["1.weight"], "{rule}");
        assert_eq!(slow["5.weight"], all["5.weight"], "{rule}");
    }
    // Adam's first update of a part that joins late is as large as that of one that began at once.
    let mut engine = Engine::<f64>::new(&network, 4, true);
    engine.load(&start(&network)).unwrap();
    let config = OptimizerConfig { weight_decay: 0.0, ..decaying("adam") };
    let mut optimizer = Optimizer::new(&config, engine.values().len()).unwrap();
    engine.set_learning(&with(NodeLearning::FROZEN));
    (0..3).for_each(|at| step(&mut engine, &mut optimizer, at, false));
    let before = engine.state();
    engine.set_learning(&with(NodeLearning { since: 3, ..NodeLearning::FULLY }));
    step(&mut engine, &mut optimizer, 3, false);
    let after = engine.state();
    let pairs = before["1.weight"].data.iter().zip(&after["1.weight"].data);
    let largest = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!((largest - 0.05).abs() < 1e-4, "{largest}");
}

/// A training of PyTorch's with the same parts frozen, joining and at the same rates (parity/transfer/generate.py), in f64.
#[test]
fn a_training_with_frozen_parts_is_pytorchs() {
    let cases: serde_json::Value =
        serde_json::from_str(include_str!("../../../parity/transfer/cases.json")).unwrap();
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let config = ModelConfig {
        name: "cnn".into(),
        filters: Some(vec![4, 6]),
        hidden: Some(vec![5]),
        batch_norm: true,
        padding: pupila_network::PaddingMode::Zeros,
        ..ModelConfig::default()
    };
    let network = architectures::build(&config, Shape::Map { height: 8, width: 8, channels: 3 }, 3).unwrap();
    let parts = network.parts();
    let tensor = |value: &serde_json::Value| {
        let data = numbers(&value["data"]).into_iter().map(|x| x as f32).collect();
        let shape = numbers(&value["shape"]).into_iter().map(|x| x as usize).collect();
        pupila_network::Tensor { shape, data }
    };
    let first: StateDict = cases["first"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), tensor(value)))
        .collect();
    let (steps, head, lr) =
        (cases["steps"].as_u64().unwrap(), cases["head"].as_u64().unwrap(), cases["lr"].as_f64().unwrap());
    let images = numbers(&cases["images"]);
    let targets: Vec<u32> = numbers(&cases["targets"]).into_iter().map(|x| x as u32).collect();
    for run in cases["runs"].as_array().unwrap() {
        let frozen_norm = run["frozen_norm"].as_bool().unwrap();
        let learning = |step: u64| {
            let mut nodes = Vec::new();
            for (index, part) in parts.iter().enumerate() {
                for node in &network.nodes()[part.nodes.clone()] {
                    let is_norm = matches!(node.op, pupila_network::Op::BatchNorm { .. });
                    let is_head = index == parts.len() - 1;
                    let learns = is_head || index > 0 && step >= head && !(is_norm && frozen_norm);
                    let rate = 0.5f64.powi((parts.len() - 1 - index) as i32);
                    let since = if is_head { 0 } else { head };
                    nodes.push(if learns {
                        NodeLearning { rate, since, evaluates: false }
                    } else {
                        NodeLearning::FROZEN
                    });
                }
            }
            Learning { nodes }
        };
        let rule: OptimizerConfig = serde_json::from_value(run["optimizer"].clone()).unwrap();
        let mut engine = Engine::<f64>::new(&network, 5, true);
        engine.load(&first).unwrap();
        let mut optimizer = Optimizer::new(&rule, engine.values().len()).unwrap();
        for (step, expected) in numbers(&run["losses"]).into_iter().enumerate() {
            engine.set_learning(&learning(step as u64));
            let context = StepContext { seed: 1, step: step as u64, label_smoothing: 0.0 };
            let loss = engine.step(&images, &targets, &context, &mut optimizer, lr).mean();
            // Both sum in f64, in another order. RMSprop divides by roots of squares that are nearly 0 where a unit hardly learns, and so
            // makes differences in the last digits larger (2.6e-10 here).
            assert!(
                (loss - expected).abs() < 1e-8 * expected,
                "{} step {step}: {loss} {expected}",
                rule.name
            );
        }
        assert_eq!(optimizer.steps(), steps);
        let state = engine.state();
        for (name, expected) in run["state"].as_object().unwrap() {
            // The state dict is in single precision.
            let off = numbers(&expected["data"])
                .iter()
                .zip(&state[name].data)
                .map(|(a, b)| (a - f64::from(*b)).abs())
                .fold(0.0, f64::max);
            assert!(off < 1e-6, "{} {name}: {off}", rule.name);
        }
    }
}

/// An engine that was made for what ever learns has no backward pass for the rest, and otherwise does the same to the bit.
#[test]
fn what_never_learns_needs_no_backward_pass() {
    for (name, parts) in [
        ("resnet18", 3),
        ("mobilenet_v2", 19),
        ("efficientnet_lite0", 9),
        ("cnn", 2),
        ("resnet18", 5),
        ("mlp", 1),
    ] {
        let network = network(name);
        let learning = frozen(&network, parts);
        let mut whole = Engine::<f64>::new(&network, 4, true);
        let mut short = Engine::<f64>::for_learning(&network, 4, &learning);
        let (memory, needed) = (short.memory_bytes(), Engine::<f64>::memory_needed(&network, 4, &learning).0);
        assert_eq!(memory[2], needed[2], "{name}");
        assert!(memory[2] <= whole.memory_bytes()[2], "{name}");
        if name == "resnet18" && parts == 5 {
            assert!(memory[2] < whole.memory_bytes()[2], "{memory:?} {:?}", whole.memory_bytes());
        }
        let mut results = Vec::new();
        for engine in [&mut whole, &mut short] {
            engine.load(&start(&network)).unwrap();
            engine.set_learning(&learning);
            let mut optimizer = Optimizer::new(&decaying("adamw"), engine.values().len()).unwrap();
            for at in 0..3 {
                step(engine, &mut optimizer, at, at == 1);
            }
            let context = StepContext { seed: 1, step: 9, label_smoothing: 0.0 };
            let spreads = engine.spreads(&images(0), &TARGETS, &context);
            let last = spreads.last().map(|spread| (spread.layer.clone(), spread.gradient_variance));
            engine.gradients(&images(1), &TARGETS, &context);
            let explained = engine.explain(&images(4), &TARGETS);
            let explained = explained.map(|explained| (explained.maps, explained.logits));
            let logits = engine.forward(&images(5), 4).to_vec();
            results.push((engine.state(), last, engine.gradient_state(), explained, logits));
        }
        assert!(results[0] == results[1], "{name} {parts}");
    }
}

#[test]
#[should_panic(expected = "made for less to learn")]
fn what_was_not_laid_out_cannot_learn() {
    let network = network("resnet18");
    let mut engine = Engine::<f64>::for_learning(&network, 4, &frozen(&network, 5));
    engine.set_learning(&Learning::default());
}

/// A block is skipped by whole samples, as often as it should be, and its gradient knows; in evaluation it never is.
#[test]
fn blocks_are_skipped_by_samples() {
    let config = ModelConfig {
        name: "efficientnet_lite0".into(),
        stochastic_depth: Some(0.5),
        ..ModelConfig::default()
    };
    let network = architectures::build(&config, INPUT, 3).unwrap();
    let plain = ModelConfig { stochastic_depth: None, ..config };
    let without = architectures::build(&plain, INPUT, 3).unwrap();
    let is_skip =
        |node: &&pupila_network::Node| matches!(node.op, pupila_network::Op::StochasticDepth { .. });
    let skips: Vec<_> = network.nodes().iter().filter(is_skip).collect();
    // Residual blocks: those of a stage but its first.
    assert_eq!(skips.len(), 9);
    assert!(!without.nodes().iter().any(|node| is_skip(&node)));
    let mut engines = [&network, &without].map(|network| {
        let mut engine = Engine::<f64>::new(network, 4, true);
        engine.load(&start(network)).unwrap();
        engine
    });
    let logits = engines.each_mut().map(|engine| engine.forward(&images(0), 4).to_vec());
    assert_eq!(logits[0], logits[1]);
}
