//! Classes of unequal size: which images an epoch shows, and what each class weighs in the loss.
//!
//! Names of classes are checked once the data is known.

use crate::recipe::Fault;
use pupila_dataset::nearest;
use pupila_dataset::shown;
use pupila_loader::Order;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Weights of classes by their names; a class that is not named weighs 1.
pub type NamedWeights = BTreeMap<String, f64>;

/// Which training images an epoch shows.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Sampler {
    /// Every image once, in a random order.
    #[default]
    Shuffle,
    /// As many as there are, drawn with replacement, each class equally likely.
    Balanced,
    /// As many of each class as the largest has; every image at least once.
    Oversample,
    /// As many of each class as the smallest has, others in every epoch.
    Undersample,
    /// As many as there are, drawn with replacement, an image by the weight of its class.
    Weighted(NamedWeights),
}

/// How classes are weighted in the loss.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ClassWeights {
    /// All alike.
    #[default]
    None,
    /// By the inverse of the number of images that an epoch shows of them.
    Balanced,
    /// By name; a class that is not named weighs 1.
    Named(NamedWeights),
    /// One for each class, in the order of the classes.
    Listed(Vec<f64>),
}

const SAMPLERS: [&str; 5] = ["shuffle", "balanced", "oversample", "undersample", "weighted"];
const WEIGHTED: &str = "{ weighted = { CLASS = WEIGHT, ... } }";
const CLASS_WEIGHTS: [&str; 2] = ["none", "balanced"];

impl Sampler {
    /// Its name in a recipe.
    pub fn name(&self) -> &'static str {
        match self {
            Sampler::Shuffle => "shuffle",
            Sampler::Balanced => "balanced",
            Sampler::Oversample => "oversample",
            Sampler::Undersample => "undersample",
            Sampler::Weighted(_) => "weighted",
        }
    }

    /// The order of the samples of these classes. Names that are no classes count for nothing here; see
    /// [`Recipe::check_classes`](crate::Recipe::check_classes).
    pub fn order(&self, classes: &[String]) -> Order {
        match self {
            Sampler::Shuffle => Order::Shuffled,
            Sampler::Balanced => Order::Balanced,
            Sampler::Oversample => Order::Oversampled,
            Sampler::Undersample => Order::Undersampled,
            Sampler::Weighted(named) => Order::Weighted(in_order(named, classes)),
        }
    }

    /// What is wrong with it; with the classes, once they are known.
    pub(crate) fn check(&self, classes: Option<&[String]>) -> Vec<Fault> {
        const KEY: &str = "data.sampler";
        let Sampler::Weighted(named) = self else { return Vec::new() };
        let mut faults = check_named(KEY, named, classes);
        if faults.is_empty()
            && classes.is_some_and(|classes| in_order(named, classes).iter().all(|w| *w == 0.0))
        {
            faults.push(Fault::new(KEY, "leaves no class with a weight above 0"));
        }
        faults
    }
}

impl ClassWeights {
    /// One weight for each class, of which an epoch shows so many images; none where all weigh alike. A class without
    /// images weighs nothing, as no image asks for it.
    pub fn of(&self, classes: &[String], images: &[f64]) -> Vec<f64> {
        match self {
            ClassWeights::None => Vec::new(),
            ClassWeights::Balanced => {
                let (total, classes) = (images.iter().sum::<f64>(), images.len() as f64);
                images.iter().map(|&n| if n == 0.0 { 0.0 } else { total / (classes * n) }).collect()
            }
            ClassWeights::Named(named) => in_order(named, classes),
            ClassWeights::Listed(weights) => weights.clone(),
        }
    }

