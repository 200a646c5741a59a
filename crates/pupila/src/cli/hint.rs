//! What was probably meant by a command or an option that there is not.

use super::verbs;
use clap::CommandFactory as _;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use pupila::recipe::{key_answer, key_meant, option_value, setting_of, setting_off};

/// Options of other programs where a key's own answer is not the whole one.
const OPTIONS: &[(&[&str], &str)] = &[
    (&["gpu", "cuda"], "it trains on the processor; --threads N says on how many of its cores"),
    (&["num-workers", "workers", "n-jobs", "jobs"], "--threads N says on how many cores it works"),
    (
        &[
            "pretrained",
            "weights",
            "transfer",
            "transfer-from",
            "transfer-learning",
            "finetune",
            "fine-tune",
            "from",
        ],
        "--init-from RUN_OR_FILE begins with learnt ones; pupila list pretrained has those that are known",
    ),
    (&["config", "cfg", "yaml", "params", "receta"], "a recipe is a file in TOML: type --recipe FILE"),
    (&["run-name", "exp-name", "nombre"], "the name of a run's folder is --name NAME"),
    (
        &["tensorboard"],
        "TensorBoard's file is in every run's folder, unless --no-tensorboard is typed: leave it out",
    ),
    (
        &["no-mlflow"],
        "nothing is sent to MLflow unless --mlflow URI is typed or MLFLOW_TRACKING_URI is set: leave it out",
    ),
    (&["hilos"], "--threads N says on how many cores it works"),
];

/// What `search` tries, where that was not typed.
const SPACE: &str = "what is tried is a file with lines such as [space] and \"optimizer.lr\" = { float = [1e-4, 1e-2], log = true }; one that is ready to use is \
                     --space recipes/spaces/course.toml";

/// What `list` has under another name, by what people type for it.
const LISTED: &[(&[&str], &str)] = &[
    (
        &["loss", "losses", "criterion", "criteria", "perdidas"],
        "the loss is cross-entropy, and there is no other; its keys are among those of: pupila list keys",
    ),
    (&["architectures", "networks", "backbones", "modelos", "redes"], "type pupila list models"),
    (&["augmentations", "augmentation", "augment", "transformaciones"], "type pupila list transforms"),
    (&["optimisers", "optimizadores"], "type pupila list optimizers"),
    (&["schedulers", "lr-schedulers"], "type pupila list schedules"),
    (&["inits", "init", "initialisers", "initializations"], "type pupila list initializers"),
    (&["weights", "checkpoints"], "type pupila list pretrained"),
    (&["scores", "metricas"], "type pupila list metrics"),
    (&["experiments", "estudios"], "type pupila list studies"),
    (&["options", "settings", "recipe", "activations", "samplers", "claves"], "type pupila list keys"),
    (&["runs", "ejecuciones"], "type pupila runs"),
];

/// What other programs call the place of their results.
const OUTPUT_OPTIONS: &[&str] = &[
    "out",
    "output",
    "output-dir",
    "out-dir",
    "logdir",
    "log-dir",
    "save-dir",
    "project",
    "run-dir",
    "dir",
    "salida",
];

/// What `eval` and `predict` are told by its place, or by an option of another name.
const OF_A_MODEL: &[(&[&str], &str)] = &[
    (
        &[
            "model",
            "weights",
            "checkpoint",
            "run",
            "ckpt",
            "image",
            "images",
            "img",
            "input",
            "source",
            "data",
            "file",
        ],
        "the run comes first and what it judges behind it, without an option",
    ),
    (
        &["probs", "proba", "probabilities", "output", "out-file", "save", "export"],
        "the probabilities are written by --csv FILE",
    ),
    (&["test", "val"], "which part of the data is --split NAME: train, val or test"),
    (&["batch-size", "bs"], "there is nothing to choose of batches: leave it out"),
    (
        &["threshold", "conf"],
        "the class is the most likely one, without a threshold; --csv FILE has every probability",
    ),
    (&["topk", "top-k", "k"], "the K most likely classes are shown by --top K"),
    (&["tta-flips", "augment"], "several views of an image are averaged by --tta flips"),
];

/// The option of a command that sets a key: its help names the key at its end, `[train.batch]`.
fn own_option(command: &str, key: &str) -> Option<String> {
    let all = super::Cli::command();
    let command = all.find_subcommand(command)?;
    let names = |argument: &&clap::Arg| {
        // A switch such as --no-tensorboard turns its key off.
        argument.get_action().takes_values()
            && argument.get_help().is_some_and(|help| help.to_string().ends_with(&format!("[{key}]")))
    };
    command.get_arguments().find(names)?.get_long().map(|long| format!("--{long}"))
}

