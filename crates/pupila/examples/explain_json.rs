//! Prints, as one JSON object, what a model makes of images and where it sees the class that it answers:
//! `explain_json MODEL IMAGE...`. `interop/test_pytorch.py` compares it with PyTorch's.

use pupila::Classifier;
use pupila::engine::Method;
use serde_json::json;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let model = arguments.next().ok_or("usage: explain_json MODEL IMAGE...")?;
    let mut classifier = Classifier::open(model)?;
    let (mut classes, mut maps, mut logits, mut size, mut layer) =
        (Vec::new(), Vec::new(), Vec::new(), (0, 0), String::new());
    for path in arguments {
        let bytes = std::fs::read(path)?;
        let answer = classifier.logits(&bytes)?;
        let class = pupila::metrics::argmax(&answer);
        let explanation =
            classifier.explain(&bytes, Some(class))?.ok_or("this network cannot be explained")?;
        classes.push(class);
        logits.extend(explanation.logits);
        maps.extend(explanation.maps);
        size = (explanation.height, explanation.width);
        if let Method::GradCam { layer: map } = explanation.method {
            layer = map;
        }
    }
    println!(
        "{}",
        json!({
            "grad_cam_layer": layer,
            "classes": classes,
            "height": size.0,
            "width": size.1,
            "maps": maps,
            "logits": logits,
        })
    );
    Ok(())
}
