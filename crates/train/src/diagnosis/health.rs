//! A look into the layers at one batch: how outputs and gradients spread, and whether units are all alike.

use crate::trainer::Plan;
use pupila_backend::{Backend, Learning, Spread, StepContext, TensorMemory};
use pupila_network::{Network, Op, Role};
use rayon::prelude::*;

/// Images of a look: enough to see a unit that is never active, few enough to cost no more than an ordinary step.
pub(super) const IMAGES: usize = 32;
/// Values that one job sums up; fixed, so that sums don't depend on the number of threads.
const PIECE: usize = 1 << 18;
/// Units that are compared: one panel of the engine's memory. What makes a layer's units alike does so for all of them.
const COMPARED: usize = 32;
/// How far two weights may be apart, relative to the larger, and still count as equal: some roundings of f32.
const ROUNDING: f32 = 1e-6;

/// The images that every look of a run is at.
#[derive(Debug, Clone)]
pub(super) struct Sample {
    pub(super) images: Vec<f32>,
    pub(super) targets: Vec<u32>,
    pub(super) context: StepContext,
}

/// The layers of a network at one moment.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Images that were looked at.
    pub(super) images: usize,
    /// The outputs, in the order of the forward pass.
    pub(super) layers: Vec<Layer>,
    /// The weights, in the same order; the last one gives the logits.
    pub(super) weights: Vec<Weight>,
    /// What frozen BatchNorm layers see; only in the look before the first update.
    pub(super) norms: Vec<NormShift>,
}

/// What a frozen BatchNorm sees, against what it normalises by.
#[derive(Debug)]
pub(super) struct NormShift {
    pub(super) layer: String,
    /// Mean over the channels of the distance between the mean of these images and the running one, in running standard deviations.
    pub(super) distance: f64,
}

/// The output of a layer.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub(super) spread: Spread,
    /// Whether a BatchNorm follows, which takes scale and mean off again.
    pub(super) normalised: bool,
}

/// A weight of a linear map or a convolution.
#[derive(Debug, Default)]
pub(super) struct Weight {
    pub(super) layer: String,
    pub(super) module: &'static str,
    /// Outputs.
    pub(super) units: usize,
    /// Weights of a unit.
    pub(super) inputs: usize,
    /// Euclidean norm of the gradient.
    pub(super) gradient_norm: f64,
    /// Whether all units have the same weights; false where that was not looked at.
    pub(super) alike: bool,
}

impl Layer {
    /// Root mean square of the output.
    pub(super) fn rms(&self) -> f64 {
        (self.spread.activation_variance + self.spread.activation_mean.powi(2)).sqrt()
    }
}

impl Sample {
    /// The first images of a batch, or their features, and their classes.
    pub(super) fn of((images, targets): (&[f32], &[u32]), context: StepContext) -> Self {
        let count = targets.len().min(IMAGES);
        let len = count * images.len() / targets.len().max(1);
        Sample { images: images[..len].to_vec(), targets: targets[..count].to_vec(), context }
    }

    /// One pass forward and backward, which leaves the engine's values as they are. Of what never learns nothing is said. `compare` compares the units
    /// too.
    pub(super) fn look(&self, engine: &mut dyn Backend, learns: &Learning, compare: bool) -> Health {
        let spreads = engine.spreads(&self.images, &self.targets, &self.context);
        let network = engine.network();
        let layer = |spread: Spread| Layer { normalised: normalised(network, &spread.layer), spread };
        let learning = |name: &str| {
            let node = network.nodes().iter().position(|node| node.name == name);
            node.is_none_or(|node| learns.of(node).rate > 0.0)
        };
        let layers = spreads.into_iter().filter(|spread| learning(&spread.layer)).map(layer).collect();
        let weight = |tensor: TensorMemory<'_, f32>| {
            let (spec, node) = (tensor.spec, &network.nodes()[tensor.spec.node]);
            Weight {
                layer: node.name.clone(),
                module: node.op.module(),
                units: spec.shape[0],
                inputs: spec.len() / spec.shape[0].max(1),
                gradient_norm: norm(tensor.gradient),
                // The groups of a convolution see different inputs, so units may be alike there and do no harm.
                alike: compare && spec.groups == 1 && alike(engine, &spec.name),
            }
        };
        let weights = engine
            .tensors()
            .into_iter()
            .filter(|tensor| tensor.spec.role == Role::Weight && learns.of(tensor.spec.node).rate > 0.0)
            .map(weight)
            .collect();
        Health { images: self.targets.len(), layers, weights, norms: Vec::new() }
    }
}

