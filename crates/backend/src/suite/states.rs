//! What is put into a backend and taken out of it.

use super::*;
use crate::optimizer::REGISTRY;
use crate::{RestoreError, Snapshot, Targets};
use pupila_network::{Role, StateError, Tensor};

/// A state dict is given back as it was loaded, to the bit, by a backend that trains and by one that only judges.
pub fn what_is_loaded_is_given_back(make: Make<'_>) {
    for network in networks() {
        for training in [false, true] {
            let mut backend = make(&network, 2, training);
            let what = format!("{}, training {training}", network.architecture);
            assert_eq!(backend.network().parameters(), network.parameters(), "{what}");
            assert_eq!(backend.capacity(), 2, "{what}");
            assert!(all(&backend.state()).iter().all(|&x| x == 0.0), "{what}: values are zero at first");
            let mut state = first_values(&network);
            backend.load(&state).unwrap();
            same_state(&backend.state(), &state, &what);
            // PyTorch counts batches; nothing depends on it.
            let counted = Tensor { shape: Vec::new(), data: vec![3.0] };
            state.insert("1.num_batches_tracked".into(), counted);
            backend.load(&state).unwrap();
            state.remove("1.num_batches_tracked");
            same_state(&backend.state(), &state, &what);
            let bytes = backend.memory_bytes();
            assert!(bytes.values >= 4 * network.parameter_count(), "{what}: {bytes:?}");
            assert_eq!(bytes.gradients > 0, training, "{what}: {bytes:?}");
        }
    }
}

/// A tensor too few, one too many, or one of another shape is an error, and nothing is taken over.
pub fn tensors_that_do_not_fit_are_refused(make: Make<'_>) {
    for network in networks() {
        let mut backend = ready(make, &network, 2, true);
        let before = backend.state();
        let other = Init::Pytorch.state(&network, 9);
        let weight = network.parameters().iter().map(|spec| spec.name.clone()).next_back().unwrap();
        let refused = |backend: &mut Box<dyn Backend>, state: &StateDict, expected: StateError| {
            assert_eq!(backend.load(state), Err(expected));
            same_state(&backend.state(), &before, "after a state that was refused");
        };
        let mut state = other.clone();
        state.remove(&weight);
        refused(&mut backend, &state, StateError::Missing(weight.clone()));
        let mut state = other.clone();
        state.insert("surplus".into(), other[&weight].clone());
        refused(&mut backend, &state, StateError::Unexpected("surplus".into()));
        let mut state = other.clone();
        let (expected, data) = (other[&weight].shape.clone(), other[&weight].data.clone());
        let found: Vec<_> = std::iter::once(1).chain(expected.iter().copied()).collect();
        state.insert(weight.clone(), Tensor { shape: found.clone(), data });
        refused(&mut backend, &state, StateError::Shape { name: weight, expected, found });
    }
}

const BATCH: usize = 5;
const STEPS: usize = 7;

/// What is done to a backend between two calls.
type Between<'a> = &'a dyn Fn(Box<dyn Backend>) -> Box<dyn Backend>;

/// The end of a run of [`STEPS`] batches and its losses. Whatever `between` makes of the backend after every call goes on.
fn train(
    make: Make<'_>,
    network: &Network,
    config: &OptimizerConfig,
    accumulate: usize,
    clip_norm: Option<f64>,
    between: Between<'_>,
) -> (Box<dyn Backend>, Vec<u64>) {
    let mut backend = trainer(make, network, BATCH, config);
    let mut losses = Vec::new();
    for step in 0..STEPS {
        let (images, targets) = (images(step * BATCH, BATCH), classes(step, BATCH));
        let context = StepContext { seed: 1, step: step as u64, label_smoothing: 0.1 };
        let (targets, lr) = (Targets::from(&targets), 0.01 / (1.0 + step as f64));
        let loss = if accumulate == 1 && clip_norm.is_none() {
            backend.step(&images, targets, &context, lr)
        } else {
            let loss = backend.accumulate(&images, targets, &context);
            backend = between(backend);
            if (step + 1).is_multiple_of(accumulate) {
                losses.push(backend.apply(lr, clip_norm).to_bits());
            }
            loss
        };
        backend = between(backend);
        losses.push(loss.loss.to_bits());
    }
    (backend, losses)
}