    /// What is wrong with them; with the classes, once they are known.
    pub(crate) fn check(&self, classes: Option<&[String]>) -> Vec<Fault> {
        const KEY: &str = "loss.class_weights";
        let fault = |message: String| Fault::new(KEY, message);
        let nothing = "leaves no class with a weight above 0";
        match self {
            ClassWeights::None | ClassWeights::Balanced => Vec::new(),
            ClassWeights::Named(named) => {
                let mut faults = check_named(KEY, named, classes);
                let all_zero = |classes| in_order(named, classes).iter().all(|w| *w == 0.0);
                if faults.is_empty() && classes.is_some_and(all_zero) {
                    faults.push(fault(nothing.into()));
                }
                faults
            }
            ClassWeights::Listed(weights) => {
                let mut faults: Vec<Fault> = weights.iter().filter_map(|&w| wrong(w)).map(fault).collect();
                if let Some(classes) = classes.filter(|classes| classes.len() != weights.len()) {
                    let (n, names) = (weights.len(), shown(&classes.join(", ")));
                    faults.push(fault(format!(
                        "has {n} weights, and there are {} classes: {names}",
                        classes.len()
                    )));
                } else if faults.is_empty() && weights.iter().all(|w| *w == 0.0) {
                    faults.push(fault(nothing.into()));
                }
                faults
            }
        }
    }
}

fn in_order(named: &NamedWeights, classes: &[String]) -> Vec<f64> {
    classes.iter().map(|class| named.get(class).copied().unwrap_or(1.0)).collect()
}

fn wrong(weight: f64) -> Option<String> {
    let right = weight.is_finite() && weight >= 0.0;
    (!right).then(|| format!("must be weights of at least 0, got {weight}"))
}

fn check_named(key: &str, named: &NamedWeights, classes: Option<&[String]>) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (name, &weight) in named {
        let messages = wrong(weight).map(|message| format!("{message} for {name}"));
        let unknown = classes.filter(|classes| !classes.contains(name)).map(|classes| {
            let known = match nearest(name, classes.iter().map(String::as_str)) {
                Some(class) => format!("did you mean {class}?"),
                None => format!("the classes are {}", shortened(classes)),
            };
            format!("names {name}, which is no class; {known}")
        });
        let messages = messages.into_iter().chain(unknown);
        faults.extend(messages.map(|message| Fault::new(key, message)));
    }
    faults
}

/// The first names of many.
fn shortened(classes: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = classes.iter().take(SHOWN).map(|class| shown(class)).collect::<Vec<_>>().join(", ");
    match classes.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The one key of the table that a weighted sampler is.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Weighted {
    /// The weight of an image of each class; 1 for those that are not named.
    weighted: NamedWeights,
}

impl Serialize for Sampler {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Sampler::Weighted(weights) => Weighted { weighted: weights.clone() }.serialize(serializer),
            named => serializer.serialize_str(named.name()),
        }
    }
}

impl<'de> Deserialize<'de> for Sampler {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrWeights;
        impl<'de> Visitor<'de> for NameOrWeights {
            type Value = Sampler;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "one of {} or {WEIGHTED}", SAMPLERS[..4].join(", "))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Sampler, E> {
                let named = [Sampler::Shuffle, Sampler::Balanced, Sampler::Oversample, Sampler::Undersample];
                match named.into_iter().find(|sampler| sampler.name() == name) {
                    Some(sampler) => Ok(sampler),
                    None if name == "weighted" => Err(E::custom(format!("needs its weights: {WEIGHTED}"))),
                    None => Err(E::unknown_variant(name, &SAMPLERS)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Sampler, A::Error> {
                let Weighted { weighted } = Weighted::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Sampler::Weighted(weighted))
            }
        }
        deserializer.deserialize_any(NameOrWeights)
    }
}

impl JsonSchema for Sampler {
    fn schema_name() -> Cow<'static, str> {
        "Sampler".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let weighted = generator.subschema_for::<Weighted>();
        json_schema!({ "anyOf": [{ "enum": &SAMPLERS[..4] }, weighted] })
    }
}

