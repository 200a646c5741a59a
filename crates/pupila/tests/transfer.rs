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

/// A zip archive of one file that is stored as it is.
fn archive(name: &str, content: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(content).unwrap();
    zip.finish().unwrap().into_inner()
}

/// The same tensors as a file that says nothing else.
fn plain(from: &Path, to: &Path) {
    altered(from, to, |_| ());
}

/// The same, changed.
fn altered(from: &Path, to: &Path, change: impl FnOnce(&mut BTreeMap<String, (Vec<usize>, Vec<f32>)>)) {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    let mut all = tensors(from);
    change(&mut all);
    for (name, (shape, values)) in all {
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

/// The files of features in the cache.
fn kept(sandbox: &Sandbox) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for folder in fs::read_dir(sandbox.path("cache/v1/pixels")).unwrap().flatten() {
        if folder.file_name().to_string_lossy().starts_with("features-") {
            found.extend(fs::read_dir(folder.path()).unwrap().flatten().map(|entry| entry.path()));
        }
    }
    found.sort();
    found
}

#[test]
fn features_are_kept_for_later_runs_and_change_no_bit() {
    let sandbox = Sandbox::new();
    let more = ["--model", "cnn", "--set", "model.batch_norm=true"];
    assert_eq!(sandbox.train(&skin(), "first", &more).code, Some(0));
    let data = skin();
    let varied = |transforms: &str, name: &str, more: &[&str]| {
        let transforms = format!("augment.transforms={transforms}");
        let arguments = [
            "train",
            data.to_str().unwrap(),
            "--init-from",
            "runs/first",
            "--name",
            name,
            "--epochs",
            "3",
            "--set",
            "transfer.freeze=backbone",
            "--set",
            &transforms,
            "--set",
            "transfer.views=2",
        ];
        let ran = sandbox.run(&[&arguments[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let files = (
            tensors(&sandbox.path(&format!("runs/{name}/best.safetensors"))),
            sandbox.read(&format!("runs/{name}/predictions.csv")),
            sandbox.read(&format!("runs/{name}/metrics.jsonl")).lines().count(),
        );
        (ran, files)
    };
    let run = |name: &str, more: &[&str]| varied("[{ horizontal_flip = {} }, { rotate = {} }]", name, more);
    let (alone, expected) = run("alone", &["--set", "data.cache=false"]);
    assert!(!alone.stdout.contains("in the cache\n"), "{}", alone.stdout);
    let (_, cold) = run("cold", &[]);
    let (warm, again) = run("warm", &[]);
    assert!(cold == expected && again == expected);
    assert!(warm.stdout.contains("features of 540 of 540 images are in the cache"), "{}", warm.stdout);
    // Another seed, rate and loss take the same features.
    let others = ["--seed", "9", "--lr", "0.01", "--set", "loss.label_smoothing=0.1"];
    let (other, _) = run("other", &others);
    assert!(other.stdout.contains("features of 540 of 540 images are in the cache"), "{}", other.stdout);
    assert!(
        run("other-alone", &[&others[..], &["--set", "data.cache=false"]].concat()).1
            == run("other-2", &others).1
    );
    // Other transforms have other views, and the same images that are not varied.
    let (turned, _) = varied("[{ vertical_flip = {} }]", "turned", &[]);
    assert!(turned.stdout.contains("features of 60 of 540 images are in the cache"), "{}", turned.stdout);
    // What is damaged is said and worked out anew; what is gone is worked out anew.
    for path in kept(&sandbox) {
        let mut bytes = fs::read(&path).unwrap();
        bytes[40] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    let (damaged, after) = run("damaged", &[]);
    assert!(after == expected);
    assert!(damaged.stdout.contains("were damaged, and are worked out anew"), "{}", damaged.stdout);
    let (mended, after) = run("mended", &[]);
    assert!(after == expected && mended.stdout.contains("540 of 540"), "{}", mended.stdout);
    kept(&sandbox).iter().for_each(|path| fs::remove_file(path).unwrap());
    assert!(run("gone", &[]).1 == expected);
    // A cache too small for them is said.
    fs::remove_dir_all(sandbox.path("cache")).unwrap();
    let mut full = sandbox.command(&[
        "train",
        data.to_str().unwrap(),
        "--init-from",
        "runs/first",
        "--name",
        "full",
        "--epochs",
        "1",
        "--set",
        "transfer.freeze=backbone",
        "--set",
        "augment.transforms=[]",
    ]);
    let full: common::Ran = full.env("PUPILA_CACHE_GB", "0.00001").output().unwrap().into();
    assert_eq!(full.code, Some(0), "{}", full.stderr);
    assert!(full.stdout.contains("more than the cache's bound"), "{}", full.stdout);
}

#[test]
fn what_is_fitted_is_a_run_like_any_other() {
    let sandbox = Sandbox::new();
    let more = ["--model", "cnn", "--set", "model.batch_norm=true"];
    assert_eq!(sandbox.train(&skin(), "first", &more).code, Some(0));
    let data = skin();
    let data = data.to_str().unwrap();
    let run = |name: &str, more: &[&str]| {
        let arguments = ["train", data, "--init-from", "runs/first", "--name", name, "--json"];
        let ran = sandbox.run(&[&arguments[..], more].concat());
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        (ran.json(), ran.stderr)
    };
    let (summary, told) = run("probe", &["--set", "transfer.head=probe"]);
    assert_eq!(
        (summary["head"]["kind"].as_str(), summary["head"]["folds"].as_u64()),
        (Some("probe"), Some(5))
    );
    assert!(summary["head"]["c"].as_f64().unwrap() > 0.0 && summary["epochs_run"] == 1, "{summary}");
    assert!(told.contains("a linear probe, whose C = "), "{told}");
    // The backbone is the file's, and the model says what the run said.
    let (before, after) = (
        tensors(&sandbox.path("runs/first/best.safetensors")),
        tensors(&sandbox.path("runs/probe/best.safetensors")),
    );
    let changed: Vec<&String> = after.keys().filter(|name| before[*name] != after[*name]).collect();
    assert_eq!(changed.len(), 2, "{changed:?}");
    let val = skin().join("val");
    let judged = sandbox.run(&["eval", "runs/probe", val.to_str().unwrap(), "--json"]);
    assert_eq!(judged.code, Some(0), "{}", judged.stderr);
    assert_eq!(judged.json()["metrics"]["accuracy"], summary["val"]["accuracy"], "{}", judged.stdout);
    // Where features are kept changes nothing, the folds neither.
    let (bare, _) = run("bare", &["--set", "transfer.head=probe", "--set", "data.cache=false"]);
    assert_eq!(bare["head"], summary["head"]);
    assert_eq!(tensors(&sandbox.path("runs/bare/best.safetensors")), after);
    // Views are rows too, and the seed deals out the folds alone.
    let (views, _) = run("views", &["--set", "transfer.head=probe", "--set", "transfer.views=3"]);
    assert!(views["head"]["held_out_loss"].as_f64().unwrap() > 0.0);
    let (votes, told) = run("votes", &["--set", "transfer.head=knn"]);
    assert_eq!(votes["head"]["kind"], "knn");
    assert!(
        told.contains("nearest training image") && votes["val"]["accuracy"].as_f64().unwrap() > 0.2,
        "{told}"
    );
    assert!(!sandbox.path("runs/votes/best.safetensors").exists());
    let refused = sandbox.run(&["eval", "runs/votes", val.to_str().unwrap()]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("a baseline and no model"), "{}", refused.stderr);
    assert!(sandbox.read("runs/votes/report.html").contains("<html"));
}

#[test]
fn a_study_compares_what_learns() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "first", &["--model", "cnn"]).code, Some(0));
    let data = skin();
    let data = data.to_str().unwrap();
    let ran = sandbox.run(&[
        "study",
        "transfer",
        data,
        "--init-from",
        "runs/first",
        "--seeds",
        "2",
        "--epochs",
        "4",
        "--json",
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let study = ran.json();
    let names: Vec<&str> = study["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| variant["name"].as_str().unwrap())
        .collect();
    for name in ["scratch", "nearest neighbours", "linear probe", "last layer", "fine-tuning"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        study["variants"].as_array().unwrap().iter().all(|variant| variant["mean"].is_number()),
        "{study}"
    );
}

#[test]
fn what_cannot_be_begun_from_is_told_with_what_to_type() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "first", &[]).code, Some(0));
    fs::write(sandbox.path("notes.txt"), "hello").unwrap();
    fs::create_dir(sandbox.path("folder")).unwrap();
    plain(&sandbox.path("runs/first/best.safetensors"), &sandbox.path("mlp.safetensors"));
    fs::create_dir(sandbox.path("several")).unwrap();
    fs::write(sandbox.path("several/a.pth"), "a").unwrap();
    fs::write(sandbox.path("several/b.safetensors"), "b").unwrap();
    fs::write(sandbox.path("cut.whl"), b"PK\x03\x04 and no more").unwrap();
    fs::write(sandbox.path("arrays.npz"), archive("w.npy", b"\x93NUMPY")).unwrap();
    let resnet = ["--model", "resnet18", "--size", "32", "--epochs", "1"];
    assert_eq!(
        sandbox.run(&[&["train", skin().to_str().unwrap(), "--name", "res"][..], &resnet].concat()).code,
        Some(0)
    );
    let model = sandbox.path("runs/res/best.safetensors");
    altered(&model, &sandbox.path("lost.safetensors"), |tensors| drop(tensors.remove("layer2.0.bn1.bias")));
    altered(&model, &sandbox.path("negative.safetensors"), |tensors| {
        tensors.get_mut("bn1.running_var").unwrap().1[4] = -0.5;
    });
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
        &["--init-from", "runs/first", "--set", "transfer.freeze=backbon"],
        &[
            "--init-from",
            "runs/first",
            "--set",
            "transfer.freeze=backbone",
            "--set",
            "transfer.lr_decay=0.5",
            "--set",
            "transfer.head_epochs=2",
        ],
        &["--init-from", "runs/first", "--set", "transfer.head=probe", "--set", "transfer.freeze=layer1"],
        &["--init-from", "runs/first", "--set", "transfer.head=linear"],
        &["--set", "transfer.head=knn"],
        &["--init-from", "efficientnet_lite0"],
        &["--init-from", "several"],
        &["--init-from", "cut.whl"],
        &["--init-from", "arrays.npz"],
        &["--init-from", "lost.safetensors"],
        &["--init-from", "negative.safetensors"],
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
