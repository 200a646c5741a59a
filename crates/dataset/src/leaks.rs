//! Judged images that are trained on too.

use crate::units::units;
use crate::{Dataset, Split};
use std::collections::{HashMap, HashSet};

impl Dataset {
    /// For each of the samples `judged` a training sample with the same content, if there is one: its answer is known by heart.
    pub fn copies_in_training(&self, judged: &[usize]) -> Vec<Option<usize>> {
        let mut trained: HashMap<u128, usize> = HashMap::new();
        for (place, sample) in
            self.samples.iter().enumerate().filter(|(_, sample)| sample.split == Split::Train)
        {
            trained.entry(sample.content).or_insert(place);
        }
        let copy = |&place: &usize| match self.samples[place].split {
            Split::Train => None,
            _ => trained.get(&self.samples[place].content).copied(),
        };
        judged.iter().map(copy).collect()
    }

    /// Names for what each of the samples `judged` belongs to: its group, the samples with the same content, and whatever ties these
    /// together; empty where it stands for itself. `None` where all do.
    pub fn units_of(&self, judged: &[usize]) -> Option<Vec<String>> {
        let chosen: Vec<crate::Sample> = judged.iter().map(|&place| self.samples[place].clone()).collect();
        let mut names = vec![String::new(); chosen.len()];
        for unit in units(&chosen, |_| true) {
            let group = unit.iter().find_map(|&place| chosen[place].group.as_deref());
            let copies = || format!("copies of {}", chosen[unit[0]].path.display());
            match (group, unit.len()) {
                (Some(group), _) => unit.iter().for_each(|&place| names[place] = group.to_owned()),
                (None, 1) => {}
                (None, _) => unit.iter().for_each(|&place| names[place] = copies()),
            }
        }
        names.iter().any(|name| !name.is_empty()).then_some(names)
    }

    /// Leaves out the training images of which validation or test have a copy, so that these stay what they are. The notices say how many.
    pub(crate) fn drop_leaks(&mut self) {
        let judged = self.samples.iter().filter(|sample| sample.split != Split::Train);
        let judged: HashSet<u128> = judged.map(|sample| sample.content).collect();
        let before = self.samples.len();
        self.samples.retain(|sample| sample.split != Split::Train || !judged.contains(&sample.content));
        let images = before - self.samples.len();
        if images > 0 {
            self.notices.push(crate::Notice::LeaksDropped { images });
        }
    }
}
