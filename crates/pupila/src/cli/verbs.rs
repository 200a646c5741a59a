//! Commands by what other programs, and people who speak Spanish, call them.

use super::Cli;
use clap::Parser as _;

/// Names of a command that there is.
const COMMANDS: &[(&str, &[&str])] = &[
    ("train", &["fit", "learn", "finetune", "fine-tune", "entrenar", "entrena", "ajustar"]),
    (
        "eval",
        &[
            "test",
            "evaluate",
            "evaluation",
            "validate",
            "val",
            "score",
            "judge",
            "evaluar",
            "probar",
            "validar",
        ],
    ),
    ("predict", &["infer", "inference", "classify", "label", "detect", "predecir", "clasificar", "inferir"]),
    (
        "inspect",
        &["eda", "explore", "analyze", "analyse", "check", "stats", "describe", "inspeccionar", "explorar"],
    ),
    ("compare", &["diff", "versus", "vs", "comparar"]),
    ("study", &["experiment", "ablation", "ablate", "estudio", "estudiar", "experimento"]),
    (
        "search",
        &[
            "tune",
            "optimize",
            "optimise",
            "hpo",
            "hyperopt",
            "sweep",
            "optuna",
            "gridsearch",
            "buscar",
            "optimizar",
        ],
    ),
    ("runs", &["ls", "history", "experiments", "models", "ejecuciones"]),
    ("augment", &["augmentations", "augmentation", "preview", "transform", "aumentar"]),
    ("bench", &["benchmark", "profile", "speed"]),
    ("resume", &["continue", "restart", "reanudar", "continuar"]),
    ("verify", &["reproduce", "repeat", "rerun", "verificar"]),
    ("sync", &["upload", "push", "log", "mlflow", "sincronizar"]),
    ("list", &["help-keys", "options", "keys", "listar", "lista"]),
];

/// What there is no command for, and what does it.
const ANSWERS: &[(&[&str], &str)] = &[
    (
        &["delete", "rm", "remove", "clean", "borrar", "eliminar"],
        "`pupila runs --delete NAME` deletes a run, and `pupila runs --delete-models NAME` its models alone; both ask first",
    ),
    (
        &["export", "convert", "save", "onnx", "torchscript", "quantize", "exportar", "convertir"],
        "a run's best.safetensors is the model, with PyTorch's names and layouts (README has the lines that open it); there is no ONNX file",
    ),
    (
        &["serve", "deploy", "api", "server", "servir"],
        "there is no server: `pupila predict RUN FOLDER --json` answers a program, and so does the library (`pupila::Classifier`)",
    ),
    (
        &[
            "plot",
            "report",
            "visualize",
            "show",
            "view",
            "confusion",
            "confusion-matrix",
            "explain",
            "gradcam",
            "graficar",
            "reporte",
            "informe",
        ],
        "every run has its page, RUN/report.html: curves, confusion matrix, what the network looks at; `pupila eval RUN DATA` makes one for other images",
    ),
    (
        &["summary", "layers", "architecture", "model"],
        "`pupila train DATA --layers` begins with every layer of its network, and `pupila bench --model cnn --profile` has the time of each",
    ),
    (
        &["info", "status", "card"],
        "`pupila runs` lists what there is, RUN/report.html has all of a run, and `pupila list models` the networks",
    ),
    (
        &["split", "prepare", "preprocess", "dividir", "preparar"],
        "files stay where they are: `pupila train DATA` sets a validation set aside where the data bring none (--set data.val_frac=0.2)",
    ),
    (
        &["cv", "crossval", "cross-validate", "cross-validation", "kfold", "folds"],
        "a fold is trained by `pupila train DATA --set data.folds=5 --set data.fold=1`, and all five of a study by `pupila study NAME DATA --set data.folds=5 --splits 5`",
    ),
    (
        &["lr-find", "lr_find", "find-lr", "lrfind"],
        "`pupila search DATA --space space.toml` tries learning rates; a first guess is `pupila train DATA --lr 0.001`",
    ),
    (
        &["tensorboard", "ui", "dashboard"],
        "TensorBoard reads the folder of the runs: tensorboard --logdir runs; RUN/report.html needs nothing",
    ),
    (
        &["init", "new", "config", "create", "recipe", "iniciar"],
        "no project is needed: `pupila train DATA` begins at once; `pupila list keys` has what a recipe file may say",
    ),
    (
        &["download", "dataset", "datasets", "data", "fetch", "descargar"],
        "data are read where they lie: `pupila inspect DATA`, `pupila train DATA` (docs/data.md)",
    ),
    (&["version"], "pupila --version"),
];