/// Images at which frozen norms are looked at, at most.
const NORM_IMAGES: usize = 8;
/// Outputs that are held for it, unless those of one image are more.
const NORM_OUTPUTS: usize = 1 << 26;

/// What the frozen BatchNorm layers of a network see of some training images, as they are before they are varied.
pub(super) fn norm_shifts(engine: &mut dyn Backend, plan: &Plan<'_>, learns: &Learning) -> Vec<NormShift> {
    let frozen = frozen_norms(plan.network, learns);
    // Statistics that the network begins with are of no images at all.
    let learnt = plan.recipe.transfer.source().map(|_| frozen).unwrap_or_default();
    if learnt.is_empty() {
        return Vec::new();
    }
    let images = norm_images(engine.activation_count()).min(engine.capacity());
    shifts(engine, &learnt, &plan.train.normalized_sample(images))
}

/// How many images frozen norms are looked at with, where the outputs of one have so many values.
fn norm_images(outputs: usize) -> usize {
    (NORM_OUTPUTS / outputs.max(1)).clamp(1, NORM_IMAGES)
}

/// The BatchNorm layers that never learn.
fn frozen_norms(network: &Network, learns: &Learning) -> Vec<usize> {
    let frozen = |&node: &usize| {
        matches!(network.nodes()[node].op, Op::BatchNorm { .. }) && learns.of(node).rate == 0.0
    };
    (0..network.nodes().len()).filter(frozen).collect()
}

/// What these BatchNorm layers see of these images.
fn shifts(engine: &mut dyn Backend, norms: &[usize], images: &[f32]) -> Vec<NormShift> {
    let network = engine.network().clone();
    let count = images.len() / network.input().len().max(1);
    let state = engine.state();
    let read = engine.reads_features();
    if read {
        engine.read_features(false);
    }
    let outputs = engine.activations(images, count);
    if read {
        engine.read_features(true);
    }
    let shift = |node: &pupila_network::Node| {
        let input = &network.nodes()[*node.inputs.first()?].name;
        let output = outputs.iter().find(|output| output.layer == *input)?;
        let values = |name: &str| state.get(&format!("{}.{name}", node.name)).map(|tensor| &tensor.data);
        let (mean, var) = (values("running_mean")?, values("running_var")?);
        let Op::BatchNorm { eps, .. } = node.op else { return None };
        let mut sums = vec![0.0f64; mean.len()];
        let pixels = output.values.chunks_exact(mean.len());
        let rows = pixels.len() as f64;
        pixels.for_each(|pixel| sums.iter_mut().zip(pixel).for_each(|(sum, &x)| *sum += f64::from(x)));
        let distance = |((sum, &mean), &var): ((&f64, &f32), &f32)| {
            (sum / rows - f64::from(mean)).abs() / (f64::from(var) + eps).sqrt()
        };
        let distances = sums.iter().zip(mean).zip(var).map(distance);
        Some(NormShift { layer: node.name.clone(), distance: distances.sum::<f64>() / mean.len() as f64 })
    };
    norms.iter().filter_map(|&id| shift(&network.nodes()[id])).collect()
}

fn normalised(network: &Network, layer: &str) -> bool {
    let nodes = network.nodes();
    let Some(id) = nodes.iter().position(|node| node.name == layer) else { return false };
    let mut consumers = nodes.iter().filter(|node| node.inputs.contains(&id)).peekable();
    consumers.peek().is_some()
        && consumers.all(|node| matches!(node.op, Op::BatchNorm { .. } | Op::LayerNorm { .. }))
}

fn norm(values: &[f32]) -> f64 {
    let square = |piece: &[f32]| piece.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
    values.par_chunks(PIECE).map(square).collect::<Vec<_>>().iter().sum::<f64>().sqrt()
}

