//! What was probably meant by an option that there is not.

use clap::CommandFactory as _;

/// Options of other programs where a key's own answer is not the whole one.
const OPTIONS: &[(&[&str], &str)] = &[
    (&["patience"], "early stopping is a key of the recipe: type --set early_stopping.patience=VALUE"),
    (&["gpu", "cuda"], "it trains on the processor; --threads N says on how many of its cores"),
    (&["num-workers", "workers", "n-jobs", "jobs"], "--threads N says on how many cores it works"),
    (&["tama\u{f1}o"], "the side of the images is --size VALUE"),
    (
        &["pretrained", "weights"],
        "--init-from WEIGHTS begins with learnt ones; pupila list pretrained has those that are known",
    ),
];

/// What other programs call the place of their results.
const OUTPUT_OPTIONS: &[&str] =
    &["out", "output", "output-dir", "out-dir", "logdir", "log-dir", "save-dir", "project", "run-dir", "dir"];

/// The option of a command that sets a key: its help names the key at its end, `[train.batch]`.
fn own_option(command: &str, key: &str) -> Option<String> {
    let all = super::Cli::command();
    let command = all.find_subcommand(command)?;
    let names = |argument: &&clap::Arg| {
        argument.get_help().is_some_and(|help| help.to_string().ends_with(&format!("[{key}]")))
    };
    command.get_arguments().find(names)?.get_long().map(|long| format!("--{long}"))
}

/// What to type instead, where an option that does not exist, or a value without one, says what was meant.
pub(crate) fn hint(error: &clap::Error, typed: &[String]) -> Option<String> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let (ErrorKind::UnknownArgument, Some(ContextValue::String(unknown))) =
        (error.kind(), error.get(ContextKind::InvalidArg))
    else {
        return None;
    };
    let at = typed.iter().position(|word| word == unknown || word.starts_with(&format!("{unknown}=")))?;
    if let Some(name) = unknown.strip_prefix("--") {
        let command = typed.iter().find(|word| !word.starts_with('-')).map_or("", String::as_str);
        let inline = typed[at].split_once('=').map(|(_, value)| value.to_owned());
        // A word behind an option is its value, unless it is the data or another option.
        let next = || typed.get(at + 1).filter(|next| !next.starts_with("--")).cloned();
        let value = inline.or_else(next);
        let shown = value.as_deref().unwrap_or("VALUE");
        let makes_runs = ["train", "study", "search"].contains(&command);
        if let Some((_, said)) = OPTIONS.iter().find(|(names, _)| makes_runs && names.contains(&name)) {
            return Some(said.replace("VALUE", shown));
        }
        if makes_runs && OUTPUT_OPTIONS.contains(&name) {
            return Some(
                "the folder that runs are made in is --runs DIR, and a run's own name --name NAME".to_owned(),
            );
        }
        let takes_settings = ["train", "study", "search", "augment", "bench", "inspect"].contains(&command);
        if !takes_settings {
            // What a trained model is has been said; how it is run may be.
            let has_threads = super::Cli::command()
                .find_subcommand(command)
                .is_some_and(|command| command.get_arguments().any(|of| of.get_id() == "threads"));
            let answer = pupila::recipe::key_answer(name, value.as_deref());
            return answer.filter(|said| has_threads && said.contains("--threads"));
        }
        let Some(key) = pupila::recipe::key_meant(name) else {
            return pupila::recipe::key_answer(name, value.as_deref());
        };
        if let Some(option) = own_option(command, &key) {
            return Some(format!("that is {option} here: type {option} {shown}"));
        }
        let setting = format!("{key}={shown}");
        let quoted = match setting.contains(|c: char| c.is_whitespace() || "[]{}()\"$&;|<>*?!".contains(c)) {
            true => format!("'{setting}'"),
            false => setting,
        };
        return Some(format!("{name} is a key of the recipe: type --set {quoted}"));
    }
    let [.., option, key] = &typed[..at] else { return None };
    let is_setting = option == "--set" && !key.contains('=');
    is_setting.then(|| format!("--set takes the key and its value in one word: type --set {key}={unknown}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::Parser;

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
            ("bench --optimizer SGD", "--set optimizer.name=SGD"),
            ("train d --patience 3", "--set early_stopping.patience=3"),
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
            ("train d --max-epochs", "type --epochs VALUE"),
            ("train d --device cpu", "how many of its cores"),
            ("train d --shuffle", "leave it out"),
            ("predict r x.jpg --device cpu", "how many of its cores"),
            ("eval r --num-workers 2", "leave the key out"),
            ("train d --loss focal", "([loss] has label_smoothing, class_weights)"),
            ("train d --test-size 0.2", "(data.test=FOLDER)"),
            ("train d --horizontal-flip 0.5", "(all in one list, with those that are there)"),
            ("train d --gpu", "how many of its cores"),
            ("train d --out x", "--runs DIR, and a run's own name --name NAME"),
            ("train d --mixup", "--set augment.mixup=VALUE"),
            ("train d --set model.dropout 0.5", "type --set model.dropout=0.5"),
        ] {
            assert!(said(line).is_some_and(|hint| hint.ends_with(words)), "{line}: {:?}", said(line));
        }
        for line in ["train d --nonsense 5", "runs d --dropout 0.5", "train d e"] {
            assert_eq!(said(line), None, "{line}");
        }
    }
}
