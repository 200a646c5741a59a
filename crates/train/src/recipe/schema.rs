//! The recipe's JSON schema, for editors, and the names of all sections and keys, which follow from it.

use crate::recipe::Recipe;
use serde_json::Value;
use std::sync::OnceLock;

/// The JSON schema (2020-12) of a recipe.
pub fn json_schema() -> Value {
    let mut schema = schemars::schema_for!(Recipe).to_value();
    schema["title"] = "Pupila recipe".into();
    schema
}

/// The sections of a recipe, in their order.
pub fn sections() -> &'static [String] {
    &names().0
}

/// All keys of a recipe, `section.key`, in their order.
pub fn keys() -> Vec<String> {
    names().1.clone()
}

/// A key of a recipe, as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyDoc {
    /// `section.key`
    pub key: String,
    /// The default as TOML has it; none where the key is not set by default.
    pub default: Option<String>,
    /// What it means, in one paragraph of Markdown.
    pub meaning: String,
}

/// Every key with its default and meaning, in the order of [`keys`].
pub fn key_docs() -> Vec<KeyDoc> {
    let schema = json_schema();
    let mut docs = Vec::new();
    for (section, property) in schema["properties"].as_object().into_iter().flatten() {
        let definition = property["$ref"].as_str().and_then(|r| schema.pointer(r.trim_start_matches('#')));
        let properties = definition.unwrap_or(property)["properties"].as_object();
        for (name, of) in properties.into_iter().flatten() {
            let default =
                [&property["default"][name], &of["default"]].into_iter().find(|value| !value.is_null());
            let default =
                default.and_then(|value| toml::Value::try_from(value).ok()).map(|value| value.to_string());
            let meaning = of["description"].as_str().unwrap_or_default();
            let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
            docs.push(KeyDoc { key: format!("{section}.{name}"), default, meaning });
        }
    }
    docs
}

/// The page of all keys, docs/keys.md.
pub fn keys_page() -> String {
    let mut page = "# The keys of a recipe\n\nWritten by `cargo xtask schema`. Each is set in a recipe file, under its section, or by `--set KEY=VALUE`; all are optional.\n\
        `pupila list keys` lists them in the terminal. A value is TOML; on the command line names need no quotes and a list no brackets.\n"
        .to_owned();
    let mut before = String::new();
    for KeyDoc { key, default, meaning } in key_docs() {
        let section = key.split('.').next().unwrap_or_default().to_owned();
        if section != before {
            page += &format!("\n## [{section}]\n\n| key | default | meaning |\n|---|---|---|\n");
            before = section;
        }
        let cell = |text: &str| text.replace('|', "\\|");
        let default = default.map_or_else(|| "not set".to_owned(), |default| format!("`{}`", cell(&default)));
        page += &format!("| `{key}` | {default} | {} |\n", cell(&meaning));
    }
    page
}

fn names() -> &'static (Vec<String>, Vec<String>) {
    static NAMES: OnceLock<(Vec<String>, Vec<String>)> = OnceLock::new();
    NAMES.get_or_init(|| {
        let schema = json_schema();
        let (mut sections, mut keys) = (Vec::new(), Vec::new());
        for (section, property) in schema["properties"].as_object().into_iter().flatten() {
            sections.push(section.clone());
            let definition =
                property["$ref"].as_str().and_then(|r| schema.pointer(r.trim_start_matches('#')));
            let properties = definition.unwrap_or(property)["properties"].as_object();
            keys.extend(properties.into_iter().flatten().map(|(key, _)| format!("{section}.{key}")));
        }
        (sections, keys)
    })
}

/// What to say of a section that does not exist.
pub(crate) fn sections_hint(name: &str) -> String {
    match suggestion(name, sections()) {
        Some(section) => format!("did you mean [{section}]?"),
        None => format!("sections are {}", sections().join(", ")),
    }
}

/// The known name that is most similar to a wrong one, if one is.
pub(crate) fn suggestion<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    // A key under a wrong section is found by its own name.
    let bare = |name: &str| name.rsplit('.').next().unwrap_or_default().to_lowercase();
    let score = |candidate: &str| {
        let whole = strsim::jaro_winkler(&name.to_lowercase(), candidate);
        let same_key = name.contains('.') && bare(name) == bare(candidate);
        // A name without its section is likened to names without theirs, where it has letters enough.
        let alone = match name.contains('.') || name.len() < 4 {
            true => 0.0,
            false => strsim::jaro_winkler(&bare(name), &bare(candidate)),
        };
        if same_key { whole.max(0.95) } else { whole.max(alone) }
    };
    if let Some(ours) = super::words::same_elsewhere(name)
        && let Some(found) = known.iter().find(|candidate| *candidate == ours)
    {
        return Some(found);
    }
    let scored = known.iter().map(|candidate| (score(candidate), candidate));
    scored
        .filter(|(score, _)| *score > 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_every_key_that_the_default_recipe_writes() {
        let written = serde_json::to_value(Recipe::default()).unwrap();
        let mut count = 0;
        for (section, values) in written.as_object().unwrap() {
            for key in values.as_object().unwrap().keys() {
                assert!(keys().contains(&format!("{section}.{key}")), "{section}.{key}");
                count += 1;
            }
        }
        assert!(count > 20 && keys().len() >= count);
        assert!(keys().contains(&"early_stopping.patience".to_owned()));
    }

    #[test]
    fn the_schema_in_docs_is_the_one_of_this_code() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/recipe.schema.json");
        let written: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        assert!(written == json_schema(), "run `cargo xtask schema`");
    }

    #[test]
    fn every_key_is_listed_with_its_meaning_and_the_default_that_the_recipe_has() {
        let docs = key_docs();
        assert_eq!(docs.iter().map(|doc| doc.key.clone()).collect::<Vec<_>>(), keys());
        let default = toml::Value::try_from(Recipe::default()).unwrap();
        for KeyDoc { key, default: told, meaning } in &docs {
            let (section, name) = key.split_once('.').unwrap();
            assert!(meaning.len() > 10 && !meaning.contains('\n'), "{key}: {meaning}");
            // Numbers that are whole lose their point in JSON.
            let plain = |text: String| text.replace(".0", "");
            let value = default[section].get(name).map(|value| plain(value.to_string()));
            assert_eq!(told.clone().map(plain), value, "{key}");
        }
        let page = include_str!("../../../../docs/keys.md");
        assert!(page == keys_page(), "run `cargo xtask schema`");
    }

    #[test]
    fn every_recipe_in_the_repository_is_valid() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../recipes");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "toml") {
                let text = std::fs::read_to_string(&path).unwrap();
                let layers = crate::Layers { file: Some((path, text)), settings: Vec::new(), learnt: None };
                layers.resolve().unwrap();
                count += 1;
            }
        }
        assert!(count >= 3);
    }

    #[test]
    fn a_key_in_the_wrong_section_is_found() {
        assert_eq!(suggestion("train.lr", &keys()), Some("optimizer.lr"));
        assert_eq!(suggestion("lr", &keys()), None);
    }
}
