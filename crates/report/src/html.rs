//! Text as HTML: escaping, numbers for people, data URIs, the frame of a page.

use std::fmt::Write as _;

/// Text as it stands in HTML, in elements and in quoted attributes. Names of classes and files are whatever the data holds;
/// control characters, which HTML forbids, become U+FFFD.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            '\n' | '\t' => escaped.push(c),
            // What would turn the direction of the text around it.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The first `most` characters, with an ellipsis where there are more.
pub(crate) fn shortened(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// The last `most` characters, behind an ellipsis where there are more: of file names the end tells them apart.
pub(crate) fn shortened_front(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    ['…'].into_iter().chain(text.chars().skip(length - most.saturating_sub(1))).collect()
}

/// The first and the last characters around an ellipsis where there are more than `most`: long names of classes often begin alike.
pub(crate) fn shortened_middle(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.to_owned();
    }
    let end = most.saturating_sub(1) / 2;
    let start = most.saturating_sub(1) - end;
    text.chars().take(start).chain(['…']).chain(text.chars().skip(length - end)).collect()
}

/// The end of a path, by which an image is known.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// A share as a percentage with one decimal; "undefined" for NaN.
pub(crate) fn percent(share: f64) -> String {
    if share.is_finite() { format!("{:.1}\u{a0}%", 100.0 * share) } else { "undefined".into() }
}

/// A number with some decimals; "NaN" where undefined.
pub(crate) fn fixed(value: f64, decimals: usize) -> String {
    if value.is_finite() { format!("{value:.decimals$}") } else { "NaN".into() }
}

/// A count with a comma at every thousand.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    let parts: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    parts.join(",")
}

/// "1 image", "2 images".
pub(crate) fn counted(n: u64, one: &str) -> String {
    format!("{} {one}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A duration for people.
pub(crate) fn seconds(s: f64) -> String {
    match s {
        s if !s.is_finite() => "unknown".into(),
        s if s < 0.0995 => format!("{:.0} ms", 1000.0 * s),
        s if s < 9.95 => format!("{s:.2} s"),
        s if s < 119.5 => format!("{s:.1} s"),
        s if s < 7200.0 => format!("{:.0} min {:.0} s", (s / 60.0).floor(), s % 60.0),
        s => format!("{:.0} h {:.0} min", (s / 3600.0).floor(), (s % 3600.0) / 60.0),
    }
}

/// Items as "a, b and c".
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

/// A table in a box of its own. Where the page is narrow each row is a block, its first cell the heading and every other cell beside
/// the heading of its column. `heads` and `rows` are HTML; no cell of a row spans those before its last.
pub(crate) fn stacked(heads: &[&str], rows: &str) -> String {
    let mut html = String::from("<div class=\"scroll\"><table class=\"stacked\"><thead><tr>");
    // A column of words has its heading above them.
    let first: Vec<&str> = rows.split("</tr>").next().unwrap_or_default().split("<td").skip(1).collect();
    for (place, head) in heads.iter().enumerate() {
        let words = place == 0 || first.get(place).is_some_and(|cell| cell.starts_with(" class=\"text\""));
        let _ = write!(html, "<th{}>{head}</th>", if words { " class=\"text\"" } else { "" });
    }
    html + "</tr></thead><tbody>" + &labelled(heads, rows) + "</tbody></table></div>"
}

/// Rows whose cells know the headings of their columns, which stand beside them where a table is stacked.
pub(crate) fn labelled(heads: &[&str], rows: &str) -> String {
    let mut html = String::with_capacity(rows.len() * 2);
    for row in rows.split_inclusive("</tr>") {
        let mut cells = row.split("<td");
        html += cells.next().unwrap_or_default();
        for (place, cell) in cells.enumerate() {
            match heads.get(place).filter(|_| place > 0) {
                Some(head) => {
                    let _ = write!(html, "<td data-head=\"{head}\"{cell}");
                }
                None => {
                    let _ = write!(html, "<td{cell}");
                }
            }
        }
    }
    html
}

/// Base 64 with padding (RFC 4648).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place)) as usize & 63];
            text.push(if place <= chunk.len() { char::from(letter) } else { '=' });
        }
    }
    text
}

