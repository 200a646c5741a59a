//! The quality of labels by probabilities, for comparison with other programs.
//!
//! In, on standard input: CSV lines `label,p0,p1,...`, the label as a number from 0. Out, a line for each: its quality, and 1 where it is
//! doubted, else 0.

use pupila_inspect::{doubts, label_quality};
use std::io::Read;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let (mut labels, mut probabilities, mut classes) = (Vec::new(), Vec::new(), 0);
    for line in text.lines() {
        let (label, row) = line.split_once(',').ok_or("a line needs a label and probabilities")?;
        labels.push(label.parse::<u32>()?);
        let row: Vec<f32> = row.split(',').map(str::parse).collect::<Result<_, _>>()?;
        classes = row.len();
        probabilities.extend(row);
    }
    let quality = label_quality(&labels, &probabilities, classes);
    let mut doubted = vec![0; labels.len()];
    doubts(&labels, &probabilities, classes).iter().for_each(|doubt| doubted[doubt.row] = 1);
    for (quality, doubted) in quality.iter().zip(doubted) {
        println!("{quality:?},{doubted}");
    }
    Ok(())
}
