//! What should be known of data and results before a number is believed, as values: the program puts them into words.

use crate::session::Prepared;
use pupila_dataset::{Dataset, Split};
use pupila_train::Recipe;

/// Fewer training images of a class are not enough to learn it, and fewer validation images not enough to judge it.
const FLOORS: [(Split, usize); 2] = [(Split::Train, 10), (Split::Val, 5)];
/// How far the channels of a gray image may be apart where it was stored as a JPEG file in color.
const GRAY_TOLERANCE: u8 = 3;

/// Classes of which so few images of a split are left that no number about them means much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooFew {
    /// The split.
    pub split: Split,
    /// How many there should be at least.
    pub floor: usize,
    /// The classes and how many there are.
    pub classes: Vec<(String, usize)>,
}

/// A smaller input that holds all that the images do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SmallerInput {
    /// A smaller `input.size`.
    pub size: Option<u32>,
    /// Whether one channel is enough.
    pub gray: bool,
}

impl SmallerInput {
    /// By the sizes and colors that the files' headers say.
    pub fn of(dataset: &Dataset, recipe: &Recipe) -> Self {
        let size = recipe.input.size.longer();
        let largest = dataset.samples.iter().map(|s| s.width.max(s.height)).max().unwrap_or(size);
        SmallerInput {
            size: (largest < size).then_some(largest),
            gray: recipe.input.channels == 3 && dataset.samples.iter().all(|s| s.channels == 1),
        }
    }
}

impl Prepared {
    /// Classes of too few images, for each split in which there are any.
    pub fn too_few(&self) -> Vec<TooFew> {
        let of = |(split, floor): (Split, usize)| {
            let counts = self.images.class_counts(split);
            let few = self.images.dataset.classes.iter().cloned().zip(counts.iter().copied());
            let classes: Vec<(String, usize)> = few.filter(|&(_, n)| n < floor).collect();
            let is_used = counts.iter().any(|&n| n > 0);
            (is_used && !classes.is_empty()).then_some(TooFew { split, floor, classes })
        };
        FLOORS.into_iter().filter_map(of).collect()
    }

    /// Whether all training images are gray though they are stored in color, so that one channel would do.
    pub fn is_gray_stored_in_color(&self, recipe: &Recipe) -> bool {
        let headers_say = self.images.dataset.samples.iter().all(|sample| sample.channels == 1);
        recipe.input.channels == 3 && !headers_say && self.images.are_gray(GRAY_TOLERANCE)
    }
}
