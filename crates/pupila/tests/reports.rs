//! Pages and comparisons: what a run, an evaluation and `compare` leave behind, and what can be asked wrongly.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Sandbox, skin};
use std::fs;

/// Every section of a training run's page.
const SECTIONS: [&str; 12] = [
    "verdict",
    "curves",
    "confusion",
    "classes",
    "ranking",
    "calibration",
    "losses",
    "gallery",
    "weights",
    "recipe",
    "environment",
    "time",
];

#[test]
fn every_run_has_a_page_of_its_own() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "cnn", &["--model", "cnn"]).code, Some(0));
    let page = sandbox.read("runs/cnn/report.html");
    assert!(page.len() < 3_000_000, "{}", page.len());
    for id in SECTIONS {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
        assert!(page.contains(&format!("href=\"#{id}\"")), "{id} in the contents");
    }
    assert!(page.contains("Grad-CAM") && page.contains("guessing evenly") && page.contains("kept: epoch"));
    for foreign in ["src=\"http", "href=\"http", "<script", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
    let events = sandbox.read("runs/cnn/metrics.jsonl");
    assert!(events.contains("\"path\":\"report.html\""), "the page is an artifact");

    assert_eq!(sandbox.train(&skin(), "without", &["--set", "tracking.report=false"]).code, Some(0));
    assert!(!sandbox.path("runs/without/report.html").exists());
    // The page is made from what is there anyway: neither the model nor its judgement knows of it.
    assert_eq!(sandbox.train(&skin(), "with", &[]).code, Some(0));
    let file = |run: &str, name: &str| fs::read(sandbox.path(&format!("runs/{run}/{name}"))).unwrap();
    for name in ["best.safetensors", "predictions.csv"] {
        assert!(file("with", name) == file("without", name), "{name}");
    }
}

#[test]
fn a_run_that_diverges_at_once_has_a_page_that_says_so() {
    let sandbox = Sandbox::new();
    let more = ["--lr", "1e38", "--set", "model.init={ normal = { std = 1e20 } }"];
    assert_eq!(sandbox.train(&skin(), "run", &more).code, Some(1));
    let page = sandbox.read("runs/run/report.html");
    assert!(page.contains("There is no model to judge") && page.contains("diverged"));
    assert!(page.contains("<section id=\"recipe\">"));
}

#[test]
fn names_from_the_data_are_only_text() {
    let sandbox = Sandbox::new();
    let hostile = "<img src=x onerror=alert(1)>\"'&";
    for split in ["train", "val"] {
        for (class, to) in [("melanoma", hostile), ("nevus", "b")] {
            let folder = sandbox.path("data").join(split).join(to.replace('/', "_"));
            fs::create_dir_all(&folder).unwrap();
            let mut from: Vec<_> =
                fs::read_dir(skin().join(split).join(class)).unwrap().map(|e| e.unwrap().path()).collect();
            from.sort();
            for (i, path) in from.iter().take(5).enumerate() {
                fs::copy(path, folder.join(format!("{i}<b>&\".jpg"))).unwrap();
            }
        }
    }
    let ran = sandbox.train(&sandbox.path("data"), "run", &[]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let page = sandbox.read("runs/run/report.html");
    assert!(!page.contains("<img src=x") && !page.contains("<b>&\""));
    assert!(page.contains("&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;"));
}

/// Numbers of several views of each image are never taken for those of the image itself.
#[test]
fn the_views_of_an_evaluation_are_told_wherever_its_numbers_stand() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "run", &[]).code, Some(0));
    let ran = sandbox.run(&["eval", "runs/run", "--tta", "flips", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let summary: serde_json::Value =
        serde_json::from_str(&sandbox.read("runs/run/eval-val-1/summary.json")).unwrap();
    assert_eq!((&summary["tta"], &ran.json()["tta"]), (&"flips".into(), &"flips".into()));
    assert_eq!(summary["metrics"], ran.json()["metrics"]);
    assert!(sandbox.read("runs/run/eval-val-1/report.html").contains("views of each image (flips)"));
    sandbox.run(&["eval", "runs/run"]);
    assert!(!sandbox.read("runs/run/eval-val-2/report.html").contains("views of each image"));
}

/// A path need not be text, and a result is not lost over it.
#[cfg(unix)]
#[test]
fn paths_that_are_no_text_are_judged_too() {
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "run", &[]).code, Some(0));
    let out = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let done = sandbox.command(&["eval", "runs/run", "--out"]).arg(out).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    assert!(sandbox.path("").join(out).join("report.html").exists());
}

