//! What the notes say of a test set: how often it was looked at, by how many models, and how much the best of them is flattered.

use crate::looks::{Look, Looks};
use crate::looks_shared::SharedLooks;
use pupila_metrics::{optimism_of_best, optimism_of_independent};
use serde::{Deserialize, Serialize};

/// Of the looks at a test set.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct LooksSummary {
    /// The fingerprint of the test set.
    pub test_set: String,
    /// Its images.
    pub images: usize,
    /// Evaluations that are known, this one among them.
    pub evaluations: usize,
    /// Models that are known to be judged, this one among them: the same model twice is one.
    pub models: usize,
    /// The first that is known, in seconds since 1970.
    pub first_at_s: u64,
    /// The highest accuracy of all of them.
    pub best_accuracy: Option<f64>,
    /// The run of it.
    pub best_run: String,
    /// How much the best of so many models is flattered on average, in accuracy, at most; 0 for one model.
    pub optimism_frac: Option<f64>,
    /// The same if the models' mistakes had nothing in common.
    pub optimism_of_independent_frac: Option<f64>,
    /// Lines of the record that cannot be read.
    pub damaged_lines: usize,
    /// Looks at other test sets that have images of this one, those with most of them first; `optimism_frac` knows nothing of them.
    pub shared: Vec<SharedLooks>,
    /// What is to be said of the record itself: that there was none, or why it is not known.
    pub record: String,
    /// What went wrong with the record, which ends nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}

impl LooksSummary {
    /// Of a look and those before it. `groups` says which images belong together, in the order of the look's bits.
    pub fn of(look: &Look, before: &Looks, groups: Option<&[u32]>) -> LooksSummary {
        // Of another number of images are none of this set's, whatever the fingerprint says.
        let same = before
            .looks
            .iter()
            .filter(|other| other.test_set == look.test_set && other.images == look.images);
        let all: Vec<&Look> = same.chain([look]).collect();
        let mut models: Vec<&Look> = Vec::new();
        for other in &all {
            if !models.iter().any(|known| known.is_of_the_same_model(other)) {
                models.push(other);
            }
        }
        let right: Vec<Vec<bool>> = models.iter().filter_map(|model| model.bits()).collect();
        let accuracy =
            |bits: &Vec<bool>| bits.iter().filter(|bit| **bit).count() as f64 / bits.len().max(1) as f64;
        let best = right.iter().map(accuracy).zip(&models).fold(
            None,
            |best: Option<(f64, &Look)>, (value, model)| {
                Some(best.filter(|best| best.0 >= value).unwrap_or((value, model)))
            },
        );
        let independent =
            best.map(|(accuracy, _)| optimism_of_independent(models.len(), look.images, accuracy));
        LooksSummary {
            test_set: look.test_set.clone(),
            images: look.images,
            evaluations: all.len(),
            models: models.len(),
            first_at_s: all.iter().map(|look| look.at_s).min().unwrap_or(look.at_s),
            best_accuracy: best.map(|(accuracy, _)| accuracy),
            best_run: best.map_or_else(String::new, |(_, look)| look.run.clone()),
            optimism_frac: optimism_of_best(&right, groups),
            optimism_of_independent_frac: independent.filter(|value| value.is_finite()),
            damaged_lines: before.damaged.len(),
            ..LooksSummary::default()
        }
    }

    /// What it says, in sentences.
    pub fn sentences(&self) -> Vec<String> {
        let mut said = Vec::new();
        if !self.record.is_empty() {
            said.push(self.record.clone());
        }
        let times = match self.evaluations {
            0 | 1 => "once".to_owned(),
            n => format!("{n} times"),
        };
        let models =
            if self.models == 1 { "one model".to_owned() } else { format!("{} models", self.models) };
        said.push(format!("This test set was looked at {times}, by {models}, as far as is known."));
        said.extend(self.shared_sentence());
        if let (Some(optimism), Some(best)) =
            (self.optimism_frac.filter(|_| self.models > 1), self.best_accuracy)
        {
            let independent = self.optimism_of_independent_frac.map_or(String::new(), |independent| {
                format!("; were their mistakes independent, {:.1}", 100.0 * independent)
            });
            said.push(format!(
                "The best of them, {} with an accuracy of {:.1} %, is flattered by up to {:.1} points on average, since it is the best of {}{independent}.",
                self.best_run,
                100.0 * best,
                100.0 * optimism,
                self.models
            ));
        }
        if self.damaged_lines > 0 {
            let lines = if self.damaged_lines == 1 {
                "one line".to_owned()
            } else {
                format!("{} lines", self.damaged_lines)
            };
            said.push(format!("Of the record {lines} cannot be read: there may have been more looks."));
        }
        said
    }

    fn shared_sentence(&self) -> Option<String> {
        let most = self.shared.first()?;
        let times = |count| if count == 1 { "once".to_owned() } else { format!("{count} times") };
        let models = |count| if count == 1 { "one model".to_owned() } else { format!("{count} models") };
        let which = match most.common == self.images {
            true => format!("All of its {}", self.images),
            false => format!("{} of its {}", most.common, self.images),
        };
        let sets = match self.shared.len() {
            1 => String::new(),
            2 => " The looks at one more set that shares images with it are in summary.json.".to_owned(),
            n => format!(" The looks at {} more sets that share images with it are in summary.json.", n - 1),
        };
        Some(format!(
            "{which} images are in another test set too, of {} images, which was looked at {}, by {}: what was chosen there is chosen by these images as well.{sets}",
            most.images,
            times(most.evaluations),
            models(most.models)
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(model: &str, run: &str, right: &[bool]) -> Look {
        let (test_set, model, run) = ("abc".to_owned(), model.to_owned(), run.to_owned());
        Look { test_set, at_s: 7, model, tta: None, run, images: right.len(), right: Look::digits(right) }
    }

    #[test]
    fn the_same_model_twice_is_one_choice() {
        let (a, b) = ([true, false, true, false], [true, true, true, false]);
        let before = Looks { looks: vec![look("a", "one", &a), look("a", "one", &a)], damaged: vec![3] };
        let again = LooksSummary::of(&look("a", "one", &a), &before, None);
        assert_eq!((again.evaluations, again.models, again.optimism_frac), (3, 1, Some(0.0)));
        assert!(!again.sentences().iter().any(|sentence| sentence.contains("flattered")));
        let other = LooksSummary::of(&look("b", "two", &b), &before, None);
        assert_eq!((other.evaluations, other.models, other.best_run.as_str()), (3, 2, "two"));
        assert_eq!((other.best_accuracy, other.damaged_lines), (Some(0.75), 1));
        assert!(other.optimism_frac.unwrap() > 0.0);
        let told = other.sentences().join(" ");
        assert!(
            told.contains("3 times, by 2 models") && told.contains("two with an accuracy of 75.0 %"),
            "{told}"
        );
        // Other views are other answers; another test set is none of this one's.
        let mut views = look("a", "one", &b);
        views.tta = Some("flips".into());
        assert_eq!(LooksSummary::of(&views, &before, None).models, 2);
        let mut foreign = look("c", "three", &b);
        foreign.test_set = "xyz".into();
        assert_eq!(LooksSummary::of(&foreign, &before, None).evaluations, 1);
    }
}
