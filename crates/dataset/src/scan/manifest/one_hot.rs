//! A column for each class, of which one is 1 in every row, as the ISIC challenges write their labels.

use csv::StringRecord;

use super::columns::{Label, Wrong, asked_for};
use super::several::{JOINED, left_out};
use super::table::Table;
use crate::Layout;
use crate::scan::names::words;
use crate::suggest::in_a_shell;

/// The class of rows of none, in the line that leaves them out.
const NONE: &str = "none-of-them";

/// What a cell says; `None` where it is neither 0 nor 1.
fn bit(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" => return Some(true),
        "false" => return Some(false),
        _ => {}
    }
    // Some write 1,0.
    let number: f64 = value.replacen(',', ".", 1).parse().ok()?;
    match number {
        0.0 => Some(false),
        1.0 => Some(true),
        _ => None,
    }
}

/// The columns among `others` that hold nothing but 0 and 1, if they are at least two and one of them is 1 in every row.
///
/// # Errors
/// There are such columns, and in some row none of them is 1, or several are.
pub(super) fn find(table: &Table, others: &[usize], layout: &Layout) -> Result<Option<Label>, Wrong> {
    let is_bits =
        |&column: &usize| !table.rows.is_empty() && table.values(column).all(|value| bit(value).is_some());
    // `score_weight` says how much an image counts.
    let is_weight = |column: &usize| {
        words(&table.header[*column]).iter().any(|word| matches!(word.as_str(), "weight" | "weights"))
    };
    let columns: Vec<usize> =
        others.iter().copied().filter(is_bits).filter(|column| !is_weight(column)).collect();
    if columns.len() < 2 {
        return Ok(None);
    }
    // Columns that are never 1 alone say nothing of a class, unless some of them are.
    if !table.rows.iter().any(|(_, row)| ones(row, &columns).len() == 1) {
        return match table.rows.first() {
            Some((line, row)) if !covers(table, &columns).is_empty() => {
                Err(Wrong { line: *line, reason: refusal(table, row, &columns, String::new()) })
            }
            _ => Ok(None),
        };
    }
    let rest = layout.one_hot_rest.clone();
    for (line, row) in &table.rows {
        let class = class(&table.header, row, &columns, rest.as_deref());
        class.map_err(|reason| {
            let rows = table.rows.iter().filter(|(_, row)| ones(row, &columns).len() > 1).count();
            let several = |row| joined(&table.header, &ones(row, &columns));
            let first = table.rows.iter().map(|(_, row)| row).find(|row| ones(row, &columns).len() > 1);
            let reason = match first {
                Some(row) => self::several(table, &columns, rest.as_deref(), (rows, &several(row))),
                None => reason,
            };
            Wrong { line: *line, reason: refusal(table, row, &columns, reason) }
        })?;
    }
    Ok(Some(Label::OneHot { columns, rest }))
}

/// The columns of the classes of a table whose other columns are taken for something else; none where there are no such columns.
///
/// # Errors
/// As of [`find`]; a column that the recipe names is not there.
pub(in crate::scan) fn find_one_hot(
    table: &Table,
    taken: &[usize],
    layout: &Layout,
) -> Result<Vec<usize>, Wrong> {
    if !layout.one_hot.is_empty() {
        let columns = layout.one_hot.iter().map(|name| asked_for(table, "one_hot", name));
        return Ok(columns.collect::<Result<_, _>>()?);
    }
    let others: Vec<usize> = (0..table.header.len()).filter(|column| !taken.contains(column)).collect();
    Ok(match find(table, &others, layout)? {
        Some(Label::OneHot { columns, .. }) => columns,
        _ => Vec::new(),
    })
}

/// Why columns of 0 and 1 are not one for each class: where some of them are, those are named.
fn refusal(table: &Table, row: &StringRecord, columns: &[usize], reason: String) -> String {
    let covers = covers(table, columns);
    if covers.is_empty() {
        return reason;
    }
    let quoted = |cover: &Vec<usize>| {
        let names: Vec<String> = cover.iter().map(|&column| format!("{:?}", table.header[column])).collect();
        format!("--set 'data.one_hot=[{}]'", names.join(", ").replace('\'', "\\u0027"))
    };
    let lines: Vec<String> = covers.iter().map(quoted).collect();
    let ones: Vec<&str> =
        ones(row, columns).into_iter().map(|column| table.header[column].as_str()).collect();
    let which = if lines.len() == 1 { "say that these are the classes" } else { "say which are the classes" };
    format!("{} are 1, and an image has one class here; {which}: {}", ones.join(", "), lines.join(" or "))
}

/// All sets of two and more columns of which one is 1 in every row, if they are few. Columns that are never 1 belong to none.
fn covers(table: &Table, columns: &[usize]) -> Vec<Vec<usize>> {
    const MOST: usize = 4;
    // Rows that are alike say the same.
    let mut rows: Vec<Vec<usize>> = table.rows.iter().map(|(_, row)| ones(row, columns)).collect();
    rows.sort_unstable();
    rows.dedup();
    let mut found = Vec::new();
    let mut budget = 100_000;
    cover(&rows, &[], &mut found, MOST, &mut budget);
    // Classes in the order of their columns.
    found.iter_mut().for_each(|cover| cover.sort_unstable());
    found.retain(|cover| cover.len() > 1);
    if budget == 0 { Vec::new() } else { found }
}

