//! What differs in the recipes of several runs, key by key: of a pipeline only the transforms and parameters that do.

use pupila_transforms::{Entry, Problems, entry};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What a run has where it has no such transform.
const ABSENT: &str = "absent";
/// What a parameter is that is not set.
const DEFAULT: &str = "default";

/// A row: a key and its value in every run; none where a run does not set it.
pub(crate) type Row = (String, Vec<Option<String>>);

/// The rows in which the values of a key differ: none where they are all the same, one for a plain value, several for what differs
/// inside of a table or of a list of transforms.
pub(crate) fn differing(key: &str, values: &[Option<&Value>]) -> Vec<Row> {
    // The pipeline is the only list of transforms that a recipe has.
    let short = if key == "augment.transforms" { "augment" } else { key };
    let spelt: Vec<Option<Value>> = values.iter().map(|value| value.map(with_defaults)).collect();
    let mut rows = Vec::new();
    differ(short, &spelt.iter().map(Option::as_ref).collect::<Vec<_>>(), &mut rows);
    rows
}

/// A value in which every transform has the parameters that it would have if they were left out: a default that is spelt out is no
/// difference.
fn with_defaults(value: &Value) -> Value {
    let Some(pipeline) = steps(value) else { return value.clone() };
    let step = |(name, given): (&str, &Value)| {
        let mut all = defaults(name);
        if let (true, Some(given)) = (entry(name).is_some(), given.as_object()) {
            all.extend(
                given.iter().map(|(key, value)| (key.clone(), shortest(name, key, with_defaults(value)))),
            );
        }
        let parameters = if entry(name).is_some() { Value::Object(all) } else { given.clone() };
        Value::Object(std::iter::once((name.to_owned(), parameters)).collect())
    };
    Value::Array(pipeline.into_iter().map(step).collect())
}

/// A range such as `[-15, 15]` as the number that means it, `15`, where one does.
fn shortest(name: &str, key: &str, value: Value) -> Value {
    let built = |value: &Value| {
        let given = Map::from_iter([(key.to_owned(), value.clone())]);
        let mut problems = Problems::new("");
        let built = entry(name)?.build(&given, &mut problems)?;
        problems.into_result(()).is_ok().then(|| built.parameters())
    };
    let number = match value.as_array().map(Vec::as_slice) {
        Some([low, high]) if low.is_number() && high.is_number() => high.clone(),
        _ => return value,
    };
    match (built(&value), built(&number)) {
        (Some(pair), Some(same)) if pair == same => number,
        _ => value,
    }
}

