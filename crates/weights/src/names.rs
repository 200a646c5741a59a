//! Names of tensors as other programs wrap them.

use std::collections::BTreeMap;

/// Entries of a checkpoint that hold the state dict, the first that is there.
pub(crate) const WRAPPERS: [&str; 6] =
    ["state_dict", "model_state_dict", "model", "net", "weights", "params"];

/// Prefixes of wrapping modules: `nn.DataParallel`, Lightning and others, `torch.compile`.
const PREFIXES: [&str; 3] = ["module.", "model.", "_orig_mod."];

/// Takes off every prefix that all names have, and says which.
pub(crate) fn strip<T>(mut tensors: BTreeMap<String, T>) -> (BTreeMap<String, T>, Vec<&'static str>) {
    let mut stripped = Vec::new();
    while let Some(prefix) = PREFIXES.into_iter().find(|prefix| {
        !tensors.is_empty()
            && tensors.keys().all(|name| name.len() > prefix.len() && name.starts_with(prefix))
    }) {
        tensors =
            tensors.into_iter().map(|(name, tensor)| (name[prefix.len()..].to_owned(), tensor)).collect();
        stripped.push(prefix);
    }
    (tensors, stripped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_all_names_have_is_taken_off() {
        let of = |names: &[&str]| strip(names.iter().map(|name| ((*name).to_owned(), ())).collect());
        let (names, stripped) = of(&["module.model.fc.bias", "module.model.fc.weight"]);
        assert_eq!(names.into_keys().collect::<Vec<_>>(), ["fc.bias", "fc.weight"]);
        assert_eq!(stripped, ["module.", "model."]);
        assert_eq!(of(&["module.fc.bias", "fc.weight"]).1, [""; 0]);
        assert_eq!(of(&["module."]).1, [""; 0]);
        assert_eq!(of(&[]).1, [""; 0]);
    }
}