#[test]
fn eval_leaves_what_training_left() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "run", &["--seed", "3"]).code, Some(0));
    let ran = sandbox.run(&["eval", "runs/run", "--json", "--threads", "1"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.json()["folder"], "runs/run/eval-val-1");
    let json = |path: &str| -> serde_json::Value { serde_json::from_str(&sandbox.read(path)).unwrap() };
    let (trained, judged) = (json("runs/run/summary.json"), json("runs/run/eval-val-1/summary.json"));
    for key in ["val", "val_intervals", "classes", "model", "parameters", "best_epoch"] {
        assert_eq!(trained[key], judged[key], "{key}");
    }
    let both = |name: &str| {
        ["runs/run", "runs/run/eval-val-1"]
            .map(|run| fs::read(sandbox.path(&format!("{run}/{name}"))).unwrap())
    };
    for name in ["classification_report.txt", "confusion_matrix.png", "recipe.toml"] {
        let [trained, judged] = both(name);
        assert!(trained == judged, "{name}");
    }
    let [trained, judged] = both("predictions.csv").map(|csv| {
        let text = String::from_utf8(csv).unwrap();
        let row = |line: &str| line.split_once(',').unwrap().1.to_owned();
        text.lines().map(row).collect::<Vec<_>>()
    });
    assert_eq!(trained, judged);
    let page = sandbox.read("runs/run/eval-val-1/report.html");
    for id in ["verdict", "confusion", "classes", "ranking", "calibration", "losses", "gallery", "recipe"] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert!(!page.contains("<section id=\"curves\">"));

    // A second one stands beside the first; a folder that is there is never written into.
    let data = skin().join("val");
    let again = sandbox.run(&["eval", "runs/run", data.to_str().unwrap(), "--out", "mine"]);
    assert_eq!(again.code, Some(0), "{}", again.stderr);
    assert!(again.stdout.contains("Results: mine"), "{}", again.stdout);
    let again = sandbox.run(&["eval", "runs/run", "--out", "mine"]);
    assert_eq!(again.code, Some(2));
    assert!(again.stderr.contains("mine is there already"), "{}", again.stderr);
    assert_eq!(sandbox.run(&["eval", "runs/run"]).code, Some(0));
    assert!(sandbox.path("runs/run/eval-val-2/report.html").exists());

    // predict, on the same images, to the bit.
    let csv = sandbox.run(&["predict", "runs/run", data.to_str().unwrap(), "--csv", "predict.csv"]);
    assert_eq!(csv.code, Some(0));
    let probabilities = |name: &str| {
        let text = sandbox.read(name);
        let fields = |line: &str| line.split(',').skip(4).map(str::to_owned).collect::<Vec<_>>().join(",");
        let file = |line: &str| line.split(',').next().unwrap().rsplit('/').next().unwrap().to_owned();
        let mut rows: Vec<(String, String)> = text.lines().skip(1).map(|l| (file(l), fields(l))).collect();
        rows.sort();
        rows
    };
    assert_eq!(probabilities("predict.csv"), probabilities("mine/predictions.csv"));
}

#[test]
fn of_pipelines_compare_shows_what_differs_inside() {
    let sandbox = Sandbox::new();
    let pipelines = [
        "[{ horizontal_flip = {} }, { rotate = { limit = 15 } }, { gauss_noise = {} }]",
        "[{ horizontal_flip = { p = 0.5 } }, { rotate = { limit = 30 } }]",
    ];
    for (name, pipeline) in ["a", "b"].into_iter().zip(pipelines) {
        let set = format!("augment.transforms={pipeline}");
        assert_eq!(sandbox.train(&skin(), name, &["--set", &set]).code, Some(0));
    }
    let json = sandbox.run(&["compare", "runs/a", "runs/b", "--json"]).json();
    let expected = serde_json::json!({
        "augment[1] rotate.limit": { "a": "15", "b": "30" },
        "augment[2]": { "a": "gauss_noise", "b": "absent" },
    });
    assert_eq!(json["recipe_differences"], expected);
    let told = sandbox.run(&["compare", "runs/a", "runs/b", "--out", "c.html"]);
    assert!(told.stdout.contains("augment[1] rotate.limit") && !told.stdout.contains('{'), "{}", told.stdout);
    assert!(sandbox.read("c.html").contains("<code>augment[1] rotate.limit</code>"));
}

