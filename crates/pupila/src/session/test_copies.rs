//! Test images that are nearly the same as training images: known before training, since no score of them can be believed.

use super::{Session, decode_images};
use crate::error::Error;
use crate::memory_need::{available_bytes, held_bytes};
use pupila_dataset::{Dataset, OnBadImage, Split};
use pupila_train::MOST_COMPARED;

impl Session {
    /// The test images that are nearly the same as training images and no exact copies, each with the training image. None where the data have no test
    /// images, or these are not compared (see [`near_copies_of`](pupila_train::Images::near_copies_of)). The test images are read for it; nothing is judged by them.
    ///
    /// # Errors
    /// The images are not decoded yet, or the stop signal.
    pub fn near_copies_in_test(&self) -> Result<Option<Vec<(String, String)>>, Error> {
        let training = &self.prepared()?.images;
        let dataset = Dataset::clone(&training.dataset);
        let which = dataset.indices(Split::Test);
        if which.is_empty() || which.len() + training.len() > MOST_COMPARED {
            return Ok(None);
        }
        let rule = self.recipe.input.rule();
        self.pool.install(|| {
            let hold = self.recipe.data.hold.resolved(held_bytes(&rule, &dataset, &which), available_bytes());
            let (cache, policy) = (self.cache.as_ref(), OnBadImage::Skip);
            let test = decode_images(
                dataset,
                &which,
                &rule,
                cache,
                policy,
                hold,
                self.progress.as_ref(),
                &self.stop,
            )?;
            let all: Vec<u32> = (0..test.len() as u32).collect();
            let copies = training.near_copies_of(&test);
            let with_copy = |copies: Vec<Option<String>>| {
                let pairs = test.paths(&all).into_iter().zip(copies);
                pairs.filter_map(|(path, copy)| Some((path, copy?))).collect()
            };
            Ok(copies.map(with_copy))
        })
    }
}
