//! One pass of a registered network with given values, for a comparison with other implementations:
//! `passes MODEL CLASSES INPUT OUTPUT`.
//!
//! INPUT, safetensors: `images` `[batch, height, width, channels]` and the state dict under `state.`, both f32, by the names of any
//! package that is known; and `targets`
//! `[batch]`, i32, where gradients are wanted. OUTPUT: `logits` in f32 as users run it; with targets also `gradient.*`, the
//! gradients of the mean loss in training mode without dropout, worked out in f64 and rounded.

use pupila_engine::{Engine, StepContext};
use pupila_network::names::renaming;
use pupila_network::{ModelConfig, Shape, StateDict, Tensor, architectures};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize_to_file};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, classes, input, output] = &arguments[..] else {
        return Err("passes MODEL CLASSES INPUT OUTPUT".into());
    };
    let bytes = std::fs::read(input)?;
    let given = SafeTensors::deserialize(&bytes)?;
    let view = given.tensor("images")?;
    let &[batch, height, width, channels] = view.shape() else {
        return Err("images are [N, H, W, C]".into());
    };
    let config = ModelConfig { name: model.clone(), dropout: Some(0.0), ..ModelConfig::default() };
    let network = architectures::build(&config, Shape::Map { height, width, channels }, classes.parse()?)?;
    let mut state = StateDict::new();
    let theirs: Vec<&str> =
        given.names().into_iter().filter_map(|name| name.strip_prefix("state.")).collect();
    for (theirs, ours) in renaming(&network, theirs.iter().copied()).names {
        let view = given.tensor(&format!("state.{theirs}"))?;
        state.insert(ours, Tensor { shape: view.shape().to_vec(), data: floats(&view) });
    }
    if state.len() < theirs.len() {
        return Err(
            format!("{} of {} tensors have no place", theirs.len() - state.len(), theirs.len()).into()
        );
    }
    let images = floats(&view);
    let mut found = StateDict::new();
    let mut engine = Engine::<f32>::new(&network, batch, false);
    engine.load(&state)?;
    let data = engine.forward(&images, batch).to_vec();
    found.insert("logits".into(), Tensor { shape: vec![batch, network.classes()], data });
    if let Ok(view) = given.tensor("targets") {
        let targets: Vec<u32> = view.data().as_chunks().0.iter().map(|&b| u32::from_le_bytes(b)).collect();
        let mut engine = Engine::<f64>::new(&network, batch, true);
        engine.load(&state)?;
        let images: Vec<f64> = images.iter().map(|&x| f64::from(x)).collect();
        engine.gradients(&images, &targets, &StepContext { seed: 0, step: 0, label_smoothing: 0.0 });
        let named = |(name, tensor)| (format!("gradient.{name}"), tensor);
        found.extend(engine.gradient_state().into_iter().map(named));
    }
    let bytes: Vec<Vec<u8>> =
        found.values().map(|tensor| tensor.data.iter().flat_map(|x| x.to_le_bytes()).collect()).collect();
    let views = found.iter().zip(&bytes).map(|((name, tensor), bytes)| {
        Ok((name.clone(), TensorView::new(Dtype::F32, tensor.shape.clone(), bytes)?))
    });
    let views: Vec<_> = views.collect::<Result<_, safetensors::SafeTensorError>>()?;
    serialize_to_file(views, None, output.as_ref())?;
    Ok(())
}

fn floats(view: &TensorView<'_>) -> Vec<f32> {
    view.data().as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect()
}
