//! Explanations: against numerical gradients and a closed form, and that they leave the engine as it was.
//! `interop/test_pytorch.py` compares them with PyTorch's.

#![allow(clippy::unwrap_used)] // clippy's exception for tests misses their own functions

use pupila_engine::{Engine, Method, StepContext};
use pupila_network::{Activation, Init, ModelConfig, Network, Shape, StateDict, architectures};
use pupila_random::{Purpose, Stream};

const MAP: Shape = Shape::Map { height: 8, width: 8, channels: 3 };

/// Values with running statistics and shifts that are not the identity, as after training.
fn state(network: &Network) -> StateDict {
    let mut state = Init::Pytorch.state(network, 1);
    let mut draw = Stream::new(3, Purpose::Subset, 0, 0);
    for (name, tensor) in &mut state {
        let range = match name.rsplit('.').next().unwrap() {
            "running_mean" => (-0.3, 0.3),
            "running_var" => (0.5, 2.0),
            _ if tensor.shape.len() == 1 => (0.2, 1.2),
            _ => continue,
        };
        tensor.data.iter_mut().for_each(|x| *x = draw.uniform(range.0, range.1) as f32);
    }
    state
}

fn images(network: &Network, count: usize) -> Vec<f64> {
    let mut draw = Stream::new(9, Purpose::Bootstrap, 0, 0);
    (0..count * network.input().len()).map(|_| draw.uniform(-1.0, 1.0)).collect()
}

#[test]
fn the_input_gradient_is_the_numerical_one() {
    let config = ModelConfig {
        hidden: Some(vec![9, 7]),
        activation: Activation::Tanh,
        batch_norm: true,
        dropout: Some(0.5),
        ..ModelConfig::default()
    };
    let network = architectures::build(&config, MAP, 4).unwrap();
    // A capacity below the number of images: they are worked through in parts.
    let mut engine = Engine::<f64>::new(&network, 2, true);
    engine.load(&state(&network)).unwrap();
    let (mut images, classes) = (images(&network, 5), [3u32, 0, 1, 2, 3]);
    let explanation = engine.explain(&images, &classes).unwrap();
    assert_eq!(explanation.method, Method::InputGradient);
    assert_eq!((explanation.maps.len(), explanation.logits.len()), (5 * 64, 5 * 4));
    let h = 1e-5;
    let each = MAP.len();
    let mut logit = |images: &[f64], sample: usize| {
        engine.forward(&images[sample * each..][..each], 1)[classes[sample] as usize]
    };
    for sample in 0..5 {
        for pixel in 0..64 {
            let mut largest: f64 = 0.0;
            for channel in 0..3 {
                let at = sample * each + pixel * 3 + channel;
                let value = images[at];
                images[at] = value + h;
                let above = logit(&images, sample);
                images[at] = value - h;
                let below = logit(&images, sample);
                images[at] = value;
                largest = largest.max(((above - below) / (2.0 * h)).abs());
            }
            let got = f64::from(explanation.maps[sample * 64 + pixel]);
            // The map is f32, the difference quotient is good to h^2.
            assert!((got - largest).abs() < 1e-6, "{sample} {pixel}: numeric {largest}, got {got}");
        }
    }
}

/// Behind global average pooling and one linear map, Grad-CAM is the class activation map of Zhou et al. 2016.
#[test]
fn grad_cam_is_the_class_activation_map_where_that_exists() {
    let config = ModelConfig { name: "resnet18".into(), ..ModelConfig::default() };
    let network =
        architectures::build(&config, Shape::Map { height: 64, width: 64, channels: 3 }, 3).unwrap();
    let mut engine = Engine::<f64>::new(&network, 2, true);
    let state = state(&network);
    engine.load(&state).unwrap();
    let images = images(&network, 2);
    let explanation = engine.explain(&images, &[2, 0]).unwrap();
    let Method::GradCam { layer } = &explanation.method else { panic!("{:?}", explanation.method) };
    assert_eq!((explanation.height, explanation.width), (2, 2));
    let maps = engine.activations(&images, 2);
    let map = &maps.iter().find(|map| map.layer == *layer).unwrap().values;
    let weight = &state["fc.weight"].data;
    let mut positive = 0;
    for (sample, class) in [(0, 2), (1, 0)] {
        for pixel in 0..4 {
            let features = &map[(sample * 4 + pixel) * 512..][..512];
            let row = &weight[class * 512..][..512];
            let sum: f64 = features.iter().zip(row).map(|(&a, &w)| f64::from(a) * f64::from(w)).sum();
            let expected = (sum / 4.0).max(0.0);
            let got = f64::from(explanation.maps[sample * 4 + pixel]);
            assert!((got - expected).abs() <= 1e-5 * expected.max(1.0), "{got} is not {expected}");
            positive += usize::from(got > 0.0);
        }
    }
    assert!(positive > 0, "maps of zeros prove nothing");
}

