//! Text of a terminal as a picture.

/// Height of a line, in px.
const LINE: usize = 17;
/// Width of a character of the font below, in px: the picture is a little wider than the text in any monospaced font.
const CHARACTER: f64 = 7.9;
/// Space around the text, in px.
const MARGIN: usize = 16;

/// An SVG of a dark terminal with the text. Headings (lines that begin in the first column) are bright.
pub(crate) fn svg(text: &str) -> String {
    let lines: Vec<_> = text.trim_end().lines().collect();
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let width = (columns as f64 * CHARACTER) as usize + 2 * MARGIN;
    let height = lines.len() * LINE + 2 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n\
         <g font-family=\"ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace\" font-size=\"13\" \
         fill=\"#c5c8d0\">\n"
    );
    for (i, line) in lines.iter().enumerate().filter(|(_, line)| !line.is_empty()) {
        let y = MARGIN + (i + 1) * LINE - 4;
        let fill = match line {
            line if line.starts_with('$') => " fill=\"#8fd18f\"",
            line if line.starts_with("warning") => " fill=\"#e5c07b\"",
            line if !line.starts_with(' ') && line.contains(':') => " fill=\"#ffffff\" font-weight=\"bold\"",
            _ => "",
        };
        // No-break spaces: others collapse in an SVG.
        let escaped =
            line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace(' ', "\u{a0}");
        svg += &format!("<text x=\"{MARGIN}\" y=\"{y}\"{fill}>{escaped}</text>\n");
    }
    svg + "</g>\n</svg>\n"
}