/// The parameters of a transform that has a name, as far as they have a value.
fn defaults(name: &str) -> Map<String, Value> {
    let all = entry(name).map(Entry::parameters).unwrap_or_default();
    all.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

fn differ(key: &str, values: &[Option<&Value>], rows: &mut Vec<Row>) {
    if values.iter().all(|value| value == &values[0]) {
        return;
    }
    let present: Option<Vec<&Value>> = values.iter().copied().collect();
    let pipelines: Option<Vec<Vec<(&str, &Value)>>> =
        present.as_ref().and_then(|all| all.iter().map(|list| steps(list)).collect());
    if let Some(pipelines) = pipelines {
        return transforms(key, &pipelines, rows);
    }
    let tables: Option<Vec<_>> =
        present.as_ref().and_then(|all| all.iter().map(|value| value.as_object()).collect());
    if let Some(tables) = tables {
        let mut names: Vec<&String> = Vec::new();
        for name in tables.iter().flat_map(|table| table.keys()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        for name in names {
            let inner: Vec<Option<&Value>> = tables.iter().map(|table| table.get(name)).collect();
            let from = rows.len();
            differ(&format!("{key}.{name}"), &inner, rows);
            for (_, values) in &mut rows[from..] {
                values.iter_mut().for_each(|value| {
                    value.get_or_insert_with(|| DEFAULT.to_owned());
                });
            }
        }
        return;
    }
    rows.push((key.to_owned(), values.iter().map(|value| value.map(plain)).collect()));
}

/// A value as people read it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A list of transforms as names and parameters; none where the value is something else.
fn steps(value: &Value) -> Option<Vec<(&str, &Value)>> {
    let named = |step: &'_ Value| step.as_object().is_some_and(|table| table.len() == 1);
    let list = value.as_array()?;
    if !list.iter().all(named) {
        return None;
    }
    let step = |step| Value::as_object(step)?.iter().next().map(|(name, value)| (name.as_str(), value));
    list.iter().map(step).collect()
}

/// The places of a pipeline that differ, counted along all runs' transforms. Those of one name are the same place where their order allows it, so that one that is
/// put in front of others does not make all of them differ.
fn transforms(key: &str, runs: &[Vec<(&str, &Value)>], rows: &mut Vec<Row>) {
    let mut places: Vec<&str> = Vec::new();
    for steps in runs {
        places = merged(&places, &steps.iter().map(|step| step.0).collect::<Vec<_>>());
    }
    // The place in each run of each place of all.
    let at: Vec<BTreeMap<usize, usize>> = runs
        .iter()
        .map(|steps| {
            let names: Vec<&str> = steps.iter().map(|step| step.0).collect();
            common(&places, &names).into_iter().collect()
        })
        .collect();
    for (place, name) in places.iter().enumerate() {
        let here: Vec<Option<&(&str, &Value)>> =
            runs.iter().zip(&at).map(|(steps, at)| at.get(&place).map(|&i| &steps[i])).collect();
        if here.iter().any(Option::is_none) {
            let told = |step: &Option<&(&str, &Value)>| {
                Some(step.map_or_else(|| ABSENT.to_owned(), |(name, parameters)| whole(name, parameters)))
            };
            rows.push((format!("{key}[{place}]"), here.iter().map(told).collect()));
            continue;
        }
        let parameters: Vec<Option<&Value>> = here.iter().map(|step| step.map(|step| step.1)).collect();
        differ(&format!("{key}[{place}] {name}"), &parameters, rows);
    }
}

/// A transform with the parameters that have another value than the default.
fn whole(name: &str, parameters: &Value) -> String {
    let usual = defaults(name);
    let set: Vec<(&String, &Value)> = parameters
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| usual.get(*key) != Some(*value))
        .collect();
    if set.is_empty() {
        return name.to_owned();
    }
    let told = |(name, value): (&String, &Value)| match steps(value) {
        Some(inner) => {
            let inner: Vec<String> = inner.iter().map(|(name, of)| whole(name, of)).collect();
            format!("{name}={}", inner.join("+"))
        }
        None => format!("{name}={}", plain(value)),
    };
    format!("{name} {}", set.into_iter().map(told).collect::<Vec<_>>().join(" "))
}

/// The longest part that two lists have in common, as places in both, ascending.
fn common(a: &[&str], b: &[&str]) -> Vec<(usize, usize)> {
    let mut longest = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] = match a[i] == b[j] {
                true => longest[i + 1][j + 1] + 1,
                false => longest[i + 1][j].max(longest[i][j + 1]),
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// The shortest list that holds both in their order.
fn merged<'a>(a: &[&'a str], b: &[&'a str]) -> Vec<&'a str> {
    let (mut i, mut j, mut all) = (0, 0, Vec::new());
    for (to_a, to_b) in common(a, b).into_iter().chain([(a.len(), b.len())]) {
        all.extend_from_slice(&a[i..to_a]);
        all.extend_from_slice(&b[j..to_b]);
        all.extend(a.get(to_a));
        (i, j) = (to_a + 1, to_b + 1);
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn told(key: &str, values: &[Value]) -> Vec<String> {
        let values: Vec<Option<&Value>> = values.iter().map(Some).collect();
        let row = |(key, values): Row| {
            let values: Vec<String> = values.into_iter().map(|v| v.unwrap_or_else(|| "-".into())).collect();
            format!("{key}: {}", values.join(" / "))
        };
        differing(key, &values).into_iter().map(row).collect()
    }

    #[test]
    fn of_a_pipeline_there_is_what_differs_inside() {
        let rows = told(
            "augment.transforms",
            &[
                json!([{ "horizontal_flip": {} }, { "rotate": { "limit": 15, "p": 0.5 } }, { "gauss_noise": { "p": 0.2 } }]),
                json!([{ "horizontal_flip": { "p": 0.5 } }, { "rotate": { "limit": 30 } }]),
            ],
        );
        assert_eq!(rows, ["augment[1] rotate.limit: 15 / 30", "augment[2]: gauss_noise p=0.2 / absent"]);
    }

    #[test]
    fn a_transform_in_front_does_not_make_the_others_differ() {
        let rows = told(
            "augment.transforms",
            &[
                json!([{ "rotate": {} }, { "median_blur": {} }]),
                json!([{ "invert_img": {} }, { "rotate": {} }, { "median_blur": {} }]),
                json!([{ "median_blur": {} }, { "rotate": {} }]),
            ],
        );
        assert_eq!(
            rows,
            [
                "augment[0]: absent / invert_img / absent",
                "augment[1]: rotate / rotate / absent",
                "augment[3]: absent / absent / rotate"
            ]
        );
    }

    #[test]
    fn choices_and_tables_are_looked_into_and_plain_values_are_whole() {
        let of = |p: f64| json!([{ "one_of": { "transforms": [{ "median_blur": { "p": p } }, { "clahe": {} }] } }]);
        assert_eq!(
            told("augment.transforms", &[of(0.1), of(0.2)]),
            ["augment[0] one_of.transforms[0] median_blur.p: 0.1 / 0.2"]
        );
        let weights = [json!({ "a": 1, "b": 2 }), json!({ "a": 1, "b": 3 })];
        assert_eq!(told("loss.class_weights", &weights), ["loss.class_weights.b: 2 / 3"]);
        assert_eq!(told("model.hidden", &[json!([8]), json!([8, 4])]), ["model.hidden: [8] / [8,4]"]);
        assert_eq!(told("loss.class_weights", &[json!("none"), json!({ "a": 1 })]).len(), 1);
        assert!(told("train.seed", &[json!(1), json!(1)]).is_empty());
        let missing = differing("train.clip_norm", &[None, Some(&json!(1.0))]);
        assert_eq!(missing, [("train.clip_norm".to_owned(), vec![None, Some("1.0".to_owned())])]);
    }
}
