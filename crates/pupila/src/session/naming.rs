//! What runs and data are called.

use std::path::{Path, PathBuf};

/// Where a path leads, or the path itself where it leads nowhere.
pub(crate) fn canonical(path: &Path) -> PathBuf {
    pupila_dataset::real(path).unwrap_or_else(|_| path.to_owned())
}

/// The name of a file or folder, of characters that a folder's name may have everywhere.
pub(crate) fn plain_name(path: &Path) -> String {
    let name =
        canonical(path).file_stem().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    name.chars().map(|c| if c.is_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect()
}

/// What a run is called after: its data and its model.
pub(super) fn stem(data: &Path, model: &str) -> String {
    format!("{}-{model}", plain_name(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_named_after_its_data_and_model() {
        assert_eq!(stem(Path::new("some/skin photos"), "mlp"), "skin_photos-mlp");
        assert_eq!(stem(Path::new("labels.csv"), "mlp"), "labels-mlp");
    }
}
