//! Where in an image a class is seen: Grad-CAM for networks with convolutions, the gradient by the input for others.
//!
//! In: images and, for each, the class to explain. Out: a map of non-negative weights for each image.
//!
//! References: Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization" (ICCV
//! 2017); Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks: Visualising Image Classification Models and
//! Saliency Maps" (ICLR workshop 2014).
//!
//! Both passes are in evaluation mode, so that what is explained is the prediction: the forward pass is the one of
//! [`Engine::forward`], and in the backward pass BatchNorm is the affine map of its running statistics and dropout does
//! nothing. No value and no gradient of the engine changes.

use super::probe::{Capture, Probe};
use super::{Engine, Sink, parts};
use crate::float::Float;
use crate::kernels::linear::Linear;
use crate::stage::{Kind, Source};
use pupila_backend::{Activations, Explanation, Method};
use pupila_network::Shape;

impl<T: Float> Engine<T> {
    /// Explains for each image the logit of a class. None where the network has neither a convolution nor a linear map as
    /// its first layer.
    ///
    /// `images: [batch, input]`, `classes: [batch]`. The batch may be of any size; it is worked through in parts.
    ///
    /// # Panics
    /// Where the engine wasn't made for training, which lays out what the backward pass needs, or a class does not exist.
    pub fn explain(&mut self, images: &[T], classes: &[u32]) -> Option<Explanation> {
        assert!(!self.gradients.is_empty(), "an engine that explains is one made for training");
        let target = self.explained_stage()?;
        let (height, width) = match (target, self.network.input()) {
            (Target::Map(stage), _) => match self.stages[stage].shape {
                Shape::Map { height, width, .. } => (height, width),
                Shape::Vector(_) => return None,
            },
            (Target::Input, Shape::Map { height, width, .. }) => (height, width),
            (Target::Input, Shape::Vector(_)) => return None,
        };
        let method = match target {
            Target::Map(stage) => {
                let node = &self.network.nodes()[self.stages[stage].node];
                Method::GradCam { layer: node.name.clone() }
            }
            Target::Input => Method::InputGradient,
        };
        let (mut maps, mut logits) = (Vec::new(), Vec::new());
        let each = self.network.input().len();
        for (images, classes) in images.chunks(each * self.capacity).zip(classes.chunks(self.capacity)) {
            self.explain_part(images, classes, target, &mut maps, &mut logits);
        }
        Some(Explanation { method, height, width, maps, logits })
    }

    fn explain_part(
        &mut self,
        images: &[T],
        classes: &[u32],
        target: Target,
        maps: &mut Vec<f32>,
        logits: &mut Vec<f32>,
    ) {
        let batch = classes.len();
        let stage = match target {
            Target::Map(stage) => stage,
            Target::Input => 0,
        };
        let capture = Capture { output_of: Some(stage), gradient_of: Some(stage), ..Capture::default() };
        self.probe = Probe::capturing(capture);
        self.run(images, batch, None);
        logits.extend(self.logits(batch).iter().map(|x| x.to_f64() as f32));
        let count = self.network.classes();
        if let Some(last) = self.buffers.last() {
            let [delta] = parts(&mut self.memory, [&last.delta]);
            let delta = &mut delta[..batch * count];
            delta.fill(T::ZERO);
            for (row, &class) in delta.chunks_exact_mut(count).zip(classes) {
                row[class as usize] = T::ONE;
            }
        }
        self.backward(images, batch, Sink::Explain);
        let capture = std::mem::take(&mut self.probe).capture.unwrap_or_default();
        match target {
            Target::Map(_) => {
                let output = capture.outputs.first().map_or(&[][..], |(_, values)| values);
                grad_cam(output, &capture.gradient, self.stages[stage].shape, batch, maps);
            }
            Target::Input => self.input_gradient(&capture.gradient, batch, maps),
        }
    }

    /// The largest magnitude over the channels of the gradient by the input, from that by the first linear map's output.
    fn input_gradient(&mut self, gradient: &[f32], batch: usize, maps: &mut Vec<f32>) {
        let &Kind::Linear { inputs, outputs } = &self.stages[0].kind else { return };
        let dy: Vec<T> = gradient.iter().map(|&g| T::of(f64::from(g))).collect();
        let mut dx = vec![T::ZERO; batch * inputs];
        let weight = &self.values[self.buffers[0].trained[0].clone()];
        Linear { batch, inputs, outputs }.backward_input(&dy, weight, &mut dx, &mut self.scratch);
        let largest = |pixel: &[T]| pixel.iter().fold(0.0, |most: f64, d| most.max(d.to_f64().abs()));
        maps.extend(dx.chunks_exact(self.network.input().features()).map(|pixel| largest(pixel) as f32));
    }

    fn explained_stage(&self) -> Option<Target> {
        let convolution = |kind: &Kind| matches!(kind, Kind::Conv2d(_) | Kind::Grouped(_));
        if let Some(last) = self.stages.iter().rposition(|stage| convolution(&stage.kind)) {
            let behind = self.stages.iter().position(|stage| {
                stage.input == Source::Stage(last) && matches!(stage.kind, Kind::Pointwise { .. })
            });
            return Some(Target::Map(behind.unwrap_or(last)));
        }
        let first = self.stages.first()?;
        let linear = first.input == Source::Images && matches!(first.kind, Kind::Linear { .. });
        linear.then_some(Target::Input)
    }

    /// The outputs of every layer in evaluation mode, in the order of the forward pass; ops that run together give one.
    /// `images: [batch, input]`
    pub fn activations(&mut self, images: &[T], batch: usize) -> Vec<Activations> {
        self.probe = Probe::capturing(Capture::default());
        self.run(images, batch, None);
        let outputs = std::mem::take(&mut self.probe).capture.unwrap_or_default().outputs;
        let named = |(stage, values): (usize, Vec<f32>)| {
            let node = &self.network.nodes()[self.stages[stage].node];
            Activations { layer: node.name.clone(), module: node.op.module(), values }
        };
        outputs.into_iter().map(named).collect()
    }

    /// Elements of all layers' outputs for one image: what [`Engine::activations`] copies.
    pub fn activation_count(&self) -> usize {
        self.stages.iter().map(|stage| stage.shape.len()).sum()
    }
}

/// What the gradient is taken by.
#[derive(Debug, Clone, Copy)]
enum Target {
    Map(usize),
    Input,
}

/// ReLU of the channels' sum, each weighted by its mean gradient. `output`, `gradient`: `[batch, height, width, channels]`
fn grad_cam(output: &[f32], gradient: &[f32], shape: Shape, batch: usize, maps: &mut Vec<f32>) {
    let channels = shape.features();
    let pixels = shape.len() / channels;
    for (output, gradient) in
        output.chunks_exact(shape.len()).zip(gradient.chunks_exact(shape.len())).take(batch)
    {
        let mut weights = vec![0.0f64; channels];
        for pixel in gradient.chunks_exact(channels) {
            weights.iter_mut().zip(pixel).for_each(|(sum, &g)| *sum += f64::from(g));
        }
        weights.iter_mut().for_each(|sum| *sum /= pixels as f64);
        maps.extend(output.chunks_exact(channels).map(|pixel| {
            let sum: f64 = pixel.iter().zip(&weights).map(|(&a, weight)| f64::from(a) * weight).sum();
            sum.max(0.0) as f32
        }));
    }
}
