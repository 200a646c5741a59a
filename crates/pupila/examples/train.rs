//! Trains a classifier: `train DATA`. What `pupila train DATA --size 32 --epochs 10` does, and a line of one's own.

use pupila::recipe::{Input, Train};
use pupila::{Recipe, Session};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let data = std::env::args().nth(1).ok_or("usage: train DATA")?;
    let recipe = Recipe {
        input: Input { size: 32.into(), ..Input::default() },
        train: Train { epochs: 10, ..Train::default() },
        ..Recipe::default()
    };
    let run = Session::open(recipe, data)?.run(&mut ())?;
    let accuracy = run.val("accuracy").unwrap_or(f64::NAN);
    println!("accuracy {accuracy:.3}, all of it in {}", run.folder().path().display());
    Ok(())
}