/// Whether the first units of a weight, of which there are several, have the same weights.
fn alike(engine: &dyn Backend, name: &str) -> bool {
    let same = |units: usize| {
        let Some(tensor) = engine.leading_rows(name, units) else { return false };
        let units = tensor.shape[0];
        let (first, others) = tensor.data.split_at(tensor.data.len() / units.max(1));
        let close = |(a, b): (&f32, &f32)| (a - b).abs() <= ROUNDING * a.abs().max(b.abs());
        units > 1 && others.chunks_exact(first.len()).all(|unit| first.iter().zip(unit).all(close))
    };
    // Two tell nearly always, and cost little.
    same(2) && same(COMPARED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pupila_backend::NodeLearning;
    use pupila_engine::CpuBackend;
    use pupila_network::{Init, ModelConfig, Shape, architectures};

    fn look(config: ModelConfig, change: impl Fn(&mut pupila_network::StateDict)) -> Health {
        let shape = Shape::Map { height: 4, width: 4, channels: 3 };
        let network = architectures::build(&config, shape, 3).unwrap();
        let mut engine = CpuBackend::new(&network, 4, true);
        let mut state = config.init.state(&network, 0);
        change(&mut state);
        engine.load(&state).unwrap();
        let images = (0..4 * 48).map(|i| (i as f32 * 0.7).sin()).collect();
        let context = StepContext { seed: 0, step: 0, label_smoothing: 0.0 };
        let before = engine.state();
        let health = Sample { images, targets: vec![0, 1, 2, 0], context }.look(
            &mut engine,
            &Learning::default(),
            true,
        );
        assert!(engine.state() == before, "a look changes nothing");
        health
    }

    #[test]
    fn a_unit_that_is_never_active_is_dead_and_its_share_is_counted() {
        let config = ModelConfig { hidden: Some(vec![40, 8]), ..ModelConfig::default() };
        let health = look(config, |state| {
            let bias = &mut state.get_mut("1.bias").unwrap().data;
            // Nothing reaches above such a bias.
            bias[..10].fill(-100.0);
            bias[10..].fill(100.0);
        });
        let relu = health.layers.iter().find(|layer| layer.spread.layer == "2").unwrap();
        assert_eq!((relu.spread.module, relu.spread.features, relu.spread.dead_frac), ("ReLU", 40, 0.25));
        let names: Vec<_> = health.weights.iter().map(|weight| weight.layer.as_str()).collect();
        assert_eq!(names, ["1", "3", "5"]);
        assert_eq!((health.weights[0].units, health.weights[0].inputs), (40, 48));
        assert!(health.weights.iter().all(|weight| !weight.alike && weight.gradient_norm > 0.0));
    }

    #[test]
    fn units_are_alike_with_a_constant_and_only_then() {
        let config = |init| ModelConfig { hidden: Some(vec![40]), init, ..ModelConfig::default() };
        let alike = |init| look(config(init), |_| ()).weights.iter().map(|w| w.alike).collect::<Vec<_>>();
        assert_eq!(alike(Init::Constant { value: 0.1 }), [true, true]);
        assert_eq!(alike(Init::Normal { std: 0.0 }), [true, true]);
        assert_eq!(alike(Init::Normal { std: 1e-9 }), [false, false]);
        // The third unit alone differs.
        let one_differs = look(config(Init::Constant { value: 0.1 }), |state| {
            state.get_mut("1.weight").unwrap().data[2 * 48] = 0.2;
        });
        assert!(!one_differs.weights[0].alike);
    }

    #[test]
    fn a_norm_behind_a_layer_is_seen() {
        let config = ModelConfig { hidden: Some(vec![8]), batch_norm: true, ..ModelConfig::default() };
        let normalised: Vec<_> = look(config, |_| ()).layers.iter().map(|layer| layer.normalised).collect();
        // Linear, norm and activation in one, linear.
        assert_eq!(normalised, [true, false, false]);
    }

    #[test]
    fn the_root_mean_square_is_of_deviation_and_mean() {
        let spread = Spread { activation_variance: 9.0, activation_mean: -4.0, ..Spread::default() };
        assert_eq!(Layer { spread, normalised: false }.rms(), 5.0);
        assert_eq!(norm(&[3.0, -4.0]), 5.0);
    }

    #[test]
    fn a_sample_is_the_first_images_of_a_batch() {
        let context = StepContext { seed: 0, step: 0, label_smoothing: 0.0 };
        let images: Vec<f32> = (0..80).map(|value| value as f32).collect();
        let of = |count: usize| {
            let sample = Sample::of((&images[..2 * count], &vec![1; count]), context);
            assert_eq!(sample.images, images[..sample.images.len()]);
            (sample.images.len(), sample.targets.len())
        };
        assert_eq!((of(3), of(32), of(40)), ((6, 3), (64, 32), (64, 32)));
    }

    #[test]
    fn of_what_never_learns_nothing_is_said() {
        let config = ModelConfig { hidden: Some(vec![8]), ..ModelConfig::default() };
        let shape = Shape::Map { height: 4, width: 4, channels: 3 };
        let network = architectures::build(&config, shape, 3).unwrap();
        let mut engine = CpuBackend::new(&network, 4, true);
        engine.load(&config.init.state(&network, 0)).unwrap();
        let mut learns = Learning { nodes: vec![NodeLearning::FULLY; network.nodes().len()] };
        let first = network.nodes().iter().position(|node| node.name == "1").unwrap();
        learns.nodes[first] = NodeLearning::FROZEN;
        let context = StepContext { seed: 0, step: 0, label_smoothing: 0.0 };
        let sample = Sample { images: vec![0.5; 4 * 48], targets: vec![0, 1, 2, 0], context };
        let health = sample.look(&mut engine, &learns, false);
        let weights: Vec<_> = health.weights.iter().map(|weight| weight.layer.as_str()).collect();
        assert_eq!(weights, ["3"]);
        let layers: Vec<_> = health.layers.iter().map(|layer| layer.spread.layer.as_str()).collect();
        assert_eq!(layers, ["2", "3"]);
    }

    #[test]
    fn units_are_compared_where_that_is_asked_for_and_there_are_two() {
        let constant = Init::Constant { value: 0.1 };
        let one = ModelConfig { hidden: Some(vec![1]), init: constant, ..ModelConfig::default() };
        assert_eq!(look(one, |_| ()).weights.iter().map(|w| w.alike).collect::<Vec<_>>(), [false, true]);
        // f32 has a tenth to 7e-9; a rounding or two are none, five millionths are.
        let apart = |by: f32| {
            let config = ModelConfig { hidden: Some(vec![4]), init: constant, ..ModelConfig::default() };
            look(config, |state| state.get_mut("1.weight").unwrap().data[48] += by).weights[0].alike
        };
        assert!(apart(1e-8) && !apart(5e-7) && !apart(-5e-7));
        let config = ModelConfig { hidden: Some(vec![4]), init: constant, ..ModelConfig::default() };
        let network = architectures::build(&config, Shape::Vector(3), 3).unwrap();
        let mut engine = CpuBackend::new(&network, 2, true);
        engine.load(&config.init.state(&network, 0)).unwrap();
        let context = StepContext { seed: 0, step: 0, label_smoothing: 0.0 };
        let sample = Sample { images: vec![0.5; 6], targets: vec![0, 1], context };
        let looked = |engine: &mut CpuBackend, compare| sample.look(engine, &Learning::default(), compare);
        assert!(looked(&mut engine, true).weights[0].alike && !looked(&mut engine, false).weights[0].alike);
    }

    #[test]
    fn frozen_norms_are_as_far_off_as_the_means_of_what_they_see_in_running_deviations() {
        let config = ModelConfig { hidden: Some(vec![2]), batch_norm: true, ..ModelConfig::default() };
        let network = architectures::build(&config, Shape::Vector(3), 2).unwrap();
        let norm = network.nodes().iter().position(|node| matches!(node.op, Op::BatchNorm { .. })).unwrap();
        let name = network.nodes()[norm].name.clone();
        let mut engine = CpuBackend::new(&network, 4, true);
        let mut state = config.init.state(&network, 0);
        // Outputs of the first unit are the mean of three values and 1, those of the second its double.
        let weight: Vec<f32> = [[1.0 / 3.0; 3], [2.0 / 3.0; 3]].concat();
        state.get_mut("1.weight").unwrap().data.copy_from_slice(&weight);
        if let Some(bias) = state.get_mut("1.bias") {
            bias.data.fill(0.0);
        }
        state.get_mut(&format!("{name}.running_mean")).unwrap().data.copy_from_slice(&[-1.0, 8.5]);
        state.get_mut(&format!("{name}.running_var")).unwrap().data.copy_from_slice(&[4.0, 0.0]);
        engine.load(&state).unwrap();
        // Two images of means 2 and 4: the units see 3 and 6.
        let found = shifts(&mut engine, &[norm], &[1.0, 2.0, 3.0, 4.0, 4.0, 4.0]);
        let eps = 1e-5f64;
        let expected = (4.0 / (4.0 + eps).sqrt() + 2.5 / eps.sqrt()) / 2.0;
        assert_eq!((found.len(), found[0].layer.as_str()), (1, name.as_str()));
        assert!((found[0].distance / expected - 1.0).abs() < 1e-5, "{} for {expected}", found[0].distance);

        let mut learns = Learning { nodes: vec![NodeLearning::FROZEN; network.nodes().len()] };
        assert_eq!(frozen_norms(&network, &learns), [norm]);
        learns.nodes[norm] = NodeLearning::FULLY;
        assert!(frozen_norms(&network, &learns).is_empty());
    }

    #[test]
    fn frozen_norms_are_looked_at_with_eight_images_where_memory_allows() {
        assert_eq!([0, 1 << 20, 1 << 24, 1 << 30].map(norm_images), [8, 8, 4, 1]);
    }
}
