//! Prints, as one JSON object, what a model makes of images and where it sees the class that it answers:
//! `explain_json MODEL IMAGE...`. `interop/test_pytorch.py` compares it with PyTorch's.

use pupila_engine::{Engine, Method};
use pupila_image::{Limits, decode, resize};
use pupila_metrics::argmax;
use pupila_train::ModelFile;
use serde_json::json;
use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("usage: explain_json MODEL IMAGE...")?;
    let ModelFile { card, state } = ModelFile::read(Path::new(&model))?;
    let network = card.network()?;
    let normalization = card.normalization()?;
    let mut engine = Engine::<f32>::new(&network, 4, true);
    engine.load(&state)?;
    let (mut images, mut count) = (Vec::new(), 0);
    for path in arguments {
        let image = decode(&std::fs::read(path)?, card.input.channels, &Limits::default())?;
        let image = resize(&image, card.input.size, card.input.size, card.input.interpolation);
        let start = images.len();
        images.resize(start + image.data().len(), 0.0);
        normalization.apply(image.data(), &mut images[start..]);
        count += 1;
    }
    let mut classes = Vec::new();
    for image in images.chunks_exact(images.len() / count) {
        classes.push(argmax(engine.forward(image, 1)));
    }
    let explanation = engine.explain(&images, &classes).ok_or("this network cannot be explained")?;
    let method = match &explanation.method {
        Method::GradCam { layer } => layer.clone(),
        Method::InputGradient => String::new(),
    };
    println!(
        "{}",
        json!({
            "grad_cam_layer": method,
            "classes": classes,
            "height": explanation.height,
            "width": explanation.width,
            "maps": explanation.maps,
            "logits": explanation.logits,
        })
    );
    Ok(())
}
