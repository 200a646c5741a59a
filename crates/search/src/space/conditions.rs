//! Conditions: names become places, chains are followed, and what can never hold is told.
//!
//! A parameter's conditions and those of the parameters they name form one conjunction: each of some other parameters has one of some
//! values. It can hold exactly if none of these sets is empty, because the parameters are chosen independently of each other.

use super::read::{Draft, Range};
use super::{Condition, Group, Parameter, choice, key_place};
use crate::error::SearchFault;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The parameters with their conditions; adds what is wrong to `faults`, and then what it returns is not complete.
pub(super) fn resolve(file: &str, drafts: Vec<Draft>, faults: &mut Vec<SearchFault>) -> Vec<Parameter> {
    let mut wrong = |key: &str, message: String| {
        faults.push(SearchFault { place: key_place(file, key), message });
    };
    let names: Vec<String> = drafts.iter().map(|draft| draft.key.clone()).collect();
    // A parameter whose range has a fault takes its conditions along, or what depends on it would be told as unknown.
    let is_whole = drafts.iter().all(|draft| draft.range.is_some());
    let mut whens = Vec::new();
    let mut parameters = Vec::new();
    for Draft { key, range, when } in drafts {
        whens.push(when);
        let Range { distribution, choices } = range.unwrap_or(Range {
            distribution: crate::distribution::Distribution::Categorical { choices: Vec::new() },
            choices: Vec::new(),
        });
        let distribution = Arc::new(distribution);
        parameters.push(Parameter { key, distribution, choices, conditions: Vec::new() });
    }
    let mut conditions = Vec::new();
    for (place, when) in whens.iter().enumerate() {
        let key = &names[place];
        let mut found = Vec::new();
        for (name, values) in when {
            let Some(parent) = names.iter().position(|other| other == name) else {
                let known = names.iter().filter(|other| *other != key).map(|name| format!("`{name}`"));
                let known: Vec<String> = known.collect();
                wrong(
                    key,
                    format!(
                        "its `when` names `{name}`, which is no parameter of this space ({}); a fixed key belongs in the recipe, not here",
                        known.join(", ")
                    ),
                );
                continue;
            };
            let mut matched = Vec::new();
            for value in values {
                let stored = choice(value).ok();
                match stored.and_then(|stored| parameters[parent].distribution.from_external(&stored)) {
                    Some(value) => matched.push(value),
                    None if parameters[parent].distribution.count() == Some(0) => {}
                    None => {
                        let choices = &parameters[parent].choices;
                        let has = if choices.is_empty() {
                            "which is outside of its range".to_owned()
                        } else {
                            let choices: Vec<String> = choices.iter().map(ToString::to_string).collect();
                            format!("which it never has ({})", choices.join(", "))
                        };
                        wrong(key, format!("its `when` asks for `{name}` = {value}, {has}"));
                    }
                }
            }
            if parameters[parent].distribution.count().is_none() {
                wrong(
                    key,
                    format!(
                        "its `when` asks for values of `{name}`, which may be any number in its range; give `{name}` a step, or make it categorical"
                    ),
                );
            } else if values.is_empty() {
                wrong(key, format!("its `when` asks for none of the values of `{name}`; write at least one"));
            } else {
                found.push(Condition { parent, values: matched });
            }
        }
        conditions.push(found);
    }
    for (parameter, conditions) in parameters.iter_mut().zip(conditions) {
        parameter.conditions = conditions;
    }
    let circles = circles(&parameters);
    for circle in &circles {
        let chain: Vec<&str> = circle.iter().map(|&place| names[place].as_str()).collect();
        wrong(
            chain[0],
            format!(
                "its `when` leads back to itself ({} -> {}); leave one of them out",
                chain.join(" -> "),
                chain[0]
            ),
        );
    }
    if circles.is_empty() && is_whole {
        for (place, parameter) in parameters.iter().enumerate() {
            if parameter.conditions.iter().any(|condition| condition.values.is_empty()) {
                continue; // told above
            }
            let required = requirements(&parameters, place);
            if let Some(never) = required.iter().find(|condition| condition.values.is_empty()) {
                let parent = &names[never.parent];
                wrong(
                    &parameter.key,
                    format!(
                        "its conditions can never hold together: they ask for different values of `{parent}`; mend its `when`, or that of what it names"
                    ),
                );
            }
        }
    }
    parameters
}

/// Each circle once, as places.
fn circles(parameters: &[Parameter]) -> Vec<Vec<usize>> {
    let mut found: Vec<Vec<usize>> = Vec::new();
    for start in 0..parameters.len() {
        // Depth first, from the start back to it.
        let mut paths = vec![vec![start]];
        let mut seen = vec![false; parameters.len()];
        while let Some(path) = paths.pop() {
            let Some(&last) = path.last() else { continue };
            for condition in &parameters[last].conditions {
                let parent = condition.parent;
                if parent == start {
                    let is_new = found.iter().all(|circle| !circle.contains(&start));
                    if is_new {
                        found.push(path.clone());
                    }
                } else if !std::mem::replace(&mut seen[parent], true) {
                    let mut longer = path.clone();
                    longer.push(parent);
                    paths.push(longer);
                }
            }
        }
    }
    found
}

/// What must hold for a parameter, with what that needs in turn, by place. An empty set of values never holds.
fn requirements(parameters: &[Parameter], place: usize) -> Vec<Condition> {
    let mut sets: BTreeMap<usize, Condition> = BTreeMap::new();
    let mut open = vec![place];
    let mut seen = vec![false; parameters.len()];
    while let Some(place) = open.pop() {
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        for condition in &parameters[place].conditions {
            open.push(condition.parent);
            let set = sets.entry(condition.parent).or_insert_with(|| condition.clone());
            set.values.retain(|value| condition.values.contains(value));
        }
    }
    sets.into_values().collect()
}

/// Parameters with the same requirements, those with fewer first: what a group depends on has fewer than itself.
pub(super) fn groups(parameters: &[Parameter]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for place in 0..parameters.len() {
        let requirements = requirements(parameters, place);
        let same = |a: &Condition, b: &Condition| {
            a.parent == b.parent
                && a.values.len() == b.values.len()
                && a.values.iter().all(|value| b.values.contains(value))
        };
        let known = groups.iter_mut().find(|group| {
            group.requirements.len() == requirements.len()
                && group.requirements.iter().zip(&requirements).all(|(a, b)| same(a, b))
        });
        match known {
            Some(group) => group.parameters.push(place),
            None => groups.push(Group { parameters: vec![place], requirements }),
        }
    }
    groups.sort_by_key(|group| group.requirements.len());
    groups
}