/// The mistake with what to type instead, where that can be told, in the place of what clap would guess by the letters alone.
pub(crate) fn with_hint(error: clap::Error, typed: &[String]) -> clap::Error {
    let Some(hint) = hint(&error, typed) else { return error };
    let guesses = [
        ContextKind::SuggestedArg,
        ContextKind::SuggestedSubcommand,
        ContextKind::SuggestedValue,
        ContextKind::Suggested,
        ContextKind::TrailingArg,
    ];
    let mut told = clap::Error::new(error.kind()).with_cmd(&super::Cli::command());
    for (kind, value) in error.context().filter(|(kind, _)| !guesses.contains(kind)) {
        told.insert(kind, value.clone());
    }
    told.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    told
}

/// What to type instead, where a command or an option that does not exist, or a value without one, says what was meant.
fn hint(error: &clap::Error, typed: &[String]) -> Option<String> {
    match (error.kind(), error.get(ContextKind::InvalidSubcommand), error.get(ContextKind::InvalidArg)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(verb)), _) => verbs::meant(verb, typed),
        (ErrorKind::UnknownArgument, _, Some(ContextValue::String(unknown))) => {
            unknown_argument(unknown, typed)
        }
        (ErrorKind::MissingRequiredArgument, _, Some(ContextValue::Strings(missing)))
            if missing.iter().any(|argument| argument.starts_with("--space")) =>
        {
            Some(SPACE.to_owned())
        }
        (ErrorKind::InvalidValue, _, _) => {
            let Some(ContextValue::String(value)) = error.get(ContextKind::InvalidValue) else { return None };
            let is_list = typed.iter().find(|word| !word.starts_with('-')).is_some_and(|word| word == "list");
            is_list.then(|| listed(value)).flatten()
        }
        _ => None,
    }
}

/// What to type for something that `list` has under another name.
fn listed(what: &str) -> Option<String> {
    let what = what.to_lowercase().replace('_', "-");
    LISTED.iter().find(|(names, _)| names.contains(&what.as_str())).map(|(_, said)| (*said).to_owned())
}

fn unknown_argument(unknown: &str, typed: &[String]) -> Option<String> {
    let at = typed.iter().position(|word| word == unknown || word.starts_with(&format!("{unknown}=")))?;
    let Some(name) = unknown.strip_prefix("--") else {
        let [.., option, key] = &typed[..at] else { return None };
        let is_setting = option == "--set" && !key.contains('=');
        return is_setting
            .then(|| format!("--set takes the key and its value in one word: type --set {key}={unknown}"));
    };
    let command = typed.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
    let inline = typed[at].split_once('=').map(|(_, value)| value.to_owned());
    // A word behind an option is its value, unless it is the data or another option.
    let next = || typed.get(at + 1).filter(|next| !next.starts_with("--")).cloned();
    let value = inline.or_else(next);
    let value = value.as_deref();
    let makes_runs = ["train", "study", "search"].contains(&command);
    if let Some((_, said)) = OPTIONS.iter().find(|(names, _)| makes_runs && names.contains(&name)) {
        return Some((*said).to_owned());
    }
    if makes_runs && OUTPUT_OPTIONS.contains(&name) {
        return Some(
            "the folder that runs are made in is --runs DIR, and a run's own name --name NAME".to_owned(),
        );
    }
    let of_a_model = || OF_A_MODEL.iter().find(|(names, _)| names.contains(&name)).map(|(_, said)| *said);
    match command {
        "predict" | "eval" if let Some(said) = of_a_model() => {
            let usage = if command == "predict" { "RUN IMAGE_OR_FOLDER" } else { "RUN DATA" };
            let shown = if said.contains("behind it") {
                format!(": type pupila {command} {usage}")
            } else {
                String::new()
            };
            return Some(format!("{said}{shown}"));
        }
        _ => {}
    }
    let takes_settings = ["train", "study", "search", "augment", "bench", "inspect"].contains(&command);
    if !takes_settings {
        // What a trained model is has been said; how it is run may be.
        let has_threads = super::Cli::command()
            .find_subcommand(command)
            .is_some_and(|command| command.get_arguments().any(|of| of.get_id() == "threads"));
        let answer = key_answer(name, value);
        return answer.filter(|said| has_threads && said.contains("--threads"));
    }
    if name == "patience" {
        return Some(format!(
            "early stopping is a key of the recipe: type {}",
            setting_of("early_stopping.patience", value)
        ));
    }
    if let Some(key) = key_named(name, value) {
        return Some(match own_option(command, &key) {
            Some(option) => format!("that is {option} here: type {option} {}", option_value(&key, value)),
            None => format!("{name} is a key of the recipe: type {}", setting_of(&key, value)),
        });
    }
    if let Some(answer) = key_answer(name, value) {
        return Some(answer);
    }
    let without = name.strip_prefix("no-")?;
    let Some(key) = key_meant(without) else { return key_answer(without, Some("false")) };
    Some(match setting_off(&key) {
        Some(setting) => format!("{without} is a key of the recipe: type {setting}"),
        None => format!("{key} is off unless it is given: leave it out"),
    })
}