impl Serialize for ClassWeights {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            ClassWeights::None => serializer.serialize_str("none"),
            ClassWeights::Balanced => serializer.serialize_str("balanced"),
            ClassWeights::Named(named) => named.serialize(serializer),
            ClassWeights::Listed(weights) => weights.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for ClassWeights {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrWeights;
        impl<'de> Visitor<'de> for NameOrWeights {
            type Value = ClassWeights;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("none, balanced, { CLASS = WEIGHT, ... } or a list of weights in the order of the classes")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<ClassWeights, E> {
                match name {
                    "none" => Ok(ClassWeights::None),
                    "balanced" => Ok(ClassWeights::Balanced),
                    _ => Err(E::unknown_variant(name, &CLASS_WEIGHTS)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ClassWeights, A::Error> {
                NamedWeights::deserialize(MapAccessDeserializer::new(map)).map(ClassWeights::Named)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<ClassWeights, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(ClassWeights::Listed)
            }
        }
        deserializer.deserialize_any(NameOrWeights)
    }
}

impl JsonSchema for ClassWeights {
    fn schema_name() -> Cow<'static, str> {
        "ClassWeights".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (named, listed) =
            (generator.subschema_for::<NamedWeights>(), generator.subschema_for::<Vec<f64>>());
        json_schema!({ "anyOf": [{ "enum": CLASS_WEIGHTS }, named, listed] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Keys {
        sampler: Sampler,
        class_weights: ClassWeights,
    }

    fn read(sampler: &str, weights: &str) -> Result<Keys, String> {
        toml::from_str(&format!("sampler = {sampler}\nclass_weights = {weights}"))
            .map_err(|error: toml::de::Error| error.message().to_owned())
    }

    fn classes() -> Vec<String> {
        ["melanoma", "nevus", "other"].map(str::to_owned).to_vec()
    }

    #[test]
    fn a_recipe_reads_and_writes_them() {
        for (sampler, weights) in [
            ("\"shuffle\"", "\"none\""),
            ("\"balanced\"", "\"balanced\""),
            ("\"oversample\"", "[1.0, 2.5, 0.0]"),
            ("\"undersample\"", "{ melanoma = 2.0, \"a b\" = 1.5 }"),
            ("{ weighted = { melanoma = 3.0 } }", "[]"),
        ] {
            let keys = read(sampler, weights).unwrap();
            let again: Keys = toml::from_str(&toml::to_string(&keys).unwrap()).unwrap();
            assert_eq!(again, keys);
        }
        assert_eq!(read("\"weighted\"", "[1]"), Err(format!("needs its weights: {WEIGHTED}")));
        assert!(read("\"balansed\"", "[1]").unwrap_err().contains("expected one of `shuffle`"));
        assert!(read("{ weigths = {} }", "[1]").unwrap_err().contains("unknown field `weigths`"));
        assert!(read("\"shuffle\"", "\"some\"").unwrap_err().contains("`none` or `balanced`"));
    }

    #[test]
    fn names_are_checked_against_the_classes() {
        let keys =
            read("{ weighted = { melanom = 3.0, nevus = -1.0 } }", "{ naevi = 2.0, xyz = 1.0 }").unwrap();
        let told = |faults: Vec<Fault>| faults.into_iter().map(|f| f.message).collect::<Vec<_>>().join("\n");
        let classes = classes();
        let sampler = told(keys.sampler.check(Some(&classes)));
        assert!(sampler.contains("names melanom, which is no class; did you mean melanoma?"), "{sampler}");
        assert!(sampler.contains("must be weights of at least 0, got -1 for nevus"), "{sampler}");
        let weights = told(keys.class_weights.check(Some(&classes)));
        assert!(
            weights.contains("xyz, which is no class; the classes are melanoma, nevus, other"),
            "{weights}"
        );
        assert_eq!(keys.sampler.check(None).len(), 1);
        assert!(keys.class_weights.check(None).is_empty());
        let listed = ClassWeights::Listed(vec![1.0, 2.0]);
        assert!(told(listed.check(Some(&classes))).contains("has 2 weights, and there are 3 classes"));
        assert!(listed.check(None).is_empty());
        assert_eq!(ClassWeights::Listed(vec![0.0; 3]).check(Some(&classes)).len(), 1);
    }

    #[test]
    fn weights_follow_the_order_of_the_classes() {
        let classes = classes();
        let named = ClassWeights::Named(NamedWeights::from([("nevus".to_owned(), 4.0)]));
        assert_eq!(named.of(&classes, &[1.0; 3]), [1.0, 4.0, 1.0]);
        // scikit-learn: n / (classes * count).
        let balanced = ClassWeights::Balanced.of(&classes, &[10.0, 20.0, 0.0]);
        assert_eq!(balanced, [30.0 / 30.0, 30.0 / 60.0, 0.0]);
        assert!(ClassWeights::None.of(&classes, &[1.0; 3]).is_empty());
    }
}