/// A training that is taken apart after every call and put into a new backend is the same to the bit: for every optimizer,
/// with updates at once, of several batches, and clipped, over BatchNorm and dropout.
pub fn training_goes_on_from_its_state(make: Make<'_>) {
    let plain = |name: &str| OptimizerConfig { weight_decay: 0.01, ..optimizer(name) };
    let mut configs: Vec<_> = REGISTRY.iter().map(|entry| plain(entry.name)).collect();
    configs.push(OptimizerConfig { momentum: 0.9, nesterov: true, ..plain("sgd") });
    configs.push(OptimizerConfig { momentum: 0.9, decay_norm_and_bias: false, ..plain("rmsprop") });
    for network in networks() {
        for config in &configs {
            for (accumulate, clip_norm) in [(1, None), (3, None), (1, Some(0.5))] {
                let what = format!("{}, {config:?}, {accumulate}, {clip_norm:?}", network.architecture);
                let run =
                    |between: Between<'_>| train(make, &network, config, accumulate, clip_norm, between);
                let (whole, losses) = run(&|backend| backend);
                let (apart, losses_apart) = run(&|backend| {
                    let state = backend.training_state();
                    let mut other = make(&network, BATCH, true);
                    other.set_optimizer(config).unwrap();
                    other.restore_training(&state).unwrap();
                    same_training(&other.training_state(), &state, &format!("put in at once: {what}"));
                    other
                });
                assert_eq!(losses, losses_apart, "losses: {what}");
                same_training(&apart.training_state(), &whole.training_state(), &what);
                same_state(&apart.state(), &whole.state(), &what);
                assert_eq!(whole.training_state().waiting.is_some(), accumulate > 1, "{what}");
                assert_eq!(whole.updates(), (STEPS / accumulate) as u64, "{what}");
            }
        }
    }
}