/// A section of a page.
#[derive(Debug)]
pub(crate) struct Section {
    /// Its anchor.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// What stands in it, in HTML.
    pub(crate) body: String,
}

const STYLE: &str = include_str!("style.css");

/// A whole page. `sprites` are pictures that the sections refer to. Nothing in it may load anything or run: the policy
/// says so to the browser too.
pub(crate) fn page(title: &str, subtitle: &str, sections: &[Section], sprites: &str) -> String {
    styled_page(title, subtitle, sections, sprites, "")
}

/// The same with rules of its own behind those that all pages have.
pub(crate) fn styled_page(
    title: &str,
    subtitle: &str,
    sections: &[Section],
    sprites: &str,
    style: &str,
) -> String {
    let mut contents = String::new();
    let mut main = String::new();
    for Section { id, title, body } in sections {
        let _ = write!(contents, "<li><a href=\"#{id}\">{title}</a></li>");
        let _ = write!(main, "<section id=\"{id}\"><h2>{title}</h2>\n{body}</section>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}{style}</style>\n</head>\n<body>\n\
         <svg class=\"sprites\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>{sprites}</defs></svg>\n\
         <header><h1>{title}</h1><p>{subtitle}</p></header>\n\
         <div class=\"layout\"><nav aria-label=\"Contents\"><ul>{contents}</ul></nav>\n<main>\n{main}</main></div>\n\
         <footer>Written by Pupila {version}. This page is one file: it loads nothing and can be sent as it is.</footer>\n\
         </body>\n</html>\n",
        title = escape(title),
        subtitle = escape(subtitle),
        version = env!("CARGO_PKG_VERSION"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_become_markup() {
        let hostile = "</td><script>alert('x')</script>&\" onload=\"\0\u{202e}";
        let safe = escape(hostile);
        assert!(!safe.contains(['<', '>', '"', '\'', '\0', '\u{202e}']), "{safe}");
        assert!(safe.starts_with("&lt;/td&gt;&lt;script&gt;alert(&#39;x&#39;)"));
        assert_eq!(escape("日光, naïve\n"), "日光, naïve\n");
    }

    #[test]
    fn cells_of_a_stacked_table_know_their_column() {
        let rows = "<tr><td>a</td><td class=\"x\">1</td></tr><tr><td>b</td><td>2</td></tr>";
        let html = stacked(&["class", "recall"], rows);
        assert!(html.contains("<th class=\"text\">class</th><th>recall</th>"));
        assert!(html.contains("<td>a</td><td data-head=\"recall\" class=\"x\">1</td></tr>"), "{html}");
        assert_eq!(html.matches("data-head").count(), 2);
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        for (text, expected) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(text.as_bytes()), expected);
        }
        assert_eq!(base64(&[251, 255, 190]), "+/++");
    }

    #[test]
    fn numbers_are_for_people() {
        assert_eq!(
            [0.01, 3.0, 61.0, 150.0, 7260.0].map(seconds),
            ["10 ms", "3.00 s", "61.0 s", "2 min 30 s", "2 h 1 min"]
        );
        assert_eq!(
            (percent(0.5), percent(f64::NAN), fixed(f64::NAN, 2)),
            ("50.0\u{a0}%".into(), "undefined".into(), "NaN".into())
        );
        assert_eq!((shortened("abcdef", 4), shortened("abcd", 4)), ("abc…".into(), "abcd".into()));
        assert_eq!(
            (shortened_front("abcdef", 4), shortened_front("abcd", 4)),
            ("…def".into(), "abcd".into())
        );
        assert_eq!(
            (shortened_middle("abcdefgh", 6), shortened_middle("abcdef", 6)),
            ("abc…gh".into(), "abcdef".into())
        );
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!((counted(1, "image"), counted(1200, "image")), ("1 image".into(), "1,200 images".into()));
    }
}