/// What to type for a command that there is not.
pub(super) fn meant(verb: &str, typed: &[String]) -> Option<String> {
    let plain = verb.to_lowercase().replace('_', "-");
    if let Some((command, _)) = COMMANDS.iter().find(|(_, theirs)| theirs.contains(&plain.as_str())) {
        return Some(format!("that is {command} here: type {}", line(command, verb, typed)));
    }
    let answer = ANSWERS.iter().find(|(theirs, _)| theirs.contains(&plain.as_str()));
    answer.map(|(_, said)| (*said).to_owned())
}

/// The command with what was typed behind the other one, where that can be; otherwise with what its help has.
fn line(command: &str, verb: &str, typed: &[String]) -> String {
    let behind: Vec<&String> = typed.iter().skip_while(|word| *word != verb).skip(1).collect();
    let words = ["pupila", command].into_iter().chain(behind.iter().map(|word| word.as_str()));
    if !behind.is_empty() && Cli::try_parse_from(words).is_ok() {
        let behind: Vec<String> = behind.into_iter().map(|word| pupila::in_a_shell(word)).collect();
        return format!("pupila {command} {}", behind.join(" "));
    }
    format!("pupila {command} {}", usage(command)).trim_end().to_owned()
}

/// What a command needs.
fn usage(command: &str) -> &'static str {
    match command {
        "train" | "inspect" => "DATA",
        "eval" => "RUN",
        "predict" => "RUN IMAGE_OR_FOLDER",
        "compare" => "RUN RUN",
        "study" => "NAME_OR_FILE DATA",
        "search" => "DATA --space space.toml",
        "augment" => "IMAGE_OR_DATA --out grid.png",
        "resume" | "verify" | "sync" => "RUN",
        "list" => "keys",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parses(line: &str) -> bool {
        Cli::try_parse_from(line.split(' ')).is_ok() || line == "pupila --version"
    }

    #[test]
    fn every_name_of_a_command_leads_to_a_line_that_is_one() {
        let mut all = Vec::new();
        for (command, names) in COMMANDS {
            for name in *names {
                assert!(!parses(&format!("pupila {name}")), "{name} is a command");
                let said = meant(name, &[(*name).to_owned()]).unwrap();
                let line = said.split("type ").nth(1).unwrap();
                assert!(parses(line), "{line}");
                assert!(line.starts_with(&format!("pupila {command}")), "{line}");
                all.push(*name);
            }
        }
        for (names, said) in ANSWERS {
            for line in said.split('`').filter(|part| part.starts_with("pupila ")) {
                assert!(parses(line), "{line}");
            }
            all.extend(*names);
        }
        for (place, name) in all.iter().enumerate() {
            assert!(!all[..place].contains(name), "{name} twice");
        }
        assert_eq!(meant("nonsense", &[]), None);
    }

    #[test]
    fn what_stands_behind_goes_along() {
        for (typed, line) in [
            ("fit data --epochs 3", "pupila train data --epochs 3"),
            ("evaluate runs/a other", "pupila eval runs/a other"),
            ("evaluar runs/a", "pupila eval runs/a"),
            ("classify runs/a photo.jpg --top 2", "pupila predict runs/a photo.jpg --top 2"),
            ("fit --bogus 1", "pupila train DATA"),
            ("tune data", "pupila search DATA --space space.toml"),
            ("ls runs/a", "pupila runs runs/a"),
        ] {
            let words: Vec<String> = typed.split(' ').map(str::to_owned).collect();
            let said = meant(&words[0], &words).unwrap();
            assert!(said.ends_with(&format!("type {line}")), "{typed}: {said}");
        }
    }
}
