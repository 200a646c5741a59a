//! A recipe in which nothing is wrong, with what was worked out of it while it was checked.

use super::{Fault, Monitor, Origin, Recipe, RecipeErrors, schema};
use pupila_dataset::shown;
use pupila_dataset::{Dataset, Split, shown_path};
use pupila_image::{Framing, Image, ImageError};
use pupila_loader::makes_inputs;
use pupila_network::architectures;
use pupila_transforms::{
    MaskError, Pipeline, RandomResizedCrop, SampleKey, Shape, Transform, TransformConfig,
};
use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Value;

/// A checked recipe, which knows where each of its values comes from. It cannot be changed: whoever wants another one takes
/// the [`Recipe`] out and has it checked again.
#[derive(Debug, Clone)]
pub struct CheckedRecipe {
    recipe: Recipe,
    /// Origins of the values that are not defaults, by key.
    origins: BTreeMap<String, Origin>,
    monitor: Monitor,
    pipeline: Arc<Pipeline>,
    taken: Vec<String>,
    /// The text that it was read from, where it is one of this program's own.
    text: Option<String>,
}

impl Deref for CheckedRecipe {
    type Target = Recipe;

    fn deref(&self) -> &Recipe {
        &self.recipe
    }
}

impl Default for CheckedRecipe {
    fn default() -> Self {
        let checked = Recipe::default().checked();
        checked.unwrap_or_else(|errors| unreachable!("the default recipe is valid: {errors}"))
    }
}

impl Recipe {
    /// The recipe, if nothing is wrong with it that can be told without the data.
    ///
    /// # Errors
    /// All faults.
    pub fn checked(self) -> Result<CheckedRecipe, RecipeErrors> {
        let changed = self.changed().into_iter();
        let origins = changed.map(|key| (key, Origin::Code)).collect();
        CheckedRecipe::new(self, origins, |_| false)
    }

    /// The keys whose values are not the defaults.
    pub(super) fn changed(&self) -> Vec<String> {
        let (mine, theirs) = (Value::try_from(self).ok(), Value::try_from(Recipe::default()).ok());
        let value = |all: &Option<Value>, key: &str| {
            let (section, name) = key.split_once('.')?;
            all.as_ref()?.get(section)?.get(name).cloned()
        };
        schema::keys().into_iter().filter(|key| value(&mine, key) != value(&theirs, key)).collect()
    }
}

impl CheckedRecipe {
    /// A recipe whose values come from these places, if nothing is wrong with it but what is allowed.
    pub(super) fn new(
        mut recipe: Recipe,
        origins: BTreeMap<String, Origin>,
        allowed: impl Fn(&Fault) -> bool,
    ) -> Result<Self, RecipeErrors> {
        // Spelled out, so that a later change of a default does not alter what this recipe means.
        recipe.model = architectures::resolve(&recipe.model).unwrap_or(recipe.model);
        if recipe.input.rule().keeps() {
            let Shape { height, width, .. } = recipe.input.shape();
            for transform in
                recipe.augment.transforms.iter_mut().filter(|t| t.name == RandomResizedCrop::NAME)
            {
                // Of what is kept a crop of the input's size is meant, where none is said.
                transform.parameters.entry("size").or_insert_with(|| serde_json::json!([height, width]));
            }
        }
        let mut faults = recipe.faults();
        if recipe.transfer.fits_head() {
            // What is fitted is judged once.
            (recipe.train.epochs, recipe.train.ema_decay) = (1, None);
        }
        faults.retain(|fault| !allowed(fault));
        for fault in &mut faults {
            let of = |key: &&String| fault.key == **key || fault.key.starts_with(&format!("{key}["));
            // A key that was set in code is told by its name alone.
            fault.origin = origins
                .keys()
                .find(of)
                .and_then(|key| origins.get(key))
                .filter(|origin| **origin != Origin::Code)
                .cloned();
        }
        // What TOML cannot hold could not be written into the run folder.
        if let Err(error) = Value::try_from(&recipe)
            && faults.is_empty()
        {
            faults.push(Fault::new("", format!("the recipe cannot be written as TOML: {error}")));
        }
        if !faults.is_empty() {
            return Err(RecipeErrors(faults));
        }
        // Nothing of this can fail any more; if it does, it is told as what it is.
        let monitor = Monitor::parse(&recipe.train.monitor)
            .map_err(|error| RecipeErrors(vec![Fault::new("train.monitor", error.to_string())]))?;
        let pipeline = Pipeline::from_config(&recipe.augment.transforms)
            .map_err(|error| RecipeErrors(vec![Fault::new("augment.transforms", error.to_string())]))?;
        Ok(CheckedRecipe {
            recipe,
            origins,
            monitor,
            pipeline: Arc::new(pipeline),
            taken: Vec::new(),
            text: None,
        })
    }