/// Adds columns to `chosen` until each row has one of them that is 1.
fn cover(
    rows: &[Vec<usize>],
    chosen: &[usize],
    found: &mut Vec<Vec<usize>>,
    most: usize,
    budget: &mut usize,
) {
    if found.len() >= most || *budget == 0 {
        return;
    }
    *budget -= 1;
    let has = |row: &Vec<usize>| row.iter().filter(|column| chosen.contains(column)).count();
    let Some(open) = rows.iter().find(|row| has(row) == 0) else {
        found.push(chosen.to_vec());
        return;
    };
    for &column in open {
        let clashes = rows.iter().any(|row| row.contains(&column) && has(row) > 0);
        if !clashes {
            let more = [chosen, &[column]].concat();
            cover(rows, &more, found, most, budget);
        }
    }
}

/// What to say where columns are shares of the classes in each row, such as 0.9 and 0.1.
pub(super) fn shares(table: &Table, others: &[usize]) -> Option<String> {
    let share = |value: &str| {
        value.replacen(',', ".", 1).parse().ok().filter(|share: &f64| (0.0..=1.0).contains(share))
    };
    let is_shares =
        |&column: &usize| !table.rows.is_empty() && table.values(column).all(|value| share(value).is_some());
    let columns: Vec<usize> = others.iter().copied().filter(is_shares).collect();
    let sums_to_one = |row: &StringRecord| {
        let sum: f64 = columns.iter().filter_map(|&column| share(row.get(column)?)).sum();
        // Rounded to a few digits each.
        (sum - 1.0).abs() <= 0.1 + 0.01 * columns.len() as f64
    };
    if columns.len() < 2 || !table.rows.iter().all(|(_, row)| sums_to_one(row)) {
        return None;
    }
    let names: Vec<&str> = columns.iter().map(|&column| table.header[column].as_str()).collect();
    Some(format!(
        "{} are shares of an image's classes, and an image has one class here: write a column label with the name of the largest, or 1 for it and 0 for \
         the others",
        names.join(", ")
    ))
}

/// The class of a row; of several the names of all.
pub(super) fn classes(
    header: &[String],
    row: &StringRecord,
    columns: &[usize],
    rest: Option<&str>,
) -> Result<String, String> {
    match &ones(row, columns)[..] {
        several @ [_, _, ..] => Ok(joined(header, several)),
        _ => class(header, row, columns, rest).map(str::to_owned),
    }
}

fn joined(header: &[String], columns: &[usize]) -> String {
    let names: Vec<&str> = columns.iter().map(|&column| header[column].as_str()).collect();
    names.join(&JOINED.to_string())
}

/// Why rows in which several columns are 1 are not read, with the line that leaves them out, and with them those in which none is.
pub(super) fn several(
    table: &Table,
    columns: &[usize],
    rest: Option<&str>,
    (rows, example): (usize, &str),
) -> String {
    let quoted: Vec<String> = columns.iter().map(|&column| in_a_shell(&table.header[column])).collect();
    let none = table.rows.iter().filter(|(_, row)| ones(row, columns).is_empty()).count();
    let (others, without) = match rest.is_none() && none > 0 {
        // A class of that name may be there.
        true => (vec![NONE], format!(" --set data.one_hot_rest={NONE}")),
        false => (Vec::new(), String::new()),
    };
    let and_none =
        if others.is_empty() { String::new() } else { format!(", and the {none} in which none is") };
    let s = if rows == 1 { "" } else { "s" };
    format!(
        "in {rows} row{s} several columns are 1, such as {}, and an image has one class here: --set 'data.one_hot=[{}]'{without} {} leaves them \
         out{and_none}; columns that are no classes are left out of data.one_hot",
        example.replace(JOINED, ", "),
        quoted.join(", "),
        left_out(JOINED, &others)
    )
}

/// The class of a row.
pub(in crate::scan) fn class<'a>(
    header: &'a [String],
    row: &StringRecord,
    columns: &[usize],
    rest: Option<&'a str>,
) -> Result<&'a str, String> {
    let name = |column: usize| header[column].as_str();
    let list = |columns: &[usize]| columns.iter().map(|&column| name(column)).collect::<Vec<_>>().join(", ");
    if let Some(&column) = columns.iter().find(|&&column| row.get(column).and_then(bit).is_none()) {
        let got = row.get(column).unwrap_or_default();
        return Err(format!("the column {} is \"{got}\", and should be 0 or 1", name(column)));
    }
    match (&ones(row, columns)[..], rest) {
        (&[column], _) => Ok(name(column)),
        ([], Some(rest)) => Ok(rest),
        ([], None) => Err(format!(
            "none of {} is 1; --set data.one_hot_rest=NAME says which class such rows are of, and {} beside it leaves them out",
            list(columns),
            "--set 'data.exclude=[\"NAME\"]'"
        )),
        (several, _) => {
            let quoted: Vec<String> = columns.iter().map(|&column| format!("\"{}\"", name(column))).collect();
            Err(format!(
                "{} are 1, and an image has one class here; the columns that are classes are said by --set \
                 'data.one_hot=[{}]' without those that are none",
                list(several),
                quoted.join(", ")
            ))
        }
    }
}

fn ones(row: &StringRecord, columns: &[usize]) -> Vec<usize> {
    columns.iter().copied().filter(|&column| row.get(column).and_then(bit) == Some(true)).collect()
}
