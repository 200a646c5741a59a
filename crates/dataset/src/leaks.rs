//! Judged images that are trained on too.

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

    /// Leaves out the training images of which validation or test have a copy, so that these stay what they are. How many, which the
    /// notices say too.
    pub fn drop_leaks(&mut self) -> usize {
        let judged = self.samples.iter().filter(|sample| sample.split != Split::Train);
        let judged: HashSet<u128> = judged.map(|sample| sample.content).collect();
        let before = self.samples.len();
        self.samples.retain(|sample| sample.split != Split::Train || !judged.contains(&sample.content));
        let images = before - self.samples.len();
        if images > 0 {
            self.notices.push(crate::Notice::LeaksDropped { images });
        }
        images
    }
}
