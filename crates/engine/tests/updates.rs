//! Updates from whole gradients, class weights, values that are not finite, and what the two modes of a network do.
#![allow(clippy::unwrap_used)]

use pupila_engine::{
    Engine, NotFinite, Optimizer, OptimizerConfig, Snapshot, StepContext, Targets, cross_entropy, thread_pool,
};
use pupila_network::{Init, ModelConfig, Network, Shape, architectures};
use serde_json::Value;

const INPUT: Shape = Shape::Map { height: 8, width: 8, channels: 3 };
const CONTEXT: StepContext = StepContext { seed: 1, step: 0, label_smoothing: 0.0 };

fn network(name: &str, batch_norm: bool, dropout: f64) -> Network {
    let config =
        ModelConfig { name: name.into(), batch_norm, dropout: Some(dropout), ..ModelConfig::default() };
    architectures::build(&config, INPUT, 3).unwrap()
}

fn engine<T: pupila_engine::Float>(network: &Network, batch: usize) -> Engine<T> {
    let mut engine = Engine::new(network, batch, true);
    engine.load(&Init::Pytorch.state(network, 3)).unwrap();
    engine
}

fn images(batch: usize) -> Vec<f64> {
    (0..batch * INPUT.len())
        .map(|i| ((i * 37 % 101) as f64 / 50.0 - 1.0) * (1.0 + i as f64 / 900.0))
        .collect()
}

fn optimizer<T: pupila_engine::Float>(engine: &Engine<T>, config: OptimizerConfig) -> Optimizer<T> {
    Optimizer::new(&config, engine.values().len()).unwrap()
}

fn sgd() -> OptimizerConfig {
    OptimizerConfig { name: "sgd".into(), ..OptimizerConfig::default() }
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt()
}

#[test]
fn two_batches_together_are_one_of_both() {
    let network = network("cnn", false, 0.0);
    let (images, targets) = (images(5), [0, 2, 1, 1, 0]);
    let (mut whole, mut parts) = (engine::<f64>(&network, 5), engine::<f64>(&network, 5));
    for engine in [&mut whole, &mut parts] {
        engine.set_class_weights(&[0.5, 1.0, 3.0]);
    }
    let mut of_whole = optimizer(&whole, sgd());
    whole.step(&images, &targets, &CONTEXT, &mut of_whole, 0.1);
    let mut of_parts = optimizer(&parts, sgd());
    let (first, second) = images.split_at(2 * INPUT.len());
    for round in 0..2 {
        // The second round must not see anything of the first.
        if round == 1 {
            parts.load(&Init::Pytorch.state(&network, 3)).unwrap();
        }
        parts.accumulate(first, &targets[..2], &CONTEXT);
        parts.accumulate(second, &targets[2..], &CONTEXT);
        assert!(parts.apply(&mut of_parts, 0.1, None) > 0.0);
        // Only the order of the sums differs.
        assert!(distance(whole.values(), parts.values()) < 1e-12);
    }
    let before = parts.values().to_vec();
    assert_eq!(parts.apply(&mut of_parts, 0.1, None), 0.0, "nothing is left to apply");
    assert_eq!(before, parts.values());
}

#[test]
fn a_clipped_gradient_has_the_norm_asked_for_and_its_direction() {
    let network = network("mlp", true, 0.0);
    let (images, targets) = (images(4), [0, 2, 1, 1]);
    let mut engine = engine::<f64>(&network, 4);
    engine.gradients(&images, &targets, &CONTEXT);
    let (start, gradient) = (engine.values().to_vec(), engine.gradient().to_vec());
    let length = distance(&gradient, &vec![0.0; gradient.len()]);
    let mut sgd = optimizer(&engine, sgd());
    engine.accumulate(&images, &targets, &CONTEXT);
    let norm = engine.apply(&mut sgd, 1.0, Some(length / 4.0));
    assert!((norm - length).abs() < 1e-9 * length, "{norm} {length}");
    let wanted: Vec<f64> = start.iter().zip(&gradient).map(|(w, g)| w - g / 4.0).collect();
    // PyTorch adds 1e-6 to the norm that it divides by.
    assert!(distance(engine.values(), &wanted) < 1e-5);
    assert!((distance(engine.values(), &start) - length / 4.0).abs() < 1e-5);
}

