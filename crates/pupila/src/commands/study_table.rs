//! The table of a study in the width of the terminal, and sentences in lines.
//!
//! Where it is narrow, names give way first, then the intervals, which the answer says too; what a verdict says goes on below its row.

use crate::output::Output;
use pupila::dataset::shown;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The longest name of a variant.
pub(super) const NAME: usize = 36;
/// Names are not shortened below this.
const SHORTEST: usize = 16;
/// Between columns.
const GAP: &str = "   ";
/// The columns of the own interval and of that of the difference, in the order in which they are left out.
const SPARE: [usize; 2] = [2, 4];
/// Before what goes on below a row.
const INDENT: &str = "    ";

/// The lines of a table of a study, its head first, each at most `width` wide where that is possible at all.
pub(super) fn table(rows: &[[String; 6]], width: usize) -> Vec<String> {
    let names: Vec<String> = rows.iter().skip(1).map(|row| row[0].clone()).collect();
    let mut shown: Vec<usize> = (0..6).collect();
    let mut spare = SPARE.iter();
    let wide = |column: usize| rows.iter().map(|row| row[column].width()).max().unwrap_or(0);
    let needed =
        |shown: &[usize]| shown.iter().skip(1).map(|&column| GAP.len() + wide(column)).sum::<usize>();
    let longest = |names: &[String]| names.iter().map(|name| name.width()).max().unwrap_or(0);
    let least = SHORTEST.min(longest(&names).max(rows[0][0].width()));
    while needed(&shown) + least > width {
        let Some(column) = spare.next() else { break };
        shown.retain(|shown| shown != column);
    }
    let fits = needed(&shown) + least <= width;
    if !fits {
        shown.retain(|&column| column != 5);
    }
    let room = width.saturating_sub(needed(&shown)).clamp(SHORTEST, NAME);
    let mut names = shortened(&names, room);
    names.insert(0, rows[0][0].clone());
    let widths: Vec<usize> =
        shown.iter().map(|&column| if column == 0 { longest(&names) } else { wide(column) }).collect();
    let mut lines = Vec::new();
    for (row, name) in rows.iter().zip(&names) {
        let mut line = String::new();
        for (&column, &width) in shown.iter().zip(&widths) {
            let cell = if column == 0 { name } else { &row[column] };
            let pad = " ".repeat(width.saturating_sub(cell.width()));
            let (left, right) =
                if column == 0 || column == 5 { ("", pad.as_str()) } else { (pad.as_str(), "") };
            line += &format!("{left}{cell}{right}{GAP}");
        }
        lines.push(line.trim_end().to_owned());
        if !fits && lines.len() > 1 && !row[5].is_empty() {
            lines.extend(in_lines(&row[5], width, INDENT));
        }
    }
    lines
}

/// Names of at most so many columns that can be told apart: their ends are cut, where that leaves two alike their middles, and where that
/// does their common beginning.
pub(super) fn shortened(names: &[String], width: usize) -> Vec<String> {
    let names: Vec<String> = names.iter().map(|name| shown(name)).collect();
    let long: Vec<&String> = names.iter().filter(|name| name.width() > width).collect();
    let common = common_beginning(&long);
    let rest = |name: &str| match name.width() > width {
        true => {
            // Where there is room, more than what differs.
            let from = common.min(name.chars().count().saturating_sub(width.saturating_sub(1)));
            cut(&format!("…{}", name.chars().skip(from).collect::<String>()), width)
        }
        false => name.to_owned(),
    };
    let all = |shorten: &dyn Fn(&str) -> String| -> Vec<String> {
        names.iter().map(|name| shorten(name)).collect()
    };
    let ways = [all(&|name| cut(name, width)), all(&|name| without_middle(name, width)), all(&rest)];
    let apart = |names: &Vec<String>| (1..names.len()).all(|place| !names[..place].contains(&names[place]));
    ways.iter().find(|names| apart(names)).unwrap_or(&ways[1]).clone()
}

/// Characters that all of some names begin with.
fn common_beginning(names: &[&String]) -> usize {
    let Some(first) = names.first() else { return 0 };
    let same = |name: &&String| first.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
    names.iter().map(same).min().unwrap_or(0)
}

