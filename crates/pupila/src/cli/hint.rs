//! What was probably meant by an option that there is not.

/// Options of other programs, and what stands for them here.
const OPTIONS: &[(&[&str], &str)] = &[
    (&["patience"], "early stopping is a key of the recipe: type --set early_stopping.patience=5"),
    (
        &["device", "gpu", "cuda", "accelerator"],
        "it trains on the processor; --threads N says on how many of its cores",
    ),
    (&["workers", "num-workers"], "--threads N says on how many cores it works"),
    (
        &["val-split", "validation-split", "val-frac"],
        "the share of the validation set is a key of the recipe: type --set data.val_frac=0.2",
    ),
    (&["grayscale", "gray", "greyscale"], "channels are a key of the recipe: type --set input.channels=1"),
    (&["image-size", "img-size", "resolution", "tama\u{f1}o"], "the side of the images is --size PX"),
    (
        &["pretrained", "weights"],
        "--init-from WEIGHTS begins with learnt ones; pupila list pretrained has those that are known",
    ),
];

/// What other programs call the place of their results.
const OUTPUT_OPTIONS: &[&str] =
    &["out", "output", "output-dir", "out-dir", "logdir", "log-dir", "save-dir", "project", "run-dir", "dir"];

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
        let makes_runs = ["train", "study"].contains(&typed.first()?.as_str());
        if let Some((_, said)) = OPTIONS.iter().find(|(names, _)| makes_runs && names.contains(&name)) {
            return Some((*said).to_owned());
        }
        if makes_runs && OUTPUT_OPTIONS.contains(&name) {
            return Some(
                "the folder that runs are made in is --runs DIR, and a run's own name --name NAME".to_owned(),
            );
        }
        let takes_settings = ["train", "study", "augment", "bench"].contains(&typed.first()?.as_str());
        let key = pupila::recipe::key_meant(name).filter(|_| takes_settings)?;
        let inline = typed[at].split_once('=').map(|(_, value)| value.to_owned());
        let next = || typed.get(at + 1).filter(|next| !next.starts_with("--")).cloned();
        let value = inline.or_else(next).unwrap_or_else(|| "VALUE".to_owned());
        return Some(format!("{name} is a key of the recipe: type --set {key}={value}"));
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
            ("train d --patience 3", "early_stopping.patience=5"),
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
