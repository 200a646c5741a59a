//! A confusion matrix as a picture: darker where more samples of a class are, by row, so that classes of different sizes
//! compare.

use crate::canvas::{CHARACTER, Canvas, text_width};
use pupila_image::Image;

/// Most classes whose cells bear their counts and whose rows bear their names.
const NAMED: usize = 40;
/// Longest name that is shown, in characters.
const NAME: u32 = 24;

/// The matrix `rows: [K, K]`, true classes down and predicted ones across. `classes: [K]`
pub fn confusion_matrix(rows: &[Vec<u64>], classes: &[String]) -> Option<Image> {
    let k = rows.len();
    let named = k <= NAMED;
    let longest = rows.iter().flatten().max().map_or(1, |count| count.to_string().len()) as u32;
    let cell = if named { (longest * CHARACTER.0 + 8).max(28) } else { (1200 / k.max(1) as u32).max(2) };
    let names = classes.iter().map(|name| text_width(name)).max().unwrap_or(0).min(NAME * CHARACTER.0);
    // Names beside the rows; numbers of the classes above the columns.
    let (left, top) =
        if named { (names + 4 * CHARACTER.0 + 8, 3 * CHARACTER.1 + 4) } else { (8, CHARACTER.1 + 12) };
    let side = k as u32 * cell;
    let mut canvas = Canvas::new((left + side + 8).max(left + 200), top + side + 8, [255; 3]);
    let black = [20; 3];
    let axes = if named {
        "true (rows), predicted (columns)"
    } else {
        "true down, predicted across; too many classes to name"
    };
    canvas.text(axes, 4, 4, u32::MAX, black);
    for (target, row) in rows.iter().enumerate() {
        let y = top + target as u32 * cell;
        let middle = y + (cell.saturating_sub(CHARACTER.1)) / 2;
        let total = row.iter().sum::<u64>().max(1) as f64;
        if named {
            let label = format!("{target:>3} {}", classes.get(target).map_or("", String::as_str));
            canvas.text(&label, 4, middle, left - 8, black);
            let number = target.to_string();
            let x = left + target as u32 * cell + cell.saturating_sub(text_width(&number)) / 2;
            canvas.text(&number, x, top - CHARACTER.1 - 2, cell, black);
        }
        for (predicted, &count) in row.iter().enumerate() {
            let x = left + predicted as u32 * cell;
            let share = count as f64 / total;
            // The diagonal in blue, mistakes in red.
            let full: [f64; 3] = if target == predicted { [8.0, 69.0, 148.0] } else { [165.0, 15.0, 21.0] };
            let color = full.map(|channel| (248.0 + share.sqrt() * (channel - 248.0)) as u8);
            let gap = u32::from(cell > 6);
            canvas.fill(x, y, cell - gap, cell - gap, color);
            if named && count > 0 {
                let text = count.to_string();
                let ink = if share > 0.3 { [255; 3] } else { black };
                canvas.text(&text, x + cell.saturating_sub(text_width(&text)) / 2, middle, cell, ink);
            }
        }
    }
    canvas.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_classes_and_many_both_fit() {
        let names: Vec<String> = (0..200).map(|i| format!("class {i}")).collect();
        let matrix = |k: usize| vec![vec![1; k]; k];
        let small = confusion_matrix(&matrix(3), &names[..3]).unwrap();
        assert!(small.width() > 3 * 28 && small.width() < 500 && small.height() < 200);
        let large = confusion_matrix(&matrix(200), &names).unwrap();
        assert!(large.width() <= 1300 && large.height() <= 1300);
        // An empty cell is light, a full one dark.
        let picture = confusion_matrix(&[vec![9, 0], vec![0, 0]], &names[..2]).unwrap();
        let dark = picture.data().chunks_exact(3).filter(|p| *p == [8, 69, 148]).count();
        assert!(dark > 300, "{dark}");
    }
}