/// The key that an option means: `--val 0.2` is a share, and no folder.
fn key_named(name: &str, value: Option<&str>) -> Option<String> {
    let is_number = value.is_some_and(|value| value.parse::<f64>().is_ok());
    match name {
        "val" | "valid" if is_number => Some("data.val_frac".to_owned()),
        "train" | "test" if is_number => None,
        _ => key_meant(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

    /// The words of a line as a shell has them.
    fn words_of(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for c in line.chars() {
            match c {
                '\'' => quoted = !quoted,
                ' ' if !quoted => words.push(String::new()),
                c => words.last_mut().unwrap().push(c),
            }
        }
        words.retain(|word| !word.is_empty());
        words
    }

    #[test]
    fn mistyped_options_are_answered_with_what_to_type() {
        let said = |line: &str| {
            let typed: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let error = Cli::try_parse_from(std::iter::once("pupila").chain(line.split(' '))).unwrap_err();
            hint(&error, &typed)
        };
        for (line, words) in [
            ("train d --early-stopping 5", "--set early_stopping.patience=5"),
            ("train d --early-stopping=5", "--set early_stopping.patience=5"),
            ("train d --dropout 0.5", "--set model.dropout=0.5"),
            ("train d --hidden 512,256", "--set model.hidden=512,256"),
            ("bench --optimizer SGD", "--set optimizer.name=sgd"),
            ("train d --patience 3", "--set early_stopping.patience=3"),
            ("train d --no-augment", "type --set augment.transforms=none"),
            ("train d --val-split 0.3", "type --set data.val_frac=0.3"),
            ("train d --validation_split=0.3", "type --set data.val_frac=0.3"),
            ("train d --image-size 128", "type --size 128"),
            ("study d --imgsz=128", "type --size 128"),
            ("train d --batch-size 16", "type --batch 16"),
            ("bench --batch-size 16", "type --batch 16"),
            ("search d --space s.toml --optimizer adamw", "type --set optimizer.name=adamw"),
            ("train d --learning-rate 0.01", "type --lr 0.01"),
            ("study d --lr 0.01", "type --set optimizer.lr=0.01"),
            ("train d --random-state 7", "type --seed 7"),
            ("train d --n-splits 5", "type --set data.folds=5"),
            ("train d --max-epochs", "type --epochs 30"),
            ("train d --device cpu", "how many of its cores"),
            ("train d --shuffle", "leave it out"),
            ("predict r x.jpg --device cpu", "how many of its cores"),
            ("eval r --num-workers 2", "leave the key out"),
            ("train d --loss focal", "--set loss.class_weights=balanced"),
            ("train d --test-size 0.2", "(--set data.test=FOLDER)"),
            ("train d --horizontal-flip 0.5", "(all in one list, with those that are there)"),
            ("train d --gpu", "how many of its cores"),
            ("train d --out x", "--runs DIR, and a run's own name --name NAME"),
            ("train d --mixup", "--set augment.mixup=0.2"),
            ("train --mixup d", "--set augment.mixup=0.2"),
            ("train d --augment", "type --set augment.transforms=horizontal_flip,rotate"),
            (
                "train d --augment A.Compose([A.HorizontalFlip(p=0.5),A.RandomBrightnessContrast()])",
                "type --set 'augment.transforms=[{ horizontal_flip = { p = 0.5 } }, { random_brightness_contrast = {} }]'",
            ),
            ("train d --no-dropout", "type --set model.dropout=0.0"),
            ("train d --no-early-stopping", "leave it out"),
            ("train d --no-cache", "type --set data.cache=false"),
            ("train d --no-shuffle", "leave it out"),
            ("train d --batchnorm", "type --set model.batch_norm=true"),
            ("train --batchnorm d", "type --set model.batch_norm=true"),
            ("train d --early-stopping", "type --set early_stopping.patience=5"),
            ("train d --cv 5", "type --set data.folds=5"),
            ("train d --folds 5", "type --set data.folds=5"),
            ("train d --momentum 0.9", "type --set optimizer.name=sgd --set optimizer.momentum=0.9"),
            ("train d --gamma 0.5", "type --set schedule.name=step --set schedule.gamma=0.5"),
            ("train d --scheduler CosineAnnealingLR", "type --set schedule.name=cosine"),
            ("train d --seeds 3", "--seeds 3` (`pupila list studies`)"),
            ("train d --tensorboard", "leave it out"),
            ("train d --input-size 32", "type --size 32"),
            ("train d --img 32", "type --size 32"),
            ("train d --val 0.3", "type --set data.val_frac=0.3"),
            ("train d --val holdout", "type --set data.val=holdout"),
            ("train d --test 0.2", "(--set data.test=FOLDER)"),
            ("train d --workers 4", "on how many cores it works"),
            ("train d --cuda", "how many of its cores"),
            ("train d --amp", "leave it out"),
            ("train d --resume runs/a", "`pupila resume runs/a`"),
            ("train d --pretrained", "has those that are known"),
            ("train d --config r.toml", "type --recipe FILE"),
            ("train d --alpha 0.4", "type which"),
            ("train d --epocas 3", "type --epochs 3"),
            ("train d --tamano 32", "type --size 32"),
            ("train d --tama\u{f1}o 32", "type --size 32"),
            ("train d --lote 16", "type --batch 16"),
            ("train d --tasa-aprendizaje 0.01", "type --lr 0.01"),
            ("predict --model r --image x.jpg", "type pupila predict RUN IMAGE_OR_FOLDER"),
            ("predict r x.jpg --probs", "written by --csv FILE"),
            ("eval r --test", "--split NAME: train, val or test"),
            ("predict r x.jpg --top-k 2", "--top K"),
            ("train d --set model.dropout 0.5", "type --set model.dropout=0.5"),
        ] {
            let hint = said(line).unwrap_or_else(|| panic!("{line} is not answered"));
            assert!(hint.ends_with(words), "{line}: {hint}");
            // What is said to be typed is taken by the command.
            let command = line.split(' ').next().unwrap();
            let needed = match command {
                "search" => "d --space s.toml",
                "study" => "s d",
                "bench" => "",
                _ => "d",
            };
            if let Some((_, shown)) = hint.split_once(": type --") {
                let shown = shown.split(" (all").next().unwrap();
                let line = words_of(&format!("pupila {command} {needed} --{shown}"));
                assert!(Cli::try_parse_from(&line).is_ok(), "{hint}: {line:?}");
            }
        }
        for line in ["train d --nonsense 5", "runs d --dropout 0.5", "train d e"] {
            assert_eq!(said(line), None, "{line}");
        }
    }

    #[test]
    fn what_is_called_otherwise_is_answered_with_its_name_here() {
        let hint_of = |line: &str| {
            let typed: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let error = Cli::try_parse_from(std::iter::once("pupila").chain(line.split(' '))).unwrap_err();
            hint(&error, &typed)
        };
        for (line, words) in [
            ("list losses", "the loss is cross-entropy"),
            ("list architectures", "pupila list models"),
            ("list lr_schedulers", "pupila list schedules"),
            ("search d", "--space recipes/spaces/course.toml"),
            ("search d --trials 3", "--space recipes/spaces/course.toml"),
            ("train d --transfer runs/a", "--init-from RUN_OR_FILE"),
            ("train d --finetune runs/a", "--init-from RUN_OR_FILE"),
            ("study s d --transfer-from=runs/a", "--init-from RUN_OR_FILE"),
        ] {
            let said = hint_of(line).unwrap_or_else(|| panic!("{line} is not answered"));
            assert!(said.contains(words), "{line}: {said}");
        }
        for line in ["list nonsense", "search", "runs --trials many"] {
            assert!(hint_of(line).is_none_or(|said| !said.contains("pupila list")), "{line}");
        }
        for (names, said) in LISTED {
            if let Some(command) = said.strip_prefix("type pupila ") {
                let line = std::iter::once("pupila").chain(command.split(' '));
                assert!(Cli::try_parse_from(line).is_ok(), "{said}");
            }
            for name in *names {
                assert!(Cli::try_parse_from(["pupila", "list", name]).is_err(), "{name} is there");
            }
        }
    }
}
