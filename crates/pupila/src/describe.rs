//! What several parts say of data, in numbers and in words.

use pupila_dataset::Split;
use pupila_run::{ClassCounts, Sampling};
use pupila_train::{Images, Recipe};

/// A count with a comma at every thousand.
pub fn count(n: usize) -> String {
    let digits = n.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}

/// "1 image", "2 images".
pub fn images(n: usize) -> String {
    counted(n, "image")
}

/// "1 trial", "2 trials".
pub fn trials(n: usize) -> String {
    counted(n, "trial")
}

fn counted(n: usize, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// How an epoch's images are chosen: how many of each class were found, used, and are shown.
pub(crate) fn sampling(images: &Images, recipe: &Recipe) -> Sampling {
    let dataset = &images.dataset;
    let (train, val) = (images.class_counts(Split::Train), images.class_counts(Split::Val));
    let order = recipe.data.sampler.order(&dataset.classes);
    let expected = order.expected(&train);
    let class = |(i, name): (usize, &String)| {
        let found = dataset.found.get(i).copied().unwrap_or(train[i]);
        (name.clone(), ClassCounts { found, train: train[i], epoch: expected[i], val: val[i] })
    };
    Sampling {
        sampler: recipe.data.sampler.name().to_owned(),
        drawn_with_replacement: order.replaces(),
        folds: recipe.data.folds,
        fold: recipe.data.folds.map(|_| recipe.data.fold.unwrap_or(1)),
        classes: dataset.classes.iter().enumerate().map(class).collect(),
    }
}

/// A path as a shell takes it: in quotes where it has spaces or other signs.
pub fn in_a_shell(path: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// Bytes of memory, in words.
pub(crate) fn memory(bytes: u64) -> String {
    match bytes {
        0..100_000_000 => format!("{:.0} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn thousands_are_grouped() {
        assert_eq!([0, 999, 1000, 1_234_567].map(super::count), ["0", "999", "1,000", "1,234,567"]);
    }
}
