//! A training run that is taken apart and put together again after every call goes on to the bit.
#![allow(clippy::unwrap_used)]

use pupila_engine::optimizer::REGISTRY;
use pupila_engine::{
    Engine, Optimizer, OptimizerConfig, OptimizerState, RestoreError, Snapshot, StepContext, Waiting,
};
use pupila_network::{Init, ModelConfig, Network, Shape, architectures};

const INPUT: Shape = Shape::Map { height: 6, width: 6, channels: 3 };
const BATCH: usize = 5;
const STEPS: usize = 10;

fn network() -> Network {
    let hidden = Some(vec![20, 9]);
    let config = ModelConfig { hidden, batch_norm: true, dropout: Some(0.3), ..ModelConfig::default() };
    architectures::build(&config, INPUT, 3).unwrap()
}

fn batch(step: usize) -> (Vec<f32>, Vec<u32>) {
    let image = |i: usize| (((i + 7 * step) * 37 % 101) as f32 / 50.0 - 1.0) * (1.0 + i as f32 / 900.0);
    let target = |i: usize| ((i + step) * 5 % 3) as u32;
    ((0..BATCH * INPUT.len()).map(image).collect(), (0..BATCH).map(target).collect())
}

/// How a run updates: batches to an update, and the norm that the gradient is clipped to.
#[derive(Debug, Clone, Copy)]
struct Updates {
    accumulate: usize,
    clip_norm: Option<f64>,
}

/// All that a run is between two calls.
#[derive(Debug, Clone, PartialEq)]
struct State {
    values: Snapshot<f32>,
    optimizer: OptimizerState<f32>,
    waiting: Option<Waiting<f32>>,
}

struct Run {
    engine: Engine<f32>,
    optimizer: Optimizer<f32>,
}

impl Run {
    fn new(config: &OptimizerConfig) -> Self {
        let engine = Engine::new(&network(), BATCH, true);
        let optimizer = Optimizer::new(config, engine.values().len()).unwrap();
        Run { engine, optimizer }
    }

    fn state(&self) -> State {
        let mut values = Snapshot::default();
        self.engine.save_to(&mut values);
        State { values, optimizer: self.optimizer.state(), waiting: self.engine.waiting() }
    }

    fn restore(&mut self, state: &State) {
        self.engine.restore(&state.values);
        self.optimizer.restore(&state.optimizer).unwrap();
        self.engine.set_waiting(state.waiting.as_ref()).unwrap();
    }
}

/// The state of a run at its end. After every call `between` may do to the run what it likes.
fn train(config: &OptimizerConfig, updates: Updates, between: impl Fn(Run) -> Run) -> State {
    let mut run = Run::new(config);
    run.engine.load(&Init::Pytorch.state(&network(), 3)).unwrap();
    for step in 0..STEPS {
        let (images, targets) = batch(step);
        let context = StepContext { seed: 1, step: step as u64, label_smoothing: 0.1 };
        let lr = 0.01 / (1.0 + step as f64);
        if updates.accumulate == 1 && updates.clip_norm.is_none() {
            run.engine.step(&images, &targets, &context, &mut run.optimizer, lr);
        } else {
            run.engine.accumulate(&images, &targets, &context);
            run = between(run);
            if (step + 1).is_multiple_of(updates.accumulate) {
                run.engine.apply(&mut run.optimizer, lr, updates.clip_norm);
            }
        }
        run = between(run);
    }
    run.state()
}

fn configs() -> Vec<OptimizerConfig> {
    let plain = |name: &str| OptimizerConfig { name: name.into(), weight_decay: 0.01, ..Default::default() };
    let mut configs: Vec<_> = REGISTRY.iter().map(|entry| plain(entry.name)).collect();
    configs.push(OptimizerConfig { momentum: 0.9, nesterov: true, ..plain("sgd") });
    configs.push(OptimizerConfig { momentum: 0.9, decay_norm_and_bias: false, ..plain("rmsprop") });
    configs
}

const UPDATES: [Updates; 4] = [
    Updates { accumulate: 1, clip_norm: None },
    Updates { accumulate: 3, clip_norm: None },
    Updates { accumulate: 1, clip_norm: Some(0.5) },
    // Gradients wait at the end.
    Updates { accumulate: 4, clip_norm: Some(0.5) },
];

