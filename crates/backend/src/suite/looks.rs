//! What whoever watches a training is shown.

use super::*;
use crate::{Method, Targets};

/// The tensors in memory are those of the state dict, values and gradients, whatever their order; and so are the leading rows.
pub fn tensors_are_those_of_the_state(make: Make<'_>) {
    for network in networks() {
        let mut backend = ready(make, &network, 5, true);
        backend.gradients(&images(0, 5), Targets::from(&classes(0, 5)), &CONTEXT);
        let (state, gradients) = (backend.state(), backend.gradient_state());
        let trained: Vec<_> = network.parameters().into_iter().filter(|spec| spec.role.trained()).collect();
        assert_eq!(gradients.len(), trained.len(), "what is tracked has no gradient");
        let tensors = backend.tensors();
        assert_eq!(tensors.len(), trained.len());
        for (tensor, spec) in tensors.iter().zip(&trained) {
            let name = &spec.name;
            assert_eq!(tensor.spec, spec);
            let sorted = |values: &[f32], filling: usize| {
                let mut sorted = [values, &vec![0.0; filling]].concat();
                sorted.sort_by(f32::total_cmp);
                // Zeros of either sign are one value here.
                sorted.into_iter().map(|x| x + 0.0).collect::<Vec<_>>()
            };
            assert_eq!(tensor.values.len(), spec.len() + tensor.filling, "{name}");
            let expected = sorted(&state[name].data, tensor.filling);
            assert_eq!(sorted(tensor.values, 0), expected, "the values of {name}");
            let expected = sorted(&gradients[name].data, tensor.filling);
            assert_eq!(sorted(tensor.gradient, 0), expected, "the gradient of {name}");
        }
        let weights = trained.iter().filter(|spec| spec.shape.len() > 1);
        for spec in weights {
            let whole = &state[&spec.name];
            for rows in [1, 2, usize::MAX] {
                let found = backend.leading_rows(&spec.name, rows).unwrap();
                let rows = rows.min(spec.shape[0]);
                assert_eq!((found.shape[0], &found.shape[1..]), (rows, &spec.shape[1..]), "{}", spec.name);
                let each = whole.data.len() / spec.shape[0];
                same(&found.data, &whole.data[..rows * each], &spec.name);
            }
        }
        assert_eq!(backend.leading_rows("no such weight", 1), None);
        let judge = ready(make, &network, 5, false);
        assert!(
            judge.tensors().iter().all(|tensor| tensor.gradient.is_empty()),
            "no gradient without training"
        );
    }
}

/// Every look leaves the training as it is, to the bit, also between the batches of one update.
pub fn looking_changes_nothing(make: Make<'_>) {
    for network in networks() {
        let what = network.architecture.clone();
        let mut backend = trainer(make, &network, 5, &optimizer("adam"));
        let (images, targets) = (images(0, 5), classes(0, 5));
        backend.step(&images, Targets::from(&targets), &CONTEXT, 0.01);
        backend.accumulate(&images, Targets::from(&targets), &CONTEXT);
        let (before, state) = (backend.training_state(), backend.state());
        let logits = backend.forward(&images, 5).to_vec();
        same_training(&backend.training_state(), &before, &format!("{what}: after a forward pass"));

        let activations = backend.activations(&images, 5);
        let count: usize = activations.iter().map(|layer| layer.values.len()).sum();
        assert_eq!(count, 5 * backend.activation_count(), "{what}");
        assert!(
            activations.iter().all(|layer| !layer.layer.is_empty() && !layer.module.is_empty()),
            "{what}"
        );
        same(&activations.last().unwrap().values, &logits, &format!("{what}: the last layer is the logits"));
        same_training(&backend.training_state(), &before, &format!("{what}: after its activations"));

        let spreads = backend.spreads(&images, &targets, &CONTEXT);
        assert_eq!(spreads.len(), activations.len(), "{what}: a spread for each layer");
        for spread in &spreads {
            let numbers = [spread.activation_mean, spread.activation_variance, spread.gradient_variance];
            assert!(numbers.iter().all(|x| x.is_finite()), "{what}: {spread:?}");
            assert!(spread.features > 0 && spread.activation_variance > 0.0, "{what}: {spread:?}");
        }
        same_training(&backend.training_state(), &before, &format!("{what}: after its spreads"));

        assert_eq!(backend.find_not_finite(&images, 5, &CONTEXT), None, "{what}");
        same_training(&backend.training_state(), &before, &format!("{what}: after a search"));

        backend.explain(&images, &targets).unwrap();
        same_training(&backend.training_state(), &before, &format!("{what}: after an explanation"));
        same_state(&backend.state(), &state, &format!("{what}: the state after all of it"));
        same(backend.forward(&images, 5), &logits, &format!("{what}: the logits after all of it"));
    }
}

/// A map is of its image and its class: not negative, the same to the bit in any company, by the method that the network
/// allows; and the logits beside it are those of a forward pass.
pub fn maps_explain_the_logits(make: Make<'_>) {
    for network in networks() {
        let what = network.architecture.clone();
        let mut backend = ready(make, &network, 2, true);
        let (images, asked) = (images(0, 5), [0, 1, 2, 0, 1]);
        let found = backend.explain(&images, &asked).unwrap();
        let Shape::Map { height, width, .. } = INPUT else { unreachable!("the suite's images are maps") };
        match &found.method {
            Method::InputGradient => {
                assert_eq!(what, "mlp");
                assert_eq!((found.height, found.width), (height, width));
            }
            Method::GradCam { layer } => {
                assert_eq!(what, "cnn");
                assert!(network.nodes().iter().any(|node| node.name == *layer), "there is no layer {layer}");
                assert!(found.height <= height && found.width <= width);
            }
        }
        let size = found.height * found.width;
        assert_eq!(found.maps.len(), 5 * size, "{what}");
        assert!(found.maps.iter().all(|x| x.is_finite() && *x >= 0.0), "{what}");
        assert!(found.maps.iter().any(|x| *x > 0.0), "{what}: a map shows something");
        for (image, pixels) in images.chunks_exact(INPUT.len()).enumerate() {
            same(backend.forward(pixels, 1), &found.logits[image * CLASSES..][..CLASSES], &what);
            let alone = backend.explain(pixels, &asked[image..=image]).unwrap();
            same(
                &alone.maps,
                &found.maps[image * size..][..size],
                &format!("{what}: the map of image {image}"),
            );
        }
        let others = backend.explain(&images, &[1, 2, 0, 1, 2]).unwrap();
        assert_ne!(others.maps, found.maps, "{what}: another class has another map");
        same(&others.logits, &found.logits, &format!("{what}: the logits are of the image alone"));
    }
}