#[test]
fn norms_and_biases_can_be_kept_from_decaying() {
    let network = network("cnn", true, 0.0);
    let (images, targets) = (images(4), [0, 2, 1, 1]);
    let run = |weight_decay: f64, decay_norm_and_bias: bool, whole: bool| {
        let mut engine = engine::<f64>(&network, 4);
        let config = OptimizerConfig { name: "adamw".into(), weight_decay, decay_norm_and_bias, ..sgd() };
        let mut adamw = optimizer(&engine, OptimizerConfig { name: "adamw".into(), ..config });
        if whole {
            engine.accumulate(&images, &targets, &CONTEXT);
            engine.apply(&mut adamw, 0.1, None);
        } else {
            engine.step(&images, &targets, &CONTEXT, &mut adamw, 0.1);
        }
        engine.state()
    };
    let (none, all) = (run(0.0, true, false), run(0.3, true, false));
    for whole in [false, true] {
        let weights = run(0.3, false, whole);
        let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
        for spec in network.parameters().iter().filter(|spec| spec.role.trained()) {
            let name = &spec.name;
            let wanted = if spec.shape.len() > 1 { &all } else { &none };
            assert!(near(&weights[name].data, &wanted[name].data), "{name}");
        }
    }
    assert!(none["0.bias"].data != all["0.bias"].data);
}

#[test]
fn weighted_and_smoothed_losses_are_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("golden/loss.json")).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let (logits, weights) = (numbers(&case["logits"]), numbers(&case["weights"]));
        let targets: Vec<u32> = numbers(&case["targets"]).iter().map(|&x| x as u32).collect();
        let (classes, smoothing) =
            (case["classes"].as_u64().unwrap() as usize, case["smoothing"].as_f64().unwrap());
        let mut gradient = vec![0.0; logits.len()];
        let loss = cross_entropy(&logits, classes, &targets, smoothing, &weights, Some(&mut gradient));
        // Double precision on both sides.
        assert!((loss.mean() - case["loss"].as_f64().unwrap()).abs() < 1e-12);
        assert!(distance(&gradient, &numbers(&case["gradient"])) < 1e-12);
    }
}

#[test]
fn losses_of_mixed_targets_are_pytorchs() {
    let golden: Value = serde_json::from_str(include_str!("golden/loss_mixed.json")).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 12);
    for case in cases {
        let of = |key: &str| numbers(&case[key]);
        let indices = |key: &str| of(key).iter().map(|&x| x as u32).collect::<Vec<_>>();
        let (logits, weights, shares) = (of("logits"), of("weights"), of("shares"));
        let (first, second) = (indices("targets"), indices("partners"));
        let targets = Targets { classes: &first, partners: &second, shares: &shares };
        let (classes, smoothing) =
            (case["classes"].as_u64().unwrap() as usize, case["smoothing"].as_f64().unwrap());
        let mut gradient = vec![0.0; logits.len()];
        let loss = cross_entropy(&logits, classes, targets, smoothing, &weights, Some(&mut gradient));
        // Double precision on both sides. Torch's is the sum, and the gradient here is of the mean.
        assert!((loss.loss - case["loss_sum"].as_f64().unwrap()).abs() < 1e-12);
        let expected: Vec<f64> = of("gradient_sum").iter().map(|g| g / loss.weight).collect();
        assert!(distance(&gradient, &expected) < 1e-12);
        if weights.is_empty() {
            assert!((loss.weight - first.len() as f64).abs() < 1e-12);
        }
        let dominant = |i: usize| if shares[i] >= 0.5 { first[i] } else { second[i] } as usize;
        let best = |row: &[f64]| (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        let correct = logits.chunks(classes).enumerate().filter(|(i, row)| best(row) == dominant(*i)).count();
        assert_eq!(loss.correct, correct);
    }
}