/// The beginning of a text, as much as fits into so many columns.
fn beginning(text: &str, width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    text.chars().take_while(fits).collect()
}

fn cut(name: &str, width: usize) -> String {
    if name.width() <= width { name.to_owned() } else { beginning(name, width.saturating_sub(1)) + "…" }
}

fn without_middle(name: &str, width: usize) -> String {
    if name.width() <= width {
        return name.to_owned();
    }
    let room = width.saturating_sub(1);
    let reversed: String = name.chars().rev().collect();
    let end: String = beginning(&reversed, room / 2).chars().rev().collect();
    format!("{}…{end}", beginning(name, room - room / 2))
}

/// A sentence in lines of the terminal's width.
pub(super) fn wrapped(output: Output, sentence: &str) {
    for line in in_lines(sentence, output.width().clamp(40, 110), "") {
        output.say(line);
    }
}

/// A warning in lines of the terminal's width.
pub(super) fn warned(output: Output, message: &str) {
    // Behind the word `warning:`.
    let lines = in_lines(message, output.width().clamp(40, 110).saturating_sub(9), "");
    for (place, line) in lines.iter().enumerate() {
        if place == 0 { output.warn(line) } else { output.say(line) }
    }
}

/// A text in lines, the first behind `indent`, the others two columns farther in.
fn in_lines(text: &str, width: usize, indent: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = indent.to_owned();
    let mut is_empty = true;
    for word in text.split(' ') {
        if !is_empty && line.width() + 1 + word.width() > width {
            lines.push(std::mem::replace(&mut line, format!("{indent}  ")));
        } else if !is_empty {
            line.push(' ');
        }
        line += word;
        is_empty = false;
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(names: &[&str], verdict: &str) -> Vec<[String; 6]> {
        let row = |cells: [&str; 6]| cells.map(str::to_owned);
        let mut rows =
            vec![row(["variant", "accuracy", "95 % interval", "difference", "95 % interval", "verdict"])];
        for name in names {
            rows.push(row([name, "55.3 %", "51.9 to 58.7 %", "+12.0 points", "-14.1 to +16.7", verdict]));
        }
        rows
    }

    #[test]
    fn a_table_fits_the_terminal_and_its_names_can_be_told_apart() {
        let names =
            ["as it is", "activation=relu hidden=[128,128,128,128]", "activation=relu hidden=[128,128,128]"];
        for verdict in
            ["better", "within noise (12 seeds to tell), over the 4 seeds that both have, 1 failed"]
        {
            let rows = rows(&names, verdict);
            for width in [40, 50, 60, 72, 80, 100, 200] {
                let lines = table(&rows, width);
                let told = lines.join("\n");
                assert!(width < 50 || lines.iter().all(|line| line.width() <= width), "{width}:\n{told}");
                for cell in ["variant", "55.3 %", "+12.0 points"] {
                    assert!(told.contains(cell), "{width}, {cell}:\n{told}");
                }
                let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
                assert_eq!(words.matches(verdict).count(), 3, "{width}:\n{told}");
            }
            assert_eq!(table(&rows, 300).len(), 4);
        }
    }

    #[test]
    fn shortened_names_keep_what_tells_them_apart() {
        let of = |names: &[&str], width| {
            shortened(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), width)
        };
        assert_eq!(of(&["a", "dropout"], 16), ["a", "dropout"]);
        assert_eq!(
            of(&["dropout-0.2 and more", "dropout-0.5 and more"], 16),
            ["dropout-0.2 and…", "dropout-0.5 and…"]
        );
        let ends = of(&["a very long name that ends in 0.2", "a very long name that ends in 0.5"], 16);
        assert_eq!(ends, ["a very l… in 0.2", "a very l… in 0.5"]);
        let middle = ["the first part, 0.2, and the second one", "the first part, 0.5, and the second one"];
        let short = of(&middle, 16);
        assert!(short[0] != short[1] && short.iter().all(|name| name.width() <= 16), "{short:?}");
    }
}
