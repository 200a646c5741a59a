//! From a definition to a plan, or all that is wrong with it.

use crate::definition::{Definition, Named, Seeds};
use crate::error::{StudyErrors, StudyFault};
use crate::names::{did_you_mean, level, plain, slugs, spelled};
use crate::plan::{
    METRIC, Plan, Request, SEEDED, SEEDS, Seeding, Variant, effective, of_variant, resolved, setting,
    too_few_runs,
};
use pupila_metrics::{METRICS, Metric};
use pupila_train::{Layers, Recipe};
use toml::{Table, Value};

/// Variants of a study, at most.
const MOST_VARIANTS: usize = 200;
/// The recipe without any of the values of [alone].
const AS_IT_IS: &str = "as it is";

impl Plan {
    /// The plan of a definition.
    ///
    /// # Errors
    /// All that is wrong with it and can be told without the data.
    pub fn new(definition: &Definition, request: &Request) -> Result<Plan, StudyErrors> {
        let faults = definition.faults.clone();
        let mut planner = Planner { definition, request, layers: request.layers.clone(), faults };
        if let (None, Some(path)) = (&request.layers.file, &definition.recipe) {
            match std::fs::read_to_string(path) {
                Ok(text) => planner.layers.file = Some((path.clone(), text)),
                Err(error) => planner.wrong("recipe", format!("cannot read {}: {error}", path.display())),
            }
        }
        planner.plan()
    }
}

struct Planner<'a> {
    definition: &'a Definition,
    request: &'a Request,
    /// The request's, over the definition's own recipe.
    layers: Layers,
    faults: Vec<StudyFault>,
}

