//! Tests of following a run: what is looked at when, and what is told once.

use super::*;
use crate::recipe::{CheckedRecipe, Layers, Setting};
use pupila_engine::CpuBackend;
use pupila_loader::{Loader, Order, Source};
use pupila_network::{ModelConfig, Network, architectures};
use pupila_run::RunEnd;
use pupila_transforms::{Normalization, Pipeline, Shape};

/// Kind, epoch and step of all that was told.
#[derive(Default)]
struct Heard(Vec<(String, u32, u64)>);

impl Observer for Heard {
    fn event(&mut self, event: &Event) {
        if let Event::Finding { kind, epoch, step, .. } = event {
            self.0.push((kind.clone(), *epoch, *step));
        }
    }
}

/// A run of four epochs over 40 images of two values and two classes.
struct Run {
    recipe: CheckedRecipe,
    network: Network,
    loader: Loader,
    classes: Vec<String>,
}

impl Run {
    fn new(settings: &[&str]) -> Self {
        let setting = |s: &&str| Setting { assignment: (*s).to_owned(), option: format!("--set {s}") };
        let settings = ["train.epochs=4", "model.hidden=[8]"].iter().chain(settings).map(setting).collect();
        let recipe = Layers { file: None, settings, learnt: None }.resolve().unwrap();
        let shape = Shape { height: 1, width: 2, channels: 1 };
        let pixels = (0..80).map(|value| (value * 37 % 251) as u8).collect();
        let labels = (0..40).map(|image| image % 2).collect();
        let source = Source::from_vec(pixels, labels, shape).unwrap();
        let normalization = Normalization::imagenet(1);
        let loader = Loader::new(source, Pipeline::default(), normalization, Order::AsGiven, 8, 0).unwrap();
        let config = ModelConfig { hidden: Some(vec![8]), ..ModelConfig::default() };
        let network = architectures::build(&config, pupila_network::Shape::Vector(2), 2).unwrap();
        Run { recipe, network, loader, classes: vec!["a".into(), "b".into()] }
    }

    fn plan(&self) -> Plan<'_> {
        Plan {
            recipe: &self.recipe,
            network: &self.network,
            train: &self.loader,
            val: &self.loader,
            class_weights: &[],
            classes: &self.classes,
            contents: &[],
            kept: None,
        }
    }

    fn engine(&self, init: pupila_network::Init) -> CpuBackend {
        let mut engine = CpuBackend::new(&self.network, 40, true);
        engine.load(&init.state(&self.network, 0)).unwrap();
        engine
    }
}

const ALIKE: pupila_network::Init = pupila_network::Init::Constant { value: 0.1 };
const CONTEXT: StepContext = StepContext { seed: 7, step: 3, label_smoothing: 0.0 };

fn images() -> (Vec<f32>, Vec<u32>) {
    ((0..80).map(|value| (value as f32 * 0.37).sin()).collect(), (0..40).map(|image| image % 2).collect())
}

/// Epochs so far, of these training losses.
fn epochs(losses: &[f64]) -> Vec<EpochRecord> {
    testing::Case::default().with_losses(losses).epochs
}

/// Three images of the first class and one of the second, of which one is taken for the first.
fn judged() -> Predictions {
    let mut predictions = Predictions::new(2);
    predictions.push_probabilities(&[0.9, 0.1, 0.2, 0.8, 0.1, 0.9, 0.3, 0.7], &[0, 0, 0, 1]).unwrap();
    predictions
}

#[test]
fn the_first_batch_is_looked_at_before_the_first_update_and_kept() {
    let run = Run::new(&[]);
    let plan = run.plan();
    let (mut diagnosis, mut heard) = (Diagnosis::new(&plan, DiagnosisState::default()), Heard::default());
    assert!(diagnosis.state.sample().is_none());
    let (mut engine, (values, targets)) = (run.engine(ALIKE), images());
    diagnosis.first_batch(&mut engine, (&values, &targets), &CONTEXT, &mut heard);
    assert_eq!(heard.0, [("symmetric_weights".to_owned(), 0, 0)]);
    let (seen, classes, context) = diagnosis.state.sample().unwrap();
    assert_eq!((seen, classes), (&values[..64], &targets[..32]));
    assert_eq!((context.seed, context.step), (7, 3));
    // Later batches are neither looked at nor kept, until another is wanted.
    diagnosis.first_batch(&mut engine, (&values[2..], &targets[1..]), &CONTEXT, &mut heard);
    assert_eq!(diagnosis.state.sample().unwrap().0, &values[..64]);
    diagnosis.forget_sample();
    assert!(diagnosis.state.sample().is_none() && heard.0.len() == 1);
    assert_eq!(diagnosis.state.findings.len(), 1);
}