#[test]
fn compare_tells_noise_from_difference() {
    let sandbox = Sandbox::new();
    for (name, seed) in [("a", "0"), ("b", "1"), ("c", "2")] {
        assert_eq!(sandbox.train(&skin(), name, &["--seed", seed]).code, Some(0));
    }
    let ran = sandbox.run(&["compare", "runs/a", "runs/b", "runs/c", "--json"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let json = ran.json();
    assert_eq!(json["runs"], serde_json::json!(["a", "b", "c"]));
    assert_eq!(json["recipe_differences"]["train.seed"], serde_json::json!({ "a": "0", "b": "1", "c": "2" }));
    assert_eq!(json["recipe_differences"].as_object().unwrap().len(), 1);
    let tests = json["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 2);
    let summary: serde_json::Value = serde_json::from_str(&sandbox.read("runs/b/summary.json")).unwrap();
    assert_eq!(json["metrics"]["macro_auc"]["b"], summary["val"]["macro_auc"]);
    let accuracy = |run: &str| json["metrics"]["accuracy"][run].as_f64().unwrap();
    let [only_a, only_b] =
        ["only_first_right", "only_second_right"].map(|key| tests[0][key].as_f64().unwrap());
    let difference = &tests[0]["intervals"]["accuracy"];
    assert!(((only_b - only_a) / 60.0 - difference["difference"].as_f64().unwrap()).abs() < 1e-12);
    assert!((accuracy("b") - accuracy("a") - difference["difference"].as_f64().unwrap()).abs() < 1e-12);
    assert!(difference["low"].as_f64() <= difference["difference"].as_f64());
    // One family, one adjustment: p and interval say the same.
    for test in tests {
        assert!(test["p_adjusted"].as_f64() >= test["p_value"].as_f64());
        let of = |key: &str| test["intervals"]["accuracy"][key].as_f64().unwrap();
        let leaves_out = of("low") > 0.0 || of("high") < 0.0;
        assert_eq!(test["p_adjusted"].as_f64().unwrap() < 0.05, leaves_out);
        assert_eq!(test["beyond_noise"], leaves_out);
    }
    assert!(
        json["findings"].as_array().unwrap().last().unwrap().as_str().unwrap().contains("the seed alone")
    );
    let page = sandbox.read("comparison.html");
    for id in ["verdict", "recipes", "metrics", "tests", "curves", "flips"] {
        assert!(page.contains(&format!("<section id=\"{id}\">")), "{id}");
    }
    assert!(page.contains("data:image/jpeg"), "the images that flipped");
    // The same runs give the same page, beside the old one.
    fs::write(sandbox.path("comparison.html"), page.clone() + "<!-- mine -->").unwrap();
    let again = sandbox.run(&["compare", "runs/a", "runs/b", "runs/c"]);
    assert!(again.code == Some(0) && again.stdout.contains("comparison-2.html"), "{}", again.stdout);
    assert!(sandbox.read("comparison.html").ends_with("<!-- mine -->"));
    assert!(sandbox.read("comparison-2.html") == page);

    let same = sandbox.run(&["compare", "runs/a", "runs/b", "--out", "two.html"]);
    assert!(same.stdout.contains("; p = ") && same.stdout.contains("two.html"), "{}", same.stdout);
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.train(&skin(), "a", &[]).code, Some(0));
    assert_eq!(sandbox.train(&skin(), "b", &["--seed", "1"]).code, Some(0));
    let refused = |arguments: &[&str], words: &[&str]| {
        let ran = sandbox.run(&[&["compare"], arguments].concat());
        assert_eq!(ran.code, Some(2), "{arguments:?}: {}{}", ran.stdout, ran.stderr);
        for word in words {
            assert!(ran.stderr.contains(word), "{arguments:?}: {word:?} is not in {}", ran.stderr);
        }
    };
    refused(&["runs/a"], &["2 values required"]);
    refused(&["runs/a", "runs/nope"], &["runs/nope does not exist", "RUN is a run folder"]);
    refused(&["runs/a", "runs"], &["runs is no run folder: it has no summary.json"]);
    refused(&["runs/a", "runs/./a"], &["is given twice"]);
    fs::write(sandbox.path("mine.html"), "my notes").unwrap();
    refused(&["runs/a", "runs/b", "--out", "mine.html"], &["mine.html is there already"]);
    fs::write(sandbox.path("comparison.html"), "my notes").unwrap();
    assert_eq!(sandbox.run(&["compare", "runs/a", "runs/b"]).code, Some(0));
    assert_eq!(sandbox.read("comparison.html"), "my notes");
    assert!(sandbox.path("comparison-2.html").exists());

    // Other seeds draw other validation images, where the data bring none.
    let flat = sandbox.path("flat");
    for class in ["melanoma", "nevus"] {
        fs::create_dir_all(flat.join(class)).unwrap();
        for file in fs::read_dir(skin().join("train").join(class)).unwrap().take(12) {
            let path = file.unwrap().path();
            fs::copy(&path, flat.join(class).join(path.file_name().unwrap())).unwrap();
        }
    }
    for (name, more) in [
        ("d", &["--seed", "4"][..]),
        ("e", &["--seed", "5"]),
        ("f", &["--seed", "4", "--set", "data.val_frac=0.4"]),
    ] {
        assert_eq!(sandbox.train(&flat, name, more).code, Some(0));
    }
    refused(
        &["runs/d", "runs/e"],
        &[
            "drawn by other seeds (train.seed is 5 in the second)",
            "--set data.split_seed=4, and it has the first one's",
        ],
    );
    refused(&["runs/d", "runs/f"], &["data.val_frac differs, by which the validation images are chosen"]);
    assert_eq!(sandbox.train(&flat, "g", &["--seed", "5", "--set", "data.split_seed=4"]).code, Some(0));
    assert_eq!(sandbox.run(&["compare", "runs/d", "runs/g"]).code, Some(0));

    // Other validation images.
    let (predictions, b) = (sandbox.read("runs/b/predictions.csv"), sandbox.path("runs/b/predictions.csv"));
    let mut lines: Vec<&str> = predictions.lines().collect();
    lines.pop();
    fs::write(&b, lines.join("\n")).unwrap();
    refused(
        &["runs/a", "runs/b"],
        &["predictions.csv: has 59 images, and environment.json says that 60 were judged"],
    );
    let environment = sandbox.read("runs/b/environment.json");
    let fewer = environment.replace("\"val_images\": 60", "\"val_images\": 59");
    assert_ne!(fewer, environment);
    fs::write(sandbox.path("runs/b/environment.json"), fewer).unwrap();
    refused(
        &["runs/a", "runs/b"],
        &["were not judged on the same images", "60 images and 59 images", "--different-data"],
    );
    let told = sandbox.run(&["compare", "runs/a", "runs/b", "--different-data", "--json"]);
    assert_eq!(told.code, Some(0), "{}", told.stderr);
    assert!(told.json()["tests"].as_array().unwrap().is_empty());
    assert!(told.json()["findings"][0].as_str().unwrap().contains("different images"));
    fs::write(sandbox.path("runs/b/environment.json"), environment).unwrap();
    let line = predictions
        .lines()
        .find(|line| line.contains(".jpg,melanoma,") && !line.contains(",seborrheic_keratosis,"))
        .unwrap();
    let mut fields: Vec<&str> = line.split(',').collect();
    fields[1] = "nevus";
    fs::write(&b, predictions.replacen(line, &fields.join(","), 1)).unwrap();
    refused(&["runs/a", "runs/b"], &["runs/b/predictions.csv, line ", "correct is `"]);
    fields[3] = if fields[2] == "nevus" { "1" } else { "0" };
    fs::write(&b, predictions.replacen(line, &fields.join(","), 1)).unwrap();
    refused(&["runs/a", "runs/b"], &["is melanoma in the first and nevus in the second"]);
    fs::write(&b, &predictions).unwrap();
    let environment = sandbox.read("runs/b/environment.json");
    let key = "\"val_fingerprint\": \"";
    let at = environment.find(key).unwrap() + key.len();
    let other = format!("{}0000000000000000{}", &environment[..at], &environment[at + 16..]);
    fs::write(sandbox.path("runs/b/environment.json"), other).unwrap();
    refused(&["runs/a", "runs/b"], &["other contents"]);
    fs::write(sandbox.path("runs/b/environment.json"), "{ \"data\": ").unwrap();
    refused(&["runs/a", "runs/b"], &["runs/b/environment.json, line 1: no JSON"]);
    fs::write(sandbox.path("runs/b/environment.json"), &environment).unwrap();

    // Damaged files.
    fs::write(&b, "path,label\n").unwrap();
    refused(&["runs/a", "runs/b"], &["runs/b/predictions.csv, line 1: must begin with path,label,predicted"]);
    fs::write(&b, predictions.replacen(",0.", ",x.", 1)).unwrap();
    refused(&["runs/a", "runs/b"], &["runs/b/predictions.csv, line 2", "is no number"]);
    fs::remove_file(&b).unwrap();
    refused(&["runs/a", "runs/b"], &["it has no predictions.csv", "pupila eval"]);
    fs::write(&b, &predictions).unwrap();
    fs::write(sandbox.path("runs/b/summary.json"), "[]").unwrap();
    refused(&["runs/a", "runs/b"], &["runs/b/summary.json: must be a JSON object"]);
}

/// Seeds of one recipe are grouped, and recipes are judged over them.
#[test]
fn compare_answers_for_models_or_for_recipes() {
    let sandbox = Sandbox::new();
    for (name, seed, dropout) in [("a1", "1", "0"), ("a2", "2", "0"), ("b1", "1", "0.5"), ("b2", "2", "0.5")]
    {
        let dropout = format!("model.dropout={dropout}");
        let more = ["--seed", seed, "--set", &dropout, "--set", "data.split_seed=0"];
        assert_eq!(sandbox.train(&skin(), name, &more).code, Some(0));
    }
    // One of each: a question of models, and how to ask that of recipes. What is to be typed works.
    let two = sandbox.run(&["compare", "runs/a1", "runs/b1", "--json"]).json();
    assert!(two["recipes"].is_null());
    assert!(
        two["findings"]
            .as_array()
            .unwrap()
            .last()
            .unwrap()
            .as_str()
            .unwrap()
            .contains("several seeds of each")
    );
    let line = two["command"].as_str().unwrap();
    let pupila = env!("CARGO_BIN_EXE_pupila");
    let line = line.replace("pupila study", &format!("{pupila} study")) + " --seeds 2 --epochs 1 --size 16";
    let mut shell = std::process::Command::new("sh");
    let ran = shell
        .args(["-c", &line])
        .current_dir(sandbox.path(""))
        .env("PUPILA_CACHE_DIR", sandbox.path("cache"))
        .env("PUPILA_STATE_DIR", sandbox.path("state"));
    let ran = ran.output().unwrap();
    assert!(ran.status.success(), "{line}: {}", String::from_utf8_lossy(&ran.stderr));

    let all = sandbox.run(&["compare", "runs/a1", "runs/a2", "runs/b1", "runs/b2", "--json"]).json();
    let recipes = all["recipes"].as_array().unwrap();
    assert_eq!((recipes.len(), &recipes[0]["seeds"]), (1, &2.into()));
    let accuracy = |run: &str| all["metrics"]["accuracy"][run].as_f64().unwrap();
    let mean = (accuracy("b1") - accuracy("a1") + accuracy("b2") - accuracy("a2")) / 2.0;
    assert!((recipes[0]["difference"].as_f64().unwrap() - mean).abs() < 1e-12);

    // Another metric, and one that cannot be tested.
    let f1 = sandbox.run(&["compare", "runs/a1", "runs/b1", "--metric", "macro_f1", "--json"]).json();
    assert!(f1["tests"][0]["intervals"]["macro_f1"]["low"].is_number());
    let auc = sandbox.run(&["compare", "runs/a1", "runs/b1", "--metric", "macro_auc"]);
    assert_eq!(auc.code, Some(2));
    assert!(auc.stderr.contains("accuracy, balanced_accuracy, macro_f1"), "{}", auc.stderr);
}

/// A metric that says nothing on the data is no monitor.
#[test]
fn a_monitor_that_says_nothing_is_refused_before_training() {
    let sandbox = Sandbox::new();
    let refused = sandbox.train(&skin(), "top5", &["--set", "train.monitor=val/top5_accuracy"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("is always 1 with 3 classes on this validation set"));
    assert!(!sandbox.path("runs/top5").exists());
}