    /// What was typed otherwise than a recipe has it, and what it was taken as: a sentence each.
    pub fn taken(&self) -> &[String] {
        &self.taken
    }

    pub(super) fn with_taken(self, taken: Vec<String>) -> Self {
        CheckedRecipe { taken, ..self }
    }

    /// The recipe, written as the text that it was read from: that of a run's own `recipe.toml`, which says where each value came from when the run
    /// began.
    #[must_use]
    pub fn with_text(self, text: String) -> Self {
        CheckedRecipe { text: Some(text), ..self }
    }

    /// The recipe, with the SHA-256 of the weights that it begins from, unless it names one.
    #[must_use]
    pub fn with_sha256(mut self, path: PathBuf, sha256: String) -> Self {
        self.recipe.transfer.sha256.get_or_insert(sha256);
        self.origins.entry("transfer.sha256".into()).or_insert(Origin::Weights(path));
        self
    }

    /// The recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The recipe, to be changed and checked again.
    pub fn into_recipe(self) -> Recipe {
        self.recipe
    }

    /// The metric that decides which epoch is the best.
    pub fn monitor(&self) -> Monitor {
        self.monitor
    }

    /// The augmentation.
    pub fn pipeline(&self) -> &Arc<Pipeline> {
        &self.pipeline
    }

    /// An image to train on as the network sees it in an epoch: varied, and made an input where it is kept at a size of its own.
    ///
    /// # Errors
    /// Where a transform leaves no pixel.
    pub fn varied(&self, image: &Image, key: SampleKey) -> Result<Image, ImageError> {
        let varied = self.pipeline.apply_to_image(image, key)?;
        Ok(match self.framing_of_varied() {
            Some(framing) => framing.input(&varied),
            None => varied,
        })
    }

    /// An image to train on, as [`Self::varied`] has it, with its mask, which is moved, cut and resized with it; its values are not mixed.
    ///
    /// # Errors
    /// Where the mask is not as high and as wide as the image, or a transform leaves no pixel.
    pub fn varied_with_mask(
        &self,
        image: &Image,
        mask: &Image,
        key: SampleKey,
    ) -> Result<(Image, Image), MaskError> {
        let (image, mask) = self.pipeline.apply_to_image_and_mask(image, mask, key)?;
        Ok(match self.framing_of_varied() {
            Some(framing) => (framing.input(&image), framing.mask(&mask)),
            None => (image, mask),
        })
    }

    /// Transforms that training images are too small for, at the size at which they are kept: each with how many, and the first of them.
    pub fn check_kept(&self, dataset: &Dataset) -> Vec<Fault> {
        let rule = self.input.rule();
        if !rule.keeps() {
            return Vec::new();
        }
        let train = dataset.indices(Split::Train);
        let mut found: BTreeMap<usize, (String, usize, &Path)> = BTreeMap::new();
        for sample in train.iter().map(|&at| &dataset.samples[at]) {
            let [height, width] = rule.kept_size([sample.height, sample.width]).map(|side| side as usize);
            let shape = Shape { height, width, channels: usize::from(rule.channels) };
            // Of a bad image no size is known.
            for (place, why) in if height * width > 0 { self.pipeline.misfits(shape) } else { Vec::new() } {
                found.entry(place).or_insert((why, 0, &sample.path)).1 += 1;
            }
        }
        let fault = |(place, (why, count, first)): (usize, (String, usize, &Path))| {
            let name = self.augment.transforms.get(place).map_or("", |of| of.name.as_str());
            let message = format!(
                "{why}; so it is of {count} of {} training images as they are kept (input.keep), such as {}",
                train.len(),
                shown_path(first)
            );
            Fault::new(format!("augment.transforms[{place}].{name}"), message)
        };
        found.into_iter().map(fault).collect()
    }

    /// What makes an input of a varied image; none where it is one already.
    fn framing_of_varied(&self) -> Option<Framing> {
        let rule = self.input.rule();
        (rule.keeps() && !makes_inputs(&self.pipeline, self.input.shape())).then(|| rule.framing())
    }