#[test]
fn the_gradient_of_mixed_targets_is_that_of_their_loss() {
    let config = ModelConfig { hidden: Some(vec![5]), ..ModelConfig::default() };
    let network = architectures::build(&config, INPUT, 3).unwrap();
    let context = StepContext { label_smoothing: 0.1, ..CONTEXT };
    let images = images(4);
    let (first, second, shares) = ([0, 1, 2, 1], [1, 1, 0, 2], [0.3, 0.9, 1.0, 0.0]);
    let targets = Targets { classes: &first, partners: &second, shares: &shares };
    let mut engine = engine::<f64>(&network, 4);
    let weights = [0.5, 1.0, 3.0];
    engine.set_class_weights(&weights);
    engine.gradients(&images, targets, &context);
    let analytic = engine.gradient().to_vec();
    let loss = |engine: &mut Engine<f64>| {
        let logits = engine.forward_training(&images, 4, &context).to_vec();
        cross_entropy(&logits, 3, targets, context.label_smoothing, &weights, None).mean()
    };
    let largest = analytic.iter().fold(0.0f64, |m, g| m.max(g.abs()));
    assert!(largest > 1e-3);
    let h = 1e-6;
    for i in 0..analytic.len() {
        let value = engine.values()[i];
        engine.values_mut()[i] = value + h;
        let above = loss(&mut engine);
        engine.values_mut()[i] = value - h;
        let below = loss(&mut engine);
        engine.values_mut()[i] = value;
        // The difference's own error is about h^2 + 1e-16 / h.
        assert!(((above - below) / (2.0 * h) - analytic[i]).abs() < 1e-7 * largest.max(1.0), "value {i}");
    }
}

#[test]
fn classes_that_weigh_nothing_have_no_gradient() {
    let (logits, mut gradient) = ([0.3, -1.0, 2.0, 0.1, 0.2, 0.3], [9.0; 6]);
    let loss = cross_entropy(&logits, 3, &[1, 1], 0.0, &[1.0, 0.0, 1.0], Some(&mut gradient));
    assert_eq!((loss.loss, loss.weight, loss.samples, gradient), (0.0, 0.0, 2, [0.0; 6]));
}

#[test]
fn the_first_place_that_is_not_finite_is_named() {
    let network = network("cnn", true, 0.0);
    let images: Vec<f32> = images(4).iter().map(|&x| x as f32).collect();
    let mut engine = engine::<f32>(&network, 4);
    assert_eq!(engine.find_not_finite(&images, 4, &CONTEXT), None);
    let state = engine.state();
    let mut broken = images.clone();
    broken[7] = f32::NAN;
    assert_eq!(engine.find_not_finite(&broken, 4, &CONTEXT), Some(NotFinite::Images));
    assert_eq!(engine.state(), state, "running statistics stay as they were");

    let mut infinite = state.clone();
    infinite.get_mut("4.weight").unwrap().data[3] = f32::INFINITY;
    engine.load(&infinite).unwrap();
    assert_eq!(engine.find_not_finite(&images, 4, &CONTEXT), Some(NotFinite::Tensor("4.weight".into())));

    let mut large = state.clone();
    large.get_mut("4.weight").unwrap().data.fill(3e38);
    engine.load(&large).unwrap();
    let found = engine.find_not_finite(&images, 4, &CONTEXT);
    assert_eq!(found, Some(NotFinite::Layer("4".into(), "Conv2d")));
    assert_eq!(found.unwrap().to_string(), "the output of 4 (Conv2d)");
}

#[test]
fn averages_follow_the_formula() {
    let network = network("mlp", true, 0.0);
    let mut engine = engine::<f64>(&network, 4);
    let mut sgd = optimizer(&engine, sgd());
    let mut average = Snapshot::default();
    let mut wanted: Vec<f64> = Vec::new();
    for step in 0..4 {
        engine.step(&images(4), &[0, 2, 1, 1], &CONTEXT, &mut sgd, 0.1);
        engine.average_into(&mut average, 0.9);
        if step == 0 {
            wanted = engine.values().to_vec();
        }
        wanted.iter_mut().zip(engine.values()).for_each(|(a, v)| *a = 0.9 * *a + 0.1 * v);
    }
    let raw = engine.values().to_vec();
    engine.restore(&average);
    assert!(distance(engine.values(), &wanted) < 1e-12 && distance(&raw, &wanted) > 1e-3);
}

