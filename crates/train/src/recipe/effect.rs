//! Keys that were set and change nothing: what they need is not there, or the data bring what they would have made.

use super::{CheckedRecipe, Origin};
use pupila_dataset::{Dataset, Split};

impl CheckedRecipe {
    /// The keys that were set and have no effect on a run over some data, a sentence each: why, and what to type instead, where anything would.
    pub fn without_effect(&self, dataset: &Dataset) -> Vec<String> {
        // A recipe that the program wrote spells out every default too, and nobody has set those.
        let changed = self.recipe().changed();
        let is_set =
            |key: &str| self.origin(key) != Origin::Default && changed.iter().any(|changed| changed == key);
        let data = &self.data;
        let samples = data.fraction < 1.0 || data.max_per_class.is_some();
        let given = !dataset.val_from_train && data.folds.is_none();
        let images = dataset.indices(Split::Val).len();
        let mut said = Vec::new();
        if is_set("data.val_frac") {
            // As near to the share as folds come.
            let folds = (1.0 / data.val_frac).round().max(2.0);
            said.extend(match data.folds {
                Some(folds) => Some(format!(
                    "data.val_frac = {} changes nothing: data.folds = {folds} cuts the validation set, one of {folds} parts",
                    data.val_frac
                )),
                None if given => Some(format!(
                    "data.val_frac = {} changes nothing: the data bring their own validation set, of {images} images; --set data.folds={folds} cuts it anew, \
                     one of {folds} parts of training and validation images together",
                    data.val_frac
                )),
                None => None,
            });
        }
        if is_set("data.split_seed") && given && !samples {
            said.push(
                "data.split_seed changes nothing: the data bring their own splits, and all of their images are used".to_owned(),
            );
        }
        if is_set("data.subset_seed") && !samples {
            said.push(
                "data.subset_seed changes nothing: all training images are used; data.fraction or data.max_per_class leave some of them"
                    .to_owned(),
            );
        }
        let epochs = self.train.epochs;
        // The first epoch is the best so far; the first without improvement is the second.
        if let Some(patience) =
            self.early_stopping.patience.filter(|patience| patience.saturating_add(1) >= epochs)
        {
            said.push(format!(
                "early_stopping.patience = {patience} changes nothing in a run of {}",
                in_words(epochs)
            ));
        }
        let schedule = match self.schedule.name.as_str() {
            "step" => Some(("step_epochs", self.schedule.step_epochs, self.schedule.step_epochs)),
            // It drops in the epoch behind those that are waited out.
            "plateau" => Some(("patience", self.schedule.patience, self.schedule.patience.saturating_add(2))),
            _ => None,
        };
        if let Some((key, value, _)) = schedule.filter(|(_, _, first)| *first >= epochs) {
            said.push(format!(
                "the schedule {} changes nothing in a run of {}: schedule.{key} = {value}",
                self.schedule.name,
                in_words(epochs)
            ));
        }
        if is_set("schedule.warmup_start") && self.schedule.warmup_steps == 0 {
            said.push(
                "schedule.warmup_start changes nothing without a warm-up: type --set schedule.warmup_steps=500 too".to_owned(),
            );
        }
        if is_set("augment.mix_p") && self.augment.mixup.is_none() && self.augment.cutmix.is_none() {
            said.push(
                "augment.mix_p changes nothing without a mixing: type --set augment.mixup=0.2 too".to_owned(),
            );
        }
        said
    }
}

fn in_words(epochs: u32) -> String {
    if epochs == 1 { "one epoch".to_owned() } else { format!("{epochs} epochs") }
}

#[cfg(test)]
mod tests {
    use crate::recipe::{CheckedRecipe, Layers, Setting};
    use crate::scan_for;
    use std::path::Path;

    /// The recipe as a run writes it, read again.
    fn spelled_out(recipe: &CheckedRecipe) -> CheckedRecipe {
        let file = Some(("recipe.toml".into(), recipe.to_toml()));
        Layers { file, settings: Vec::new(), learnt: None }.resolve().unwrap()
    }

    #[test]
    fn a_value_that_is_the_default_is_not_told() {
        let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/skin");
        let recipe = CheckedRecipe::default();
        let text = spelled_out(&recipe).to_toml();
        for key in ["val_frac", "warmup_start", "mix_p"] {
            assert!(text.contains(&format!("\n{key} = ")), "{key} is not spelled out: {text}");
        }
        let (dataset, _) = scan_for(&recipe, &given, None).unwrap();
        assert!(spelled_out(&recipe).without_effect(&dataset).is_empty());
    }

    #[test]
    fn what_is_set_and_changes_nothing_is_said() {
        let given = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../samples/skin");
        let classes = given.join("train");
        for (data, settings, words) in [
            (
                &given,
                "data.val_frac=0.3",
                "the data bring their own validation set, of 60 images; --set data.folds=3 cuts",
            ),
            (&given, "data.val_frac=0.8", "--set data.folds=2 cuts"),
            (&classes, "data.val_frac=0.3", ""),
            (&given, "data.val_frac=0.3 data.folds=5", "data.folds = 5 cuts the validation set"),
            (&classes, "data.val_frac=0.3 data.folds=5", "data.folds = 5 cuts the validation set"),
            (&given, "data.split_seed=3", "the data bring their own splits"),
            (&classes, "data.split_seed=3", ""),
            (&given, "data.split_seed=3 data.fraction=0.5", ""),
            (&given, "data.split_seed=3 data.folds=5", ""),
            (&given, "data.subset_seed=3", "all training images are used"),
            (&given, "data.subset_seed=3 data.max_per_class=9", ""),
            (&given, "schedule.warmup_start=0.2", "type --set schedule.warmup_steps=500 too"),
            (&given, "schedule.warmup_start=0.2 schedule.warmup_steps=5", ""),
            (&given, "augment.mix_p=0.5", "type --set augment.mixup=0.2 too"),
            (&given, "augment.mix_p=0.5 augment.cutmix=1.0", ""),
            (&given, "train.epochs=3", ""),
            (&given, "train.epochs=3 early_stopping.patience=2", "changes nothing in a run of 3 epochs"),
            (&given, "train.epochs=3 early_stopping.patience=1", ""),
            (&given, "train.epochs=5 schedule.name=step schedule.step_epochs=5", "schedule.step_epochs = 5"),
            (&given, "train.epochs=5 schedule.name=step schedule.step_epochs=4", ""),
            (&given, "train.epochs=1 schedule.name=plateau", "in a run of one epoch: schedule.patience = 10"),
            (&given, "train.epochs=9 schedule.name=plateau schedule.patience=7", "schedule.patience = 7"),
            (&given, "train.epochs=9 schedule.name=plateau schedule.patience=6", ""),
        ] {
            let setting = |s: &str| Setting { assignment: s.to_owned(), option: format!("--set {s}") };
            let settings_of = settings.split(' ').map(setting).collect();
            let recipe = Layers { file: None, settings: settings_of, learnt: None }.resolve().unwrap();
            let (dataset, _) = scan_for(&recipe, data, None).unwrap();
            let said = recipe.without_effect(&dataset);
            assert_eq!(spelled_out(&recipe).without_effect(&dataset), said, "{settings}");
            assert_eq!(said.len(), usize::from(!words.is_empty()), "{settings}: {said:?}");
            assert!(said.concat().contains(words), "{settings}: {said:?}");
        }
    }
}