    /// The names of the transforms of the caller's own, which a recipe file cannot name.
    pub fn own_transforms(&self) -> Vec<String> {
        let own = self.recipe.augment.transforms.iter().filter(|transform| transform.is_own());
        own.map(|transform: &TransformConfig| transform.name.clone()).collect()
    }

    /// Where a key's value comes from.
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).cloned().unwrap_or(Origin::Default)
    }

    /// The whole recipe as TOML, each value with a comment that says where it comes from. It reads back as the same
    /// recipe, but for transforms of the caller's own.
    pub fn to_toml(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let mut text =
            String::from("# The recipe of this run, every value spelled out, with where it comes from.\n");
        for name in self.own_transforms() {
            text += &format!(
                "# The transform `{name}` is the caller's own: this recipe runs only in a program that has it.\n"
            );
        }
        let Ok(Value::Table(table)) = Value::try_from(&self.recipe) else { return text };
        let known = schema::keys();
        for section in schema::sections() {
            text += &format!("\n[{section}]\n");
            let values = table.get(section).and_then(Value::as_table);
            for key in known.iter().filter(|key| key.split_once('.').is_some_and(|(s, _)| s == section)) {
                let name = &key[section.len() + 1..];
                text += &match values.and_then(|values| values.get(name)) {
                    Some(value) => {
                        format!("{:<44} # {}\n", format!("{name} = {value}"), comment(&self.origin(key)))
                    }
                    None => format!("# {name} is not set\n"),
                };
            }
        }
        text
    }
}

/// An origin on one line: a path or what was typed may hold a line break, behind which its rest would be keys.
fn comment(origin: &Origin) -> String {
    shown(&origin.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::{Augment, Layers, Train};
    use pupila_transforms::HorizontalFlip;

    #[test]
    fn what_was_typed_stays_in_its_comment() {
        let settings = ["train.epochs=3\n[train]\nseed=5", "train.batch=7 \u{7f}\u{1}"];
        let path = "a\n[train]\nseed = 9\n.toml";
        for typed in settings {
            let option = format!("--set {typed}");
            let assignment = typed.split(['\n', ' ']).next().unwrap_or_default().to_owned();
            let file = Some((path.into(), "[optimizer]\nlr = 0.5\n".into()));
            let settings = vec![crate::recipe::Setting { assignment, option }];
            let recipe = Layers { file, settings, learnt: None }.resolve().unwrap();
            let again = Layers {
                file: Some(("r.toml".into(), recipe.to_toml())),
                settings: Vec::new(),
                learnt: None,
            };
            assert_eq!(again.resolve().unwrap().recipe(), recipe.recipe());
        }
    }

    #[test]
    fn a_recipe_in_code_is_the_one_in_toml_and_is_checked_like_it() {
        let recipe = Recipe {
            train: Train { epochs: 3, ..Train::default() },
            augment: Augment::of([HorizontalFlip { p: 0.25 }.into()]),
            ..Recipe::default()
        };
        let in_code = recipe.clone().checked().unwrap();
        let text = "[train]\nepochs = 3\n[augment]\ntransforms = [{ horizontal_flip = { p = 0.25 } }]\n";
        let layers =
            Layers { file: Some(("r.toml".into(), text.into())), settings: Vec::new(), learnt: None };
        assert_eq!(in_code.recipe(), layers.resolve().unwrap().recipe());
        assert_eq!(
            (in_code.origin("train.epochs"), in_code.origin("train.batch")),
            (Origin::Code, Origin::Default)
        );
        assert!(in_code.to_toml().contains("# set in code"));
        for seed in [u64::MAX, 1 << 63] {
            let large = Recipe { train: Train { seed, ..Train::default() }, ..Recipe::default() };
            let told = large.checked().unwrap_err().to_string();
            assert!(told.starts_with("train.seed must be at most 9223372036854775807"), "{told}");
        }
        let wrong = Recipe {
            train: Train { epochs: 0, monitor: "val/f1".into(), ..Train::default() },
            augment: Augment::of([HorizontalFlip { p: 2.0 }.into()]),
            ..Recipe::default()
        };
        let faults = wrong.checked().unwrap_err();
        let told = faults.to_string();
        assert_eq!(faults.0.len(), 3, "{told}");
        assert!(told.contains("train.epochs must be at least 1\n"), "{told}");
        assert!(told.starts_with("augment.transforms[0].horizontal_flip.p expected a probability"), "{told}");
    }
}