#[test]
fn explaining_changes_nothing() {
    let context = StepContext { seed: 1, step: 1, label_smoothing: 0.0 };
    for (name, layer) in [("mlp", None), ("cnn", Some(())), ("mobilenet_v2", Some(()))] {
        // MobileNetV2 has a BatchNorm behind every convolution in any case.
        let batch_norm = name != "mobilenet_v2";
        let config =
            ModelConfig { name: name.into(), batch_norm, dropout: Some(0.3), ..ModelConfig::default() };
        let network =
            architectures::build(&config, Shape::Map { height: 32, width: 32, channels: 3 }, 3).unwrap();
        let mut engine = Engine::<f32>::new(&network, 4, true);
        engine.load(&state(&network)).unwrap();
        let images: Vec<f32> = images(&network, 4).iter().map(|&x| x as f32).collect();
        engine.gradients(&images, &[0, 1, 2, 0], &context);
        let (before, gradient) = (engine.state(), engine.gradient().to_vec());
        let logits = engine.forward(&images, 4).to_vec();
        let explanation = engine.explain(&images, &[0, 1, 2, 0]).unwrap();
        assert_eq!(explanation.logits, logits, "{name}");
        assert_eq!(matches!(explanation.method, Method::GradCam { .. }), layer.is_some(), "{name}");
        assert!(explanation.maps.iter().any(|&x| x > 0.0) && explanation.maps.iter().all(|x| *x >= 0.0));
        assert!(!engine.activations(&images, 4).is_empty());
        assert!(engine.state() == before && engine.gradient() == gradient, "{name}");
        // Each image by itself, in any batch.
        let each = network.input().len();
        let alone = engine.explain(&images[each..2 * each], &[1]).unwrap();
        let size = explanation.height * explanation.width;
        for (got, expected) in alone.maps.iter().zip(&explanation.maps[size..2 * size]) {
            assert!((got - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{name}: {got} {expected}");
        }
        assert_eq!(engine.forward(&images, 4), logits);
    }
}

#[test]
fn a_norm_behind_a_convolution_gives_the_same_bits_where_nobody_looks() {
    let input = Shape::Map { height: 32, width: 36, channels: 3 };
    for architecture in architectures::REGISTRY {
        let config = ModelConfig { name: architecture.name.into(), ..ModelConfig::default() };
        let network = architectures::build(&config, input, 5).unwrap();
        let state = state(&network);
        let bits = |values: &[f32]| values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        let images: Vec<f32> = images(&network, 3).into_iter().map(|x| x as f32).collect();
        let mut seen: Vec<Vec<u32>> = Vec::new();
        for (training, capacity) in [(false, 3), (true, 3), (false, 7)] {
            let mut engine = Engine::<f32>::new(&network, capacity, training);
            engine.load(&state).unwrap();
            for batch in [3, 1] {
                let images = &images[..batch * input.len()];
                // Whoever looks at each layer makes each stage write its own output.
                let apart = engine.activations(images, batch).pop().unwrap().values;
                let joined = engine.forward(images, batch).to_vec();
                assert_eq!(bits(&apart), bits(&joined), "{} {training} {batch}", architecture.name);
                seen.push(bits(&joined[..5]));
            }
        }
        assert!(seen.iter().all(|logits| *logits == seen[0]), "{}", architecture.name);
    }
}
