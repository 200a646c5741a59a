//! Numbers as people write them: `0,3`, `30%`, `10,000`.

use toml::Value;

/// The number of `30%`.
pub(super) fn percent(text: &str) -> Option<Value> {
    let percent = text.strip_suffix('%')?;
    let percent: f64 = with_points(percent).unwrap_or_else(|| percent.to_owned()).trim().parse().ok()?;
    // As it is written: 0.07, and not what a division leaves of it.
    Some(Value::Float((percent * 1e8).round() / 1e10))
}

/// The whole number of `10,000`.
pub(super) fn thousands(text: &str) -> Option<Value> {
    let (whole, rest) = text.split_once(',')?;
    let digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
    let starts = (1..=3).contains(&whole.len()) && digits(whole) && !whole.starts_with('0');
    let goes_on = rest.split(',').all(|group| group.len() == 3 && digits(group));
    (starts && goes_on).then(|| text.replace(',', "").parse().ok().map(Value::Integer)).flatten()
}

/// A text whose numbers have a point where they had a comma between two digits; none where they have none, or where a comma may part thousands.
pub(super) fn with_points(text: &str) -> Option<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut with = String::new();
    let mut changed = false;
    for (at, &c) in chars.iter().enumerate() {
        let digit =
            |place: Option<usize>| place.and_then(|place| chars.get(place)).is_some_and(char::is_ascii_digit);
        let parts = c == ',' && digit(at.checked_sub(1)) && digit(Some(at + 1));
        if !parts {
            with.push(c);
            continue;
        }
        let run =
            |places: &mut dyn Iterator<Item = usize>| places.take_while(|&place| digit(Some(place))).count();
        let (before, after) = (run(&mut (0..at).rev()), run(&mut (at + 1..chars.len())));
        let more = |place: Option<&char>| place == Some(&',') && after > 0;
        // `0,1,2` is a list, and `1,000` may be a thousand.
        let in_list = more(chars.get(at + after + 1)) && digit(Some(at + after + 2))
            || at > before && chars[at - before - 1] == ',';
        if in_list || after == 3 && chars[at - before] != '0' {
            return None;
        }
        changed = true;
        with.push('.');
    }
    changed.then_some(with)
}

/// A list of whole numbers taken for decimals that were parted at their commas: `0, 9, 0, 999` as `0.9, 0.999`.
pub(super) fn paired(list: &[Value]) -> Option<Value> {
    let pairs = list.chunks(2).map(|pair| match pair {
        [Value::Integer(whole), Value::Integer(part)] if *part >= 0 => {
            format!("{whole}.{part}").parse().ok().map(Value::Float)
        }
        _ => None,
    });
    pairs.collect::<Option<Vec<Value>>>().map(Value::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comma_is_a_point_where_it_can_be_nothing_else() {
        for (typed, meant) in [
            ("0,3", Some("0.3")),
            ("3,5e-4", Some("3.5e-4")),
            ("-0,25", Some("-0.25")),
            ("0,001", Some("0.001")),
            ("12,5", Some("12.5")),
            ("[0,9, 0,99]", Some("[0.9, 0.99]")),
            ("{ p = 0,5 }", Some("{ p = 0.5 }")),
            // Lists, thousands and what has no number around its comma.
            ("1,000", None),
            ("512,256,128", None),
            ("0,1,2", None),
            ("[512, 256]", None),
            ("a,b", None),
            ("3", None),
        ] {
            assert_eq!(with_points(typed).as_deref(), meant, "{typed}");
        }
        for (typed, meant) in [
            ("10,000", Some(10_000)),
            ("1,234,567", Some(1_234_567)),
            ("0,100", None),
            ("1,00", None),
            ("7", None),
        ] {
            assert_eq!(thousands(typed), meant.map(Value::Integer), "{typed}");
        }
        for (typed, meant) in
            [("30%", Some(0.3)), ("7 %", Some(0.07)), ("12,5%", Some(0.125)), ("x%", None), ("7", None)]
        {
            assert_eq!(percent(typed), meant.map(Value::Float), "{typed}");
        }
    }
}