impl Planner<'_> {
    fn wrong(&mut self, place: impl Into<String>, message: impl Into<String>) {
        self.faults.push(StudyFault::new(place, message));
    }

    fn plan(mut self) -> Result<Plan, StudyErrors> {
        let (definition, request) = (self.definition, self.request);
        let metric = self.metric();
        let base = self.base_recipe();
        let (first, split) = (base.train.seed, base.data.split_seed.unwrap_or(base.train.seed));
        let seeds = match (request.seeds, &definition.seeds) {
            (Some(count), Some(Seeds::These(seeds))) => {
                let next = seeds.iter().max().map_or(first, |last| last.saturating_add(1));
                seeds.iter().copied().chain(next..).take(count).collect()
            }
            (Some(count), _) => (first..).take(count).collect(),
            (None, Some(Seeds::These(seeds))) => seeds.clone(),
            (None, Some(Seeds::Count(count))) => (first..).take(*count).collect(),
            (None, None) => (first..).take(SEEDS).collect::<Vec<u64>>(),
        };
        if let Some((_, seed)) = seeds.iter().enumerate().find(|(place, seed)| seeds[..*place].contains(seed))
        {
            self.wrong("seeds", format!("{seed} stands there twice"));
        }
        let asked = request.splits.or(definition.splits);
        let splits: Vec<u64> = (split..).take(asked.unwrap_or(1)).collect();
        let seeding =
            Seeding { seed: seeds.first().copied().unwrap_or(0), split, subsets: definition.subsets };
        let variants = self.variants(&base, seeding);
        let baseline = self.baseline(&variants);
        let chance = self.chance(&variants, baseline.as_ref().ok().copied());
        let minutes = request.minutes.or(definition.minutes);
        if let Some(minutes) = minutes.filter(|minutes| !(minutes.is_finite() && *minutes > 0.0)) {
            self.wrong("minutes", format!("expected a number above 0, got {minutes}"));
        }
        let runs = request.runs.or(definition.runs);
        self.faults.extend(too_few_runs(runs, variants.len()));
        let name = definition.name.clone();
        if crate::names::slug(&name) != name {
            self.wrong(
                "name",
                format!("`{name}` cannot be part of a folder's name; try `{}`", crate::names::slug(&name)),
            );
        }
        let (Some(metric), true) = (metric, self.faults.is_empty()) else {
            return Err(StudyErrors(self.faults));
        };
        Ok(Plan {
            name,
            question: definition.question.clone().unwrap_or_else(|| question(definition)),
            metric,
            baseline: baseline.as_ref().copied().unwrap_or(0),
            unknown_baseline: baseline.err(),
            chance,
            file_facts: definition.file_facts,
            variants,
            seeds,
            splits,
            splits_asked: asked.is_some(),
            split_seed: base.data.split_seed,
            subsets: definition.subsets,
            first_steps: definition.first_steps,
            loss: definition.loss,
            minutes,
            runs,
            runs_from: if request.runs.is_some() { "--max-runs" } else { "`runs` of the study file" },
        })
    }

    fn metric(&mut self) -> Option<&'static Metric> {
        let name = self.request.metric.clone().or_else(|| self.definition.metric.clone());
        let name = name.unwrap_or_else(|| METRIC.to_owned());
        let bare = name.strip_prefix("val/").unwrap_or(&name);
        let found = METRICS.iter().find(|metric| metric.name == bare);
        if found.is_none() {
            let known: Vec<String> = METRICS.iter().map(|metric| metric.name.to_owned()).collect();
            let hint = match &pupila_train::metrics_meant(bare)[..] {
                [] => did_you_mean(bare, &known),
                meant => format!("; did you mean {}?", meant.join(" or ")),
            };
            self.wrong(
                "metric",
                format!("no metric of the validation set is named `{name}`{hint} (`pupila list metrics` has them all)"),
            );
        }
        found
    }

    /// The recipe that all variants begin with, as far as it is right: its faults are told with the variants.
    fn base_recipe(&self) -> Recipe {
        self.layers.resolve_what_is_known().0.into_recipe()
    }

    /// The keys that the recipe file, or the command line, says something of.
    fn said(&self) -> Vec<String> {
        let mut said: Vec<String> = Vec::new();
        if let Some((_, text)) = &self.request.layers.file {
            let table: Table = toml::from_str(text).unwrap_or_default();
            for (section, keys) in &table {
                said.extend(keys.as_table().into_iter().flatten().map(|(key, _)| format!("{section}.{key}")));
            }
        }
        said.extend(self.on_command_line());
        said
    }

    fn on_command_line(&self) -> Vec<String> {
        let settings = &self.request.layers.settings;
        settings
            .iter()
            .filter_map(|s| s.assignment.split_once('='))
            .map(|(key, _)| key.trim().to_owned())
            .collect()
    }

    /// The variants with their recipes, those that are right.
    fn variants(&mut self, base: &Recipe, seeding: Seeding) -> Vec<Variant> {
        let said = self.said();
        let mut settings = Vec::new();
        for (key, value) in self.definition.set.iter().filter(|(key, _)| !said.contains(key)) {
            settings.push(setting(key, value, "the study's [set]"));
        }
        settings.extend(self.request.layers.settings.clone());
        let shared = Layers { settings, ..self.layers.clone() };
        let named = self.named(base);
        self.check_keys(&named);
        let slugs = slugs(named.iter().map(|named| named.name.as_str()));
        let mut variants: Vec<Variant> = Vec::new();
        for (named, slug) in named.into_iter().zip(slugs) {
            let mut layers = shared.clone();
            if let Some(path) = &named.recipe {
                match std::fs::read_to_string(path) {
                    Ok(text) => layers.file = Some((path.clone(), text)),
                    Err(error) => {
                        let message = format!("cannot read {}: {error}", path.display());
                        self.wrong(format!("variant `{}`", named.name), message);
                        continue;
                    }
                }
            }
            let by = format!("variant {}", named.name);
            layers.settings.extend(named.values.iter().map(|(key, value)| setting(key, value, &by)));
            match resolved(&layers, seeding) {
                Ok(recipe) if recipe.tracking.run_name.is_some() => self.add(vec![StudyFault::new(
                    "tracking.run_name",
                    "all runs of a study would have one name on the server; leave it out",
                )]),
                Ok(recipe) => {
                    let Named { name, values, .. } = named;
                    variants.push(Variant { name, slug, values, recipe, layers });
                }
                Err(faults) => self.add(of_variant(&named.name, faults)),
            }
        }
        self.leave_out_as_it_is(&mut variants);
        self.check_different(&variants);
        variants
    }

    /// The recipe as it is stands beside the values of [alone]; where a variant of the file is that recipe, it is there already.
    fn leave_out_as_it_is(&self, variants: &mut Vec<Variant>) {
        let Some(own) = variants.iter().find(|variant| variant.name == AS_IT_IS && variant.values.is_empty())
        else {
            return;
        };
        let listed = self.definition.variants.iter().any(|named| named.name == AS_IT_IS);
        let named = |variant: &Variant| {
            variant.name != AS_IT_IS && effective(&variant.recipe) == effective(&own.recipe)
        };
        let asked = self.request.baseline.as_ref().or(self.definition.baseline.as_ref());
        if let Some(same) = variants.iter().position(named).filter(|_| !listed)
            && asked.is_none_or(|asked| asked != AS_IT_IS)
        {
            // It leads, as the recipe as it is would.
            let same = variants.remove(same);
            if let Some(place) = variants.iter().position(|variant| variant.name == AS_IT_IS) {
                variants[place] = same;
            }
        }
    }

    /// Adds faults; one that several variants share, of the recipe of all, is told once.
    fn add(&mut self, faults: Vec<StudyFault>) {
        for fault in faults {
            let told = self.faults.iter().any(|other| other.message == fault.message);
            if !told {
                self.faults.push(fault);
            }
        }
    }

    /// The variants by name, with the keys that they set.
    fn named(&mut self, base: &Recipe) -> Vec<Named> {
        let definition = self.definition;
        let combinations = definition
            .crossed
            .iter()
            .try_fold(1usize, |all, (_, values)| all.checked_mul(values.len().max(1)));
        if combinations.is_none_or(|all| all > MOST_VARIANTS) {
            let all = combinations.map_or("very many".to_owned(), |all| all.to_string());
            self.wrong("crossed", format!("{all} combinations are more than the {MOST_VARIANTS} variants that a study can tell apart"));
            return Vec::new();
        }
        let mut named = crossed(&definition.crossed);
        if !definition.alone.is_empty() || (!definition.leave_one_out.is_empty() && named.is_empty()) {
            let name = if definition.leave_one_out.is_empty() { AS_IT_IS } else { "all" };
            named.push(Named { name: name.to_owned(), ..Named::default() });
        }
        for (key, values) in &definition.alone {
            let short = short(key, definition.alone.iter().map(|(key, _)| key));
            for (place, value) in values.iter().enumerate() {
                let values = vec![(key.clone(), value.clone())];
                named.push(Named { name: level(short, value, place), recipe: None, values });
            }
        }
        for key in &definition.leave_one_out {
            named.extend(self.left_out(key, base));
        }
        named.extend(definition.variants.clone());
        for factor in definition.crossed.iter().filter(|(_, values)| values.len() < 2) {
            let place = format!("crossed.{}", factor.0);
            self.wrong(place, "a factor needs two values or more; one for all variants belongs in [set]");
        }
        for factor in definition.alone.iter().filter(|(_, values)| values.is_empty()) {
            self.wrong(
                format!("alone.{}", factor.0),
                "a factor needs at least one value beside the recipe's own",
            );
        }
        for variant in
            named.iter().filter(|v| v.name.trim().is_empty() || v.name.chars().any(char::is_control))
        {
            self.wrong(
                format!("variant {:?}", variant.name),
                "needs a name of letters, digits or signs that can be seen",
            );
        }
        for (place, variant) in named.iter().enumerate() {
            if named[..place].iter().any(|other| other.name == variant.name) {
                self.wrong(
                    format!("variant `{}`", variant.name),
                    "stands there twice; give each a name of its own",
                );
            }
        }
        match named.len() {
            1 if self.request.single => {}
            0 | 1 if self.faults.is_empty() => self.wrong(
                "",
                "a study needs two variants or more: add [variants.NAME], or values in [crossed] or [alone]",
            ),
            n if n > MOST_VARIANTS => {
                self.wrong(
                    "",
                    format!("{n} variants are more than the {MOST_VARIANTS} that a study can tell apart"),
                );
            }
            _ => {}
        }
        named
    }

    /// Each element of a list left out, and none at all.
    fn left_out(&mut self, key: &str, base: &Recipe) -> Vec<Named> {
        let said = self.said().iter().any(|said| said == key);
        let set = self.definition.set.iter().find(|(set, _)| set == key).map(|(_, value)| value.clone());
        let value = set.filter(|_| !said).or_else(|| {
            let all = Value::try_from(base).ok()?;
            let (section, name) = key.split_once('.')?;
            all.get(section)?.get(name).cloned()
        });
        let Some(Value::Array(elements)) = value else {
            self.wrong("leave_one_out", format!("`{key}` is no list of the recipe"));
            return Vec::new();
        };
        let without = |left: usize| {
            let kept = elements
                .iter()
                .enumerate()
                .filter(|(place, _)| *place != left)
                .map(|(_, value)| value.clone());
            Value::Array(kept.collect())
        };
        let name = |element: &Value| match element {
            Value::Table(table) if table.len() == 1 => table.keys().next().cloned().unwrap_or_default(),
            element => plain(element),
        };
        let of = |name: String| {
            if self.definition.leave_one_out.len() > 1 { format!("{key}: {name}") } else { name }
        };
        let mut named = vec![Named {
            name: of("none".to_owned()),
            recipe: None,
            values: vec![(key.to_owned(), Value::Array(Vec::new()))],
        }];
        if elements.len() > 1 {
            named.extend(elements.iter().enumerate().map(|(place, element)| Named {
                name: of(
                    match elements[..place].iter().filter(|other| name(other) == name(element)).count() {
                        0 => format!("without {}", name(element)),
                        n => format!("without {} #{}", name(element), n + 1),
                    },
                ),
                recipe: None,
                values: vec![(key.to_owned(), without(place))],
            }));
        }
        named
    }

    /// Keys that a study varies by itself, or that the command line holds fast.
    fn check_keys(&mut self, named: &[Named]) {
        let fixed = self.on_command_line();
        let mut told: Vec<String> = Vec::new();
        for (key, _) in self.definition.set.iter().filter(|(key, _)| SEEDED.contains(&key.as_str())) {
            self.wrong(format!("set.{key}"), "a study varies it by itself: use `seeds` and `splits`");
        }
        for (key, value) in named.iter().flat_map(|named| &named.values) {
            if told.contains(key) {
                continue;
            }
            if SEEDED.contains(&key.as_str()) {
                told.push(key.clone());
                self.wrong(key, "a study varies it by itself: use `seeds` and `splits`");
            } else if key.starts_with("tracking.") {
                told.push(key.clone());
                self.wrong(key, "changes no result, so there is nothing to compare; set it for all by --set");
            } else if key == "transfer.from" && value.as_str() == Some("") {
                // A variant without the learnt weights that the others begin from.
            } else if fixed.contains(key) {
                told.push(key.clone());
                self.wrong(format!("--set {key}"), "the study varies this key; leave one of the two out");
            }
        }
        for key in fixed.iter().filter(|key| matches!(key.as_str(), "data.split_seed" | "data.subset_seed")) {
            if self.request.splits.or(self.definition.splits).is_some() {
                self.wrong(
                    format!("--set {key}"),
                    "splits were asked for, which vary it; leave one of the two out",
                );
            }
        }
    }

    /// Two variants whose recipes are the same would give the same runs.
    fn check_different(&mut self, variants: &[Variant]) {
        let recipes: Vec<_> = variants.iter().map(|variant| effective(&variant.recipe)).collect();
        for second in 1..recipes.len() {
            if let Some(first) = (0..second).find(|&first| recipes[first] == recipes[second]) {
                let (first, second) = (&variants[first].name, &variants[second].name);
                self.wrong(
                    "",
                    format!("the variants `{first}` and `{second}` are the same recipe; leave one out, or change what it sets"),
                );
            }
        }
    }

    /// The place of the variant that says what chance reaches, which must be another than the baseline.
    fn chance(&mut self, variants: &[Variant], baseline: Option<usize>) -> Option<usize> {
        let Some(name) = &self.definition.chance else {
            if self.definition.file_facts {
                self.wrong("file_facts", "needs `chance`, the variant that says what chance reaches");
            }
            return None;
        };
        let found = variants.iter().position(|variant| variant.name == *name);
        // Variants that are wrong are told already.
        if found.is_none() && self.faults.is_empty() {
            let names: Vec<String> = variants.iter().map(|variant| variant.name.clone()).collect();
            let hint = did_you_mean(name, &names);
            let message = format!("no variant is named `{name}`{hint} (there are {})", names.join(", "));
            self.wrong("chance", message);
        }
        if found.is_some() && found == baseline {
            self.wrong("chance", format!("`{name}` is the baseline too: nothing is above chance then"));
        }
        found
    }

    /// The place of the baseline, or the name that no variant here has.
    fn baseline(&self, variants: &[Variant]) -> Result<usize, String> {
        let Some(name) = self.request.baseline.as_ref().or(self.definition.baseline.as_ref()) else {
            return Ok(0);
        };
        let found = variants.iter().position(|variant| variant.name == *name);
        // `lr=0.1` is `lr=1e-1`.
        let found = found.or_else(|| variants.iter().position(|v| spelled(&v.name) == spelled(name)));
        found.ok_or_else(|| name.clone())
    }
}