#[test]
fn a_finding_is_told_once_and_again_only_where_it_is_worse() {
    let run = Run::new(&[]);
    let plan = run.plan();
    let (mut diagnosis, mut heard) = (Diagnosis::new(&plan, DiagnosisState::default()), Heard::default());
    let mut engine = run.engine(pupila_network::Init::KaimingNormal);
    for losses in [&[50.0][..], &[50.0, 50.0], &[50.0, 50.0, 50.0]] {
        diagnosis.epoch(&mut engine, &epochs(losses), &judged(), &mut heard);
    }
    assert_eq!(heard.0, [("lr_too_high".to_owned(), 1, 8)]);
    assert_eq!((&diagnosis.state.predicted[2], &diagnosis.state.actual), (&vec![1, 3], &vec![3, 1]));
    // Told at another grade before.
    let mut state = DiagnosisState::default();
    let explosion = REGISTRY.iter().position(|check| check.kind == "explosion").unwrap();
    state.grades[explosion] = 1;
    let mut diagnosis = Diagnosis::new(&plan, state);
    let health = Health { images: 32, ..testing::Case::default().with_layers(&["Linear"]).health };
    let mut worse = health;
    for (rms, told) in [(200.0, 1), (2e5, 2), (3e5, 2)] {
        worse.layers[0].spread.activation_mean = rms;
        diagnosis.examine(&epochs(&[1.0]), Some(&worse), None, 8, &mut heard);
        assert_eq!(heard.0.len(), told, "{rms}");
    }
}

#[test]
fn layers_are_looked_at_when_it_is_due_and_after_the_last_epoch() {
    let run = Run::new(&[]);
    let plan = run.plan();
    let looked = |epochs_so_far: usize, every: u32| {
        let mut diagnosis = Diagnosis::new(&plan, DiagnosisState::default());
        diagnosis.looks = Cadence::every(every);
        let (values, targets) = images();
        let mut engine = run.engine(pupila_network::Init::KaimingNormal);
        diagnosis.first_batch(&mut engine, (&values, &targets), &CONTEXT, &mut Heard::default());
        // All units are silent from now on.
        let mut state = engine.state();
        state.get_mut("1.bias").unwrap().data.fill(-1e3);
        engine.load(&state).unwrap();
        let mut heard = Heard::default();
        diagnosis.epoch(&mut engine, &epochs(&vec![0.5; epochs_so_far]), &judged(), &mut heard);
        heard.0.iter().any(|(kind, ..)| kind == "dead_relu")
    };
    // The run has four epochs.
    assert_eq!([1, 2, 3, 4].map(|epoch| looked(epoch, 2)), [true, false, true, true]);
}

#[test]
fn where_it_ends_in_a_divergence_that_is_told_with_its_place() {
    let run = Run::new(&[]);
    let plan = run.plan();
    let (mut diagnosis, mut heard) = (Diagnosis::new(&plan, DiagnosisState::default()), Heard::default());
    let mut outcome = Outcome {
        epochs: epochs(&[1.0]),
        best_epoch: None,
        end: RunEnd::Completed,
        ended_because: None,
        diverged: None,
        not_finite: None,
        predictions: None,
        findings: Vec::new(),
        first_step: None,
        head: None,
    };
    diagnosis.ended(&outcome, &mut heard);
    assert!(heard.0.is_empty());
    outcome.diverged = Some((2, 11));
    diagnosis.ended(&outcome, &mut heard);
    assert_eq!(heard.0, [("divergence".to_owned(), 2, 11)]);
}

#[test]
fn frozen_norms_are_looked_at_where_they_were_learnt_on_other_images() {
    let seen = |settings: &[&str], learns: &Learning| {
        let mut run = Run::new(settings);
        let config = ModelConfig { hidden: Some(vec![8]), batch_norm: true, ..ModelConfig::default() };
        run.network = architectures::build(&config, pupila_network::Shape::Vector(2), 2).unwrap();
        let mut engine = run.engine(pupila_network::Init::KaimingNormal);
        health::norm_shifts(&mut engine, &run.plan(), learns).len()
    };
    let frozen = Learning { nodes: vec![pupila_backend::NodeLearning::FROZEN; 9] };
    assert_eq!(seen(&["transfer.from=w.safetensors"], &frozen), 1);
    assert_eq!(seen(&["transfer.from=w.safetensors"], &Learning::default()), 0);
    assert_eq!(seen(&[], &frozen), 0);
}