/// A training's state that is of another network or another optimizer is an error, and nothing changes.
pub fn a_state_that_does_not_fit_is_refused(make: Make<'_>) {
    let network = network("mlp", true, 0.0);
    let begun = |network: &Network, config: Option<&OptimizerConfig>| {
        let mut backend = ready(make, network, BATCH, true);
        if let Some(config) = config {
            backend.set_optimizer(config).unwrap();
            backend.step(&images(0, BATCH), Targets::from(&classes(0, BATCH)), &CONTEXT, 0.01);
        }
        backend.accumulate(&images(0, BATCH), Targets::from(&classes(0, BATCH)), &CONTEXT);
        backend
    };
    let adam = optimizer("adam");
    let mut backend = begun(&network, Some(&adam));
    let before = backend.training_state();
    let mut without = begun(&network, None);
    let mut refused = |state: &TrainingState, what: &str| {
        let error = backend.restore_training(state).unwrap_err();
        same_training(&backend.training_state(), &before, &format!("after {what}, which was refused"));
        error
    };
    let other_network = begun(&super::network("mlp", false, 0.0), Some(&adam)).training_state();
    assert!(matches!(refused(&other_network, "another network"), RestoreError::Length { .. }));
    let other_optimizer = begun(&network, Some(&optimizer("rmsprop"))).training_state();
    let names = |expected: Option<&str>, found: Option<&str>| {
        let [expected, found] = [expected, found].map(|name| name.map(str::to_owned));
        RestoreError::Optimizer { expected, found }
    };
    assert_eq!(refused(&other_optimizer, "another optimizer"), names(Some("adam"), Some("rmsprop")));
    assert_eq!(refused(&without.training_state(), "no optimizer"), names(Some("adam"), None));
    assert_eq!(without.restore_training(&before), Err(names(None, Some("adam"))));

    // Everything else is of another time, so that whatever is taken over shows.
    let mut later = begun(&network, Some(&adam));
    later.step(&images(3, BATCH), Targets::from(&classes(3, BATCH)), &CONTEXT, 0.1);
    type Damage = (&'static str, fn(&mut TrainingState));
    let damages: [Damage; 6] = [
        ("too few values", |state| _ = state.values.trained.pop()),
        ("too many tracked values", |state| state.values.tracked.push(0.0)),
        ("too few moments", |state| _ = state.optimizer.as_mut().unwrap().moments.pop()),
        ("a shorter moment", |state| _ = state.optimizer.as_mut().unwrap().moments[1].pop()),
        ("a longer gradient", |state| state.waiting.as_mut().unwrap().sum.push(0.0)),
        ("a gradient without weight", |state| state.waiting.as_mut().unwrap().weight = 0.0),
    ];
    for (what, damage) in damages {
        let mut state = later.training_state();
        damage(&mut state);
        refused(&state, what);
    }
    assert_eq!(backend.restore_training(&later.training_state()), Ok(()));
}

/// A snapshot brings back the values that it was taken of, whatever has happened since.
pub fn snapshots_come_back(make: Make<'_>) {
    for network in networks() {
        let what = network.architecture.clone();
        let mut backend = trainer(make, &network, BATCH, &optimizer("adam"));
        let images = images(0, BATCH);
        let mut snapshot = Snapshot::default();
        backend.save_to(&mut snapshot);
        let (state, logits) = (backend.state(), backend.forward(&images, BATCH).to_vec());
        backend.step(&images, Targets::from(&classes(0, BATCH)), &CONTEXT, 0.1);
        assert_ne!(backend.forward(&images, BATCH), logits, "{what}: a step changes the logits");
        let moments = backend.training_state().optimizer;
        backend.restore(&snapshot);
        same_state(&backend.state(), &state, &what);
        same(backend.forward(&images, BATCH), &logits, &format!("{what}: logits"));
        assert_eq!(backend.training_state().optimizer, moments, "{what}: the optimizer stays as it is");

        // What works out something of its values once must see that they are others.
        let mut judge = ready(make, &network, BATCH, false);
        judge.save_to(&mut snapshot);
        let logits = judge.forward(&images, BATCH).to_vec();
        judge.load(&backend.state().into_iter().map(halved).collect()).unwrap();
        assert_ne!(judge.forward(&images, BATCH), logits, "{what}");
        judge.restore(&snapshot);
        same(judge.forward(&images, BATCH), &logits, &format!("{what}: logits of a judge"));
    }
}

fn halved((name, mut tensor): (String, Tensor)) -> (String, Tensor) {
    tensor.data.iter_mut().for_each(|x| *x *= 0.5);
    (name, tensor)
}

/// A moving average of the values is `decay * average + (1 - decay) * value`; what is tracked is that of the last step.
pub fn averages_follow_the_formula(make: Make<'_>) {
    for network in networks() {
        let mut backend = trainer(make, &network, BATCH, &optimizer("sgd"));
        let (mut average, mut expected) = (Snapshot::default(), Vec::new());
        for step in 0..4 {
            backend.step(&images(step, BATCH), Targets::from(&classes(step, BATCH)), &CONTEXT, 0.1);
            backend.average_into(&mut average, 0.9);
            let values = all(&backend.state());
            if step == 0 {
                expected.clone_from(&values);
            }
            expected.iter_mut().zip(&values).for_each(|(a, v)| *a = 0.9 * *a + 0.1 * v);
        }
        let raw = backend.state();
        backend.restore(&average);
        let found = backend.state();
        let trained: Vec<_> = network.parameters().into_iter().filter(|s| s.role.trained()).collect();
        let mut start = 0;
        for (name, tensor) in &found {
            let expected = &expected[start..start + tensor.data.len()];
            start += tensor.data.len();
            let Some(spec) = trained.iter().find(|spec| spec.name == *name) else {
                same(&tensor.data, &raw[name].data, name);
                continue;
            };
            let values: Vec<f64> = tensor.data.iter().map(|&x| f64::from(x)).collect();
            // Four roundings to f32 and those of 0.9 and 0.1.
            near(&values, expected, 1e-6, name);
            // A bias before BatchNorm has no gradient.
            assert!(spec.role != Role::Weight || tensor != &raw[name], "{name} has moved");
        }
    }
}
