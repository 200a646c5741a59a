//! Names: of variants, of their folders, and what was probably meant.

use toml::Value;

/// "; did you mean `x`?", where a known name is similar.
pub fn did_you_mean(name: &str, known: &[String]) -> String {
    let scored =
        known.iter().map(|known| (strsim::jaro_winkler(&name.to_lowercase(), &known.to_lowercase()), known));
    // Of equally similar ones the first.
    let best = scored
        .filter(|(score, _)| *score > 0.8)
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.map(|(_, known)| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// A value as people write it: texts without quotes.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(",")),
        Value::Table(table) => {
            let parts: Vec<String> =
                table.iter().map(|(key, value)| format!("{key}:{}", plain(value))).collect();
            format!("{{{}}}", parts.join(","))
        }
        Value::Float(number) => float(*number),
        value => value.to_string(),
    }
}

/// A number in its short form: `1e30` instead of thirty zeros.
fn float(number: f64) -> String {
    match number.abs() {
        size if size == 0.0 || !size.is_finite() || (1e-5..1e7).contains(&size) => {
            Value::Float(number).to_string()
        }
        _ => format!("{number:e}"),
    }
}

/// A variant's name with its numbers in the form in which names have them.
pub(crate) fn spelled(name: &str) -> String {
    let level = |part: &str| match part.split_once('=') {
        Some((key, value)) if value.contains(['e', 'E', '.']) => {
            let number: Option<f64> = value.parse().ok();
            format!("{key}={}", number.map_or(value.to_owned(), float))
        }
        _ => part.to_owned(),
    };
    name.split(' ').map(level).collect::<Vec<_>>().join(" ")
}

/// The longest value that stands in a variant's name.
const LONGEST: usize = 40;

/// `dropout=0.5`, for the value at `place` (from 0) of its factor: a long one is told by its place.
pub(crate) fn level(key: &str, value: &Value, place: usize) -> String {
    let text = plain(value);
    let text = if text.chars().count() > LONGEST { format!("#{}", place + 1) } else { text };
    format!("{key}={text}")
}

/// A name that a folder may have everywhere, of at most 60 characters.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        let c = if c.is_alphanumeric() || "-_.".contains(c) { c } else { '-' };
        if c != '-' || !slug.ends_with('-') {
            slug.push(c);
        }
    }
    let slug = slug.trim_matches(['-', '.']);
    let short: String = slug.chars().take(60).collect();
    let short = short.trim_end_matches(['-', '.']);
    if short.is_empty() { "variant".to_owned() } else { short.to_owned() }
}

/// Slugs of some names, told apart by numbers, also where letters differ only in their case.
pub fn slugs<'a>(names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut taken: Vec<String> = Vec::new();
    for name in names {
        let first = slug(name);
        let free =
            |candidate: &String| !taken.iter().any(|taken| taken.to_lowercase() == candidate.to_lowercase());
        let numbered = (2..).map(|n| format!("{first}-{n}"));
        let chosen = std::iter::once(first.clone()).chain(numbered).find(free);
        taken.push(chosen.unwrap_or(first));
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_variants_have_names_that_every_system_takes() {
        assert_eq!(slug("dropout=0.5 init={uniform:{low:-1}}"), "dropout-0.5-init-uniform-low-1");
        assert_eq!(slug("../..//x"), "x");
        assert_eq!(slug("  "), "variant");
        assert_eq!(slug("ñandú"), "ñandú");
        assert_eq!(slugs(["a b", "a/b", "A-b", "c"]), ["a-b", "a-b-2", "A-b-3", "c"]);
    }

    #[test]
    fn values_are_told_as_people_write_them() {
        let table: toml::Table =
            toml::from_str("v = [{ horizontal_flip = { p = 0.5 } }]\nw = [64, 32]\nx = \"he\"").unwrap();
        assert_eq!(plain(&table["v"]), "[{horizontal_flip:{p:0.5}}]");
        assert_eq!(level("hidden", &table["w"], 0), "hidden=[64,32]");
        assert_eq!(level("init", &table["x"], 1), "init=he");
        for (text, short) in
            [("1e30", "1e30"), ("1e-8", "1e-8"), ("0.0001", "0.0001"), ("1e-4", "0.0001"), ("2.0", "2.0")]
        {
            let table: toml::Table = toml::from_str(&format!("v = {text}")).unwrap();
            assert_eq!(plain(&table["v"]), short);
        }
        assert_eq!(level("lr", &Value::Float(-1e30), 0), "lr=-1e30");
        assert_eq!(spelled("dropout=0.5 lr=1E+30 init=he"), "dropout=0.5 lr=1e30 init=he");
        assert_eq!(spelled("lr=1e-4"), "lr=0.0001");
        let long = Value::String("x".repeat(41));
        assert_eq!(level("k", &long, 1), "k=#2");
    }
}
