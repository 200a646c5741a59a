//! Training from learnt weights: of a run, and of a file of tensors.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use pupila::weights::Weights;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The tensors of a model file.
fn tensors(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let weights = Weights::open(path).unwrap();
    weights.tensors.into_iter().map(|(name, tensor)| (name, (tensor.shape, tensor.data))).collect()
}

/// The same tensors as a file that says nothing else.
fn plain(from: &Path, to: &Path) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, (shape, values)) in tensors(from) {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        header.insert(
            name,
            serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] }),
        );
    }
    let header = Value::from(header).to_string();
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.extend(data);
    fs::write(to, file).unwrap();
}

#[test]
fn a_run_begins_from_another_and_is_repeated() {
    let sandbox = Sandbox::new();
    let more = [
        "--model",
        "cnn",
        "--set",
        "model.batch_norm=true",
        "--set",
        "data.normalize=data",
        "--set",
        "augment.transforms=[]",
    ];
    assert_eq!(sandbox.train(&skin(), "first", &more).code, Some(0));
    // Architecture, input and normalisation come with it: nothing of `more` is said again.
    let data = skin();
    let data = data.to_str().unwrap();
    let ran = sandbox.run(&[
        "train",
        data,
        "--init-from",
        "runs/first",
        "--epochs",
        "1",
        "--name",
        "second",
        "--json",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary = ran.json();
    assert_eq!(summary["model"], "cnn");
    let learnt = &summary["learnt_from"];
    assert_eq!((learnt["name"].as_str(), learnt["path"].as_str()), (Some("first"), Some("runs/first")));
    assert!(learnt["trained_on"].as_str().unwrap().contains("of skin, "), "{learnt}");
    assert!(learnt["fitted"].as_str().unwrap().contains(" tensors fit"), "{learnt}");
    let recipe = sandbox.read("runs/second/recipe.toml");
    for line in ["name = \"cnn\"", "size = 16", "from = \"runs/first\"", "batch_norm = true"] {
        assert!(recipe.contains(line), "{line}\n{recipe}");
    }
    assert!(recipe.contains("# of runs/first"), "{recipe}");
    assert!(recipe.contains(learnt["sha256"].as_str().unwrap()));
    // The recipe of the run says everything: it gives the same model again.
    let again =
        sandbox.run(&["train", data, "--recipe", "runs/second/recipe.toml", "--name", "third", "--json"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    let model = |name: &str| tensors(&sandbox.path(&format!("runs/{name}/best.safetensors")));
    assert!(model("second") == model("third"));
    assert!(sandbox.read("runs/second/report.html").contains("Learnt from"));
    // Other weights in the same place are refused.
    fs::copy(sandbox.path("runs/second/best.safetensors"), sandbox.path("runs/first/best.safetensors"))
        .unwrap();
    let other = sandbox.run(&["train", data, "--recipe", "runs/second/recipe.toml", "--name", "fourth"]);
    assert_eq!(other.code, Some(2));
    assert!(other.stderr.contains("holds other weights than the recipe was run with"), "{}", other.stderr);
}

#[test]
fn a_file_of_tensors_is_recognized_and_its_head_starts_anew() {
    let sandbox = Sandbox::new();
    let more = ["--model", "resnet18", "--epochs", "1", "--size", "32"];
    let data = skin();
    let data = data.to_str().unwrap();
    let ran = sandbox.run(&[&["train", data, "--name", "first"][..], &more].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    plain(&sandbox.path("runs/first/best.safetensors"), &sandbox.path("weights.safetensors"));
    // Two of the classes, in gray.
    let two = sandbox.path("two");
    for class in ["melanoma", "nevus"] {
        fs::create_dir_all(two.join(class)).unwrap();
        for entry in fs::read_dir(skin().join("train").join(class)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, two.join(class).join(path.file_name().unwrap())).unwrap();
        }
    }
    let two = two.to_str().unwrap();
    let frozen = [
        "train",
        two,
        "--init-from",
        "weights.safetensors",
        "--size",
        "32",
        "--epochs",
        "2",
        "--set",
        "input.channels=1",
        "--set",
        "transfer.freeze=backbone",
        "--set",
        "optimizer.weight_decay=0.1",
        "--set",
        "train.ema_decay=0.9",
        "--name",
        "second",
    ];
    let ran = sandbox.run(&frozen);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    for said in [
        "tensors are those of resnet18",
        "the last layer starts anew: 3 classes before, 2 now",
        "conv1.weight sees one channel",
    ] {
        assert!(
            ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ").contains(said),
            "{said}\n{}",
            ran.stdout
        );
    }
    let (before, after) = (
        tensors(&sandbox.path("weights.safetensors")),
        tensors(&sandbox.path("runs/second/best.safetensors")),
    );
    for (name, tensor) in &after {
        match name.as_str() {
            "fc.weight" => assert_eq!(tensor.0, [2, 512]),
            "fc.bias" | "conv1.weight" => {}
            name => assert!(before[name] == *tensor, "{name} has changed"),
        }
    }
    // What the preprocessing is, is that of ImageNet's weights.
    let recipe = sandbox.read("runs/second/recipe.toml");
    assert!(recipe.contains("fit = \"crop\"") && recipe.contains("crop_frac = 0.875"), "{recipe}");
}

#[test]
fn kept_features_give_the_model_of_the_slow_way_to_the_bit() {
    let sandbox = Sandbox::new();
    let more = ["--model", "cnn", "--set", "model.batch_norm=true", "--set", "model.dropout=0.2"];
    assert_eq!(sandbox.train(&skin(), "first", &more).code, Some(0));
    let data = skin();
    for (what, more) in [
        ("plain", &[][..]),
        ("stage", &["--set", "transfer.freeze=0"]),
        ("whole", &["--set", "train.clip_norm=0.5", "--set", "train.accumulate=2"]),
        ("views", &["--set", "transfer.views=2"]),
        (
            "gradual",
            &[
                "--set",
                "transfer.freeze=none",
                "--set",
                "transfer.unfreeze_epochs=2",
                "--set",
                "transfer.lr_decay=0.5",
            ],
        ),
    ] {
        // A transform that is never applied: nobody looks into it, and every image is made anew. With views all are kept, and of a sample that may come
        // twice none is.
        let mut models = Vec::new();
        let never = "[{ horizontal_flip = { p = 0.0 } }]";
        for transforms in [if what == "views" { never } else { "[]" }, never] {
            let name = format!("{what}-{}", models.len());
            let transforms = format!("augment.transforms={transforms}");
            let more =
                if models.is_empty() { more } else { &more[..more.len() - 2 * usize::from(what == "views")] };
            let arguments = [
                "train",
                data.to_str().unwrap(),
                "--init-from",
                "runs/first",
                "--name",
                &name,
                "--epochs",
                "5",
                "--set",
                &transforms,
                "--set",
                "train.ema_decay=0.8",
            ];
            let frozen = ["--set", "transfer.freeze=backbone"];
            let frozen = if what == "stage" || what == "gradual" { &[][..] } else { &frozen[..] };
            let ran = sandbox.run(&[&arguments[..], frozen, more].concat());
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            models.push((
                tensors(&sandbox.path(&format!("runs/{name}/best.safetensors"))),
                sandbox.read(&format!("runs/{name}/predictions.csv")),
            ));
        }
        assert!(models[0] == models[1], "{what}");
    }
}

#[test]
fn what_cannot_be_begun_from_is_told_with_what_to_type() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "first", &[]).code, Some(0));
    fs::write(sandbox.path("notes.txt"), "hello").unwrap();
    fs::create_dir(sandbox.path("folder")).unwrap();
    plain(&sandbox.path("runs/first/best.safetensors"), &sandbox.path("mlp.safetensors"));
    let data = skin();
    let mut told = Vec::new();
    for more in [
        &["--init-from", "nowhere.pt"][..],
        &["--init-from", "folder"],
        &["--init-from", "notes.txt"],
        &["--init-from", "runs/first", "--model", "resnet18"],
        &["--init-from", "runs/first", "--size", "24"],
        &["--init-from", "runs/first", "--set", "transfer.freeze=layer3"],
        &["--init-from", "mlp.safetensors"],
        &["--init-from", "mlp.safetensors", "--model", "resnet18"],
        &["--set", "transfer.freeze=backbone"],
        &["--init-from", "runs/first", "--set", "transfer.sha256=12"],
        &["--init-from", "runs/first", "--set", "transfer.lr_decay=2", "--set", "transfer.unfreeze_epochs=0"],
    ] {
        let ran = sandbox.run(&[&["train", data.to_str().unwrap(), "--name", "second"][..], more].concat());
        told.push(format!(
            "pupila train DATA {}\nexit {}\n{}",
            more.join(" "),
            ran.code.unwrap(),
            ran.stderr
        ));
    }
    insta::assert_snapshot!("transfer_mistakes", told.join("\n"));
}

#[test]
fn known_weights_are_listed_with_the_line_that_gets_them() {
    let ran = Sandbox::new().run(&["list", "pretrained", "--json"]);
    let listed = ran.json()["pretrained"].as_array().unwrap().clone();
    let resnet = listed.iter().find(|row| row["name"] == "ResNet18_Weights.IMAGENET1K_V1").unwrap();
    assert_eq!(resnet["architecture"], "resnet18");
    assert_eq!(resnet["keys"]["input.crop_frac"], "0.875");
    for row in &listed {
        for key in ["licence", "get", "trained_on"] {
            assert!(!row[key].as_str().unwrap().is_empty(), "{row}");
        }
        assert!(pupila::network::architectures::find(row["architecture"].as_str().unwrap()).is_ok());
    }
}