#[test]
fn a_run_put_together_anew_after_every_call_is_the_same_to_the_bit() {
    for config in configs() {
        for updates in UPDATES {
            let whole = train(&config, updates, |run| run);
            let apart = train(&config, updates, |run| {
                let state = run.state();
                let mut other = Run::new(&config);
                other.restore(&state);
                assert_eq!(other.state(), state);
                other
            });
            assert_eq!(apart, whole, "{config:?}, {updates:?}");
            assert_eq!(whole.waiting.is_some(), !STEPS.is_multiple_of(updates.accumulate));
        }
    }
}

/// What the test above would not see if it were left out.
#[test]
fn each_part_of_the_state_counts() {
    let momentum = |config: &OptimizerConfig| config.name != "sgd" || config.momentum > 0.0;
    let adam = |config: &OptimizerConfig| config.name.starts_with("adam");
    for config in configs() {
        for updates in UPDATES {
            let whole = train(&config, updates, |run| run).values;
            let without = |leave_out: fn(&mut State)| {
                let values = train(&config, updates, |run| {
                    let mut state = run.state();
                    leave_out(&mut state);
                    let mut other = Run::new(&config);
                    other.restore(&state);
                    other
                });
                values.values
            };
            let what = format!("{config:?}, {updates:?}");
            assert_eq!(without(|_| ()), whole, "{what}");
            let tracked = without(|state| state.values.tracked.fill(0.0));
            assert_eq!(tracked.trained, whole.trained, "only evaluation mode reads what is tracked: {what}");
            assert_ne!(tracked.tracked, whole.tracked, "{what}");
            assert_eq!(
                without(|state| state.optimizer.moments.iter_mut().for_each(|moment| moment.fill(0.0)))
                    != whole,
                momentum(&config),
                "{what}"
            );
            assert_eq!(without(|state| state.optimizer.steps = 0) != whole, adam(&config), "{what}");
            if updates.accumulate > 1 {
                let light = without(|state| state.waiting = None);
                assert_ne!(light, whole, "{what}");
            }
        }
    }
}

#[test]
fn a_state_of_something_else_is_refused_and_changes_nothing() {
    let config = OptimizerConfig::default();
    let mut run = Run::new(&config);
    run.engine.load(&Init::Pytorch.state(&network(), 3)).unwrap();
    let (images, targets) = batch(0);
    let context = StepContext { seed: 1, step: 0, label_smoothing: 0.0 };
    run.engine.step(&images, &targets, &context, &mut run.optimizer, 0.1);
    run.engine.accumulate(&images, &targets, &context);
    let before = run.state();

    let of_sgd = OptimizerConfig { name: "sgd".into(), ..config };
    let other = Optimizer::<f32>::new(&of_sgd, before.values.trained.len()).unwrap().state();
    let error = run.optimizer.restore(&other).unwrap_err();
    assert_eq!(error, RestoreError::Optimizer { expected: Some("adam".into()), found: Some("sgd".into()) });
    assert_eq!(error.to_string(), "the state is of the optimizer `sgd`, and here is the optimizer `adam`");

    let mut fewer = before.optimizer.clone();
    fewer.moments.pop();
    let error = run.optimizer.restore(&fewer).unwrap_err();
    assert_eq!(error, RestoreError::Length { what: "the list of moments", expected: 2, found: 1 });
    let mut shorter = before.optimizer.clone();
    shorter.steps = 77;
    shorter.moments[1].pop();
    assert!(run.optimizer.restore(&shorter).is_err());

    let waiting = before.waiting.clone().unwrap();
    let shorter = Waiting { sum: waiting.sum[1..].to_vec(), ..waiting.clone() };
    assert!(run.engine.set_waiting(Some(&shorter)).is_err());
    for weight in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let light = Waiting { weight, ..waiting.clone() };
        assert!(matches!(run.engine.set_waiting(Some(&light)), Err(RestoreError::Weight(_))), "{weight}");
    }
    assert_eq!(run.state(), before);

    let mut only_evaluates = Engine::<f32>::new(&network(), BATCH, false);
    assert!(only_evaluates.set_waiting(Some(&waiting)).is_err());
    assert_eq!(only_evaluates.set_waiting(None), Ok(()));
    run.engine.set_waiting(None).unwrap();
    assert_eq!(run.engine.waiting(), None);
    assert_eq!(run.engine.apply(&mut run.optimizer, 0.1, None), 0.0, "nothing is left to apply");
}
