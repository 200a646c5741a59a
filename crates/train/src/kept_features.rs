//! Where features are kept between runs, and what they are kept by.
//!
//! In: what a frozen part is, as values and ops, and what an image goes through on its way to it. Out: a name that no other such pair has, by which the
//! cache has the features of each image's content. Whatever could change a bit of them is in the name; the seed, the optimizer, the head and the other images are
//! not, since a frozen part gives each image the same whatever these are.

use crate::data::Images;
use crate::recipe::CheckedRecipe;
use pupila_backend::{Backend, Learning};
use pupila_dataset::Cache;
use pupila_transforms::Normalization;
use std::fmt::Write as _;
use twox_hash::XxHash3_128;

/// How the engine works features out. To be raised whenever a bit of any network's output changes.
const ENGINE: u32 = 1;

/// The cache as a place for features of the images of a run.
#[derive(Debug)]
pub struct KeptFeatures<'a> {
    cache: &'a Cache,
    /// The hash of each image's content, by its place.
    contents: Vec<u128>,
    /// How an image becomes an input, and what works out the features.
    preparation: String,
    /// How views are drawn; none where a transform is the caller's own, which has no name to be kept by.
    pipeline: Option<String>,
}

impl<'a> KeptFeatures<'a> {
    /// The cache for a run on these images. `numerics` names what works out the features where that decides a bit of them, such as the set of
    /// instructions.
    pub fn new(
        cache: &'a Cache,
        images: &Images,
        recipe: &CheckedRecipe,
        normalization: &Normalization,
        numerics: &str,
    ) -> Self {
        let rule = recipe.input.rule();
        let pipeline = serde_json::to_string(&recipe.augment.transforms).ok();
        KeptFeatures {
            cache,
            contents: images.contents(),
            preparation: format!("{ENGINE} {numerics} {rule:?} {normalization:?}"),
            pipeline: pipeline.filter(|_| recipe.own_transforms().is_empty()),
        }
    }

    /// What all features of a frozen part are kept by: its ops, and every value of them.
    pub(crate) fn frozen_part(engine: &dyn Backend, learning: &Learning, len: usize) -> String {
        let (network, state) = (engine.network(), engine.state());
        let rests = |node: usize| {
            let learning = learning.of(node);
            learning.rate == 0.0 && learning.evaluates
        };
        let mut said = format!("{len}");
        for (id, node) in network.nodes().iter().enumerate().filter(|(id, _)| rests(*id)) {
            let _ = write!(said, " {id} {:?} {:?} {:?}", node.op, node.inputs, node.shape);
        }
        for spec in network.parameters().iter().filter(|spec| rests(spec.node)) {
            let values = state.get(&spec.name).map_or(&[][..], |tensor| &tensor.data);
            let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
            let _ = write!(said, " {} {:032x}", spec.name, XxHash3_128::oneshot(&bytes));
        }
        said
    }

    /// The name of a kind of features: those of images as they are, or of one of their views, counted from 0. None where it has none.
    pub(crate) fn kind(&self, frozen_part: &str, view: Option<u32>) -> Option<String> {
        let view = match view {
            None => String::new(),
            Some(view) => format!("{view} {}", self.pipeline.as_ref()?),
        };
        let all = format!("{} {frozen_part} {view}", self.preparation);
        Some(format!("features-{:032x}", XxHash3_128::oneshot(all.as_bytes())))
    }

    /// Hands over the features, of `len` values each, that are kept of some images, by their places. The number of places in the cache that were damaged.
    pub(crate) fn read(
        &self,
        kind: &str,
        len: usize,
        places: &[u32],
        mut take: impl FnMut(u32, &[f32]),
    ) -> usize {
        let wanted: Vec<u128> = places.iter().map(|&place| self.contents[place as usize]).collect();
        let mut row = vec![0.0; len];
        // What was met before is of others.
        self.cache.take_damaged();
        self.cache.read_records(kind, len * size_of::<f32>(), &wanted, |at, bytes| {
            let values = bytes.as_chunks::<4>().0.iter().map(|value| f32::from_le_bytes(*value));
            row.iter_mut().zip(values).for_each(|(to, value)| *to = value);
            take(places[at], &row);
        });
        self.cache.take_damaged()
    }

    /// Keeps features of some images: their places, and `rows: [places, len]`. What went wrong, in words.
    pub(crate) fn write(&self, kind: &str, len: usize, places: &[u32], rows: &[&[f32]]) -> Vec<String> {
        let bytes: Vec<Vec<u8>> =
            rows.iter().map(|row| row.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
        let entries = places.iter().zip(&bytes);
        let entries = entries.map(|(&place, bytes)| (self.contents[place as usize], &bytes[..]));
        self.cache.take_warnings();
        self.cache.write_records(kind, len * size_of::<f32>(), entries);
        self.cache.take_warnings()
    }
}
