//! Transforms by the names that other libraries give them.

use super::values::{is_off, items};
use super::{only, plain};
use toml::{Table, Value};

/// Transforms by the names that other libraries give them; those of a strength are arguments of Keras, timm or Ultralytics.
const TRANSFORMS: &[(&str, &str)] = &[
    ("cutout", "coarse_dropout"),
    ("randomerasing", "coarse_dropout"),
    ("reprob", "coarse_dropout"),
    ("randomhorizontalflip", "horizontal_flip"),
    ("randomverticalflip", "vertical_flip"),
    ("hflip", "horizontal_flip"),
    ("flip", "horizontal_flip"),
    ("randomflip", "horizontal_flip"),
    ("fliplr", "horizontal_flip"),
    ("vflip", "vertical_flip"),
    ("flipud", "vertical_flip"),
    ("randomrotation", "rotate"),
    ("rotation", "rotate"),
    ("rotationrange", "rotate"),
    ("degrees", "rotate"),
    ("zoomrange", "shift_scale_rotate"),
    ("widthshiftrange", "shift_scale_rotate"),
    ("heightshiftrange", "shift_scale_rotate"),
    ("brightnessrange", "random_brightness_contrast"),
    ("colorjitter", "color_jitter"),
    ("randaug", "rand_augment"),
    ("randaugment", "rand_augment"),
    ("trivialaugmentwide", "trivial_augment"),
    ("randomgrayscale", "to_gray"),
    ("randominvert", "invert_img"),
    ("randomequalize", "equalize"),
    ("randomperspective", "perspective"),
    ("randomaffine", "affine"),
    ("randomsolarize", "solarize"),
    ("randomposterize", "posterize"),
];

/// The name of a transform that a name means.
pub(super) fn transform(name: &str) -> Option<&'static str> {
    let wanted = plain(name);
    let known = || pupila_transforms::registry().iter().map(|entry| entry.name);
    known()
        .find(|known| *known == name)
        .or_else(|| only(known().filter(|known| plain(known) == wanted)))
        .or_else(|| TRANSFORMS.iter().find(|(theirs, _)| *theirs == wanted).map(|(_, ours)| *ours))
}

/// A list of transforms with the names that they have here; none where a form is wrong otherwise.
pub(super) fn list(typed: &Value) -> Option<Value> {
    let alone = |name: &str| {
        let table = Table::from_iter([(transform(name)?.to_owned(), Value::Table(Table::new()))]);
        Some(Value::Table(table))
    };
    match typed {
        off if is_off(off) => Some(Value::Array(Vec::new())),
        Value::String(text) => {
            let all: Option<Vec<Value>> = items(text).into_iter().map(alone).collect();
            all.filter(|all| !all.is_empty()).map(Value::Array)
        }
        Value::Table(one) if one.len() == 1 => list(&Value::Array(vec![typed.clone()])),
        Value::Array(all) => {
            let renamed = all.iter().map(|item| match item {
                Value::String(name) => alone(name).unwrap_or_else(|| item.clone()),
                Value::Table(table) => {
                    let renamed = table.iter().map(|(name, parameters)| {
                        let name = transform(name).unwrap_or(name).to_owned();
                        let mut parameters = parameters.clone();
                        if let Some(inner) = parameters.get("transforms").and_then(list)
                            && let Value::Table(parameters) = &mut parameters
                        {
                            parameters.insert("transforms".to_owned(), inner);
                        }
                        (name, parameters)
                    });
                    Value::Table(renamed.collect())
                }
                other => other.clone(),
            });
            Some(Value::Array(renamed.collect()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_another_library_is_a_transform_here() {
        for (theirs, ours) in TRANSFORMS {
            let known = pupila_transforms::registry().iter().any(|entry| entry.name == *ours);
            assert!(known && plain(theirs) == *theirs, "{theirs}: {ours}");
        }
    }
}
