//! One name, or a list of them: `"train_set"` or `["part_1", "part_2"]`.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::SeqAccessDeserializer;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;

/// Names of folders or columns; a single one needs no list around it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Names(pub Vec<String>);

impl Names {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Into<String>> FromIterator<T> for Names {
    fn from_iter<I: IntoIterator<Item = T>>(names: I) -> Self {
        Names(names.into_iter().map(Into::into).collect())
    }
}

impl Serialize for Names {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [name] => serializer.serialize_str(name),
            names => names.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Names;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a name or a list of names")
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Names, E> {
                Ok(Names(vec![name.to_owned()]))
            }

            // A folder or column that is called by a number needs no quotes on the command line.
            fn visit_i64<E: Error>(self, name: i64) -> Result<Names, E> {
                Ok(Names(vec![name.to_string()]))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Names, A::Error> {
                Vec::deserialize(SeqAccessDeserializer::new(list)).map(Names)
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

impl JsonSchema for Names {
    fn schema_name() -> Cow<'static, str> {
        "Names".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let list = generator.subschema_for::<Vec<String>>();
        json_schema!({ "anyOf": [{ "type": "string" }, list] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_and_several_are_written_and_read_alike() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Keys {
            train: Names,
            val: Names,
            test: Names,
        }
        let text = "train = \"a b\"\nval = [\"c\", \"d\"]\ntest = []\n";
        let keys: Keys = toml::from_str(text).unwrap();
        assert_eq!(keys.train, Names::from_iter(["a b"]));
        assert_eq!(toml::to_string(&keys).unwrap(), text);
        assert_eq!(
            toml::from_str::<Keys>("train = 1\nval = []\ntest = []").unwrap().train,
            Names::from_iter(["1"])
        );
        let wrong = toml::from_str::<Keys>("train = true\nval = []\ntest = []").unwrap_err().to_string();
        assert!(wrong.contains("a name or a list of names"), "{wrong}");
    }
}