/// With Kaiming's variance activations keep their scale behind ReLUs, with a hundredth of it they vanish layer by layer.
#[test]
fn spreads_tell_initialisers_apart() {
    let hidden = Some(vec![256; 5]);
    let config = ModelConfig { name: "mlp".into(), hidden, ..ModelConfig::default() };
    let network = architectures::build(&config, INPUT, 3).unwrap();
    let spreads = |init: Init| {
        let mut engine = Engine::<f64>::new(&network, 32, true);
        let state = init.state(&network, 3);
        engine.load(&state).unwrap();
        let targets: Vec<u32> = (0..32).map(|i| i % 3).collect();
        let spreads = engine.spreads(&images(32), &targets, &CONTEXT);
        assert_eq!(engine.state(), state);
        spreads.into_iter().filter(|spread| spread.module == "Linear").collect::<Vec<_>>()
    };
    let kaiming = spreads(Init::KaimingNormal);
    let small = spreads(Init::Normal { std: 0.005 });
    assert_eq!(kaiming.len(), 6);
    for pair in kaiming[..5].windows(2) {
        let factor = pair[1].activation_variance / pair[0].activation_variance;
        assert!((0.4..2.5).contains(&factor), "{factor}");
    }
    for pair in small[..5].windows(2) {
        assert!(pair[1].activation_variance < 0.05 * pair[0].activation_variance);
        assert!(pair[0].gradient_variance < 0.05 * pair[1].gradient_variance);
    }
}

/// What a person sees who judges a model in training mode: other numbers every time, which depend on the batch around the
/// image. In evaluation mode neither is so.
#[test]
fn forgetting_evaluation_mode_makes_a_prediction_depend_on_its_batch_and_on_chance() {
    let network = network("mlp", true, 0.5);
    let images: Vec<f32> = images(6).iter().map(|&x| x as f32).collect();
    let mut engine = engine::<f32>(&network, 6);
    let first = |logits: &[f32]| logits[..3].to_vec();
    let context = |step| StepContext { step, ..CONTEXT };

    let alone = first(engine.forward(&images[..INPUT.len()], 1));
    let among = first(engine.forward(&images, 6));
    assert_eq!(alone, among, "in evaluation mode an image's logits are its own");
    assert_eq!(among, first(engine.forward(&images, 6)), "and always the same");

    let one = first(engine.forward_training(&images, 6, &context(0)));
    let two = first(engine.forward_training(&images, 6, &context(1)));
    let fewer = first(engine.forward_training(&images[..4 * INPUT.len()], 4, &context(0)));
    assert_ne!(one, two, "dropout draws anew at every step");
    assert_ne!(one, fewer, "BatchNorm takes the batch's statistics");
    assert_ne!(one, among);
    assert_ne!(first(engine.forward(&images, 6)), among, "and the running statistics have moved meanwhile");
}

#[test]
fn clipped_and_averaged_values_are_the_same_for_every_number_of_threads() {
    // More values than one block, so that the norm is a sum of several.
    let config = ModelConfig { name: "mlp".into(), hidden: Some(vec![600, 40]), ..ModelConfig::default() };
    let network = architectures::build(&config, INPUT, 3).unwrap();
    let run = |threads: usize| {
        thread_pool(threads).unwrap().install(|| {
            let mut engine = engine::<f64>(&network, 4);
            let mut adam = optimizer(&engine, OptimizerConfig::default());
            let (mut average, mut norms) = (Snapshot::default(), Vec::new());
            for _ in 0..4 {
                engine.accumulate(&images(4), &[0, 2, 1, 1], &CONTEXT);
                norms.push(engine.apply(&mut adam, 0.01, Some(0.5)).to_bits());
                engine.average_into(&mut average, 0.9);
            }
            engine.restore(&average);
            (norms, engine.values().iter().map(|x| x.to_bits()).collect::<Vec<_>>())
        })
    };
    let alone = run(1);
    assert!(alone.1.len() > 1 << 16);
    assert!([2, 3, 8].iter().all(|&threads| run(threads) == alone));
}
