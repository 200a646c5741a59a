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
    let network = plan.network;
    let frozen =
        |node: usize| matches!(network.nodes()[node].op, Op::BatchNorm { .. }) && learns.of(node).rate == 0.0;
    if plan.recipe.transfer.source().is_none() || !(0..network.nodes().len()).any(frozen) {
        return Vec::new();
    }
    let most = (NORM_OUTPUTS / engine.activation_count().max(1)).clamp(1, NORM_IMAGES);
    let images = plan.train.normalized_sample(most.min(engine.capacity()));
    let count = images.len() / network.input().len().max(1);
    if count == 0 {
        return Vec::new();
    }
    let state = engine.state();
    let read = engine.reads_features();
    if read {
        engine.read_features(false);
    }
    let outputs = engine.activations(&images, count);
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
    (0..network.nodes().len()).filter(|&id| frozen(id)).filter_map(|id| shift(&network.nodes()[id])).collect()
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
}