/// Every combination of the factors' values.
fn crossed(factors: &[(String, Vec<Value>)]) -> Vec<Named> {
    if factors.is_empty() {
        return Vec::new();
    }
    let mut named = vec![Named::default()];
    for (key, values) in factors {
        let short = short(key, factors.iter().map(|(key, _)| key));
        let mut grown = Vec::new();
        for before in &named {
            for (place, value) in values.iter().enumerate() {
                let mut next = before.clone();
                let level = level(short, value, place);
                next.name = if next.name.is_empty() { level } else { format!("{} {level}", next.name) };
                next.values.push((key.clone(), value.clone()));
                grown.push(next);
            }
        }
        named = grown;
    }
    named
}

/// The last part of a key, where no other key has the same.
fn short<'a>(key: &'a str, all: impl Iterator<Item = &'a String>) -> &'a str {
    let bare = |key: &'a str| key.rsplit('.').next().unwrap_or(key);
    let alike = all.filter(|other| bare(other) == bare(key)).count();
    if alike > 1 { key } else { bare(key) }
}

fn question(definition: &Definition) -> String {
    let keys: Vec<&str> =
        definition.crossed.iter().chain(&definition.alone).map(|(key, _)| key.as_str()).collect();
    match keys.is_empty() {
        true => "Which of the variants is best here?".to_owned(),
        false => format!("What does {} do here?", keys.join(" and ")),
    }
}
