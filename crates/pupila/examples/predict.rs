//! Classifies images: `predict RUN IMAGE...`.

use pupila::Classifier;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let run = arguments.next().ok_or("usage: predict RUN IMAGE...")?;
    let mut classifier = Classifier::open(run)?;
    for image in arguments {
        let answer = classifier.predict(&std::fs::read(&image)?)?;
        println!("{image}: {:?}", answer.top(3));
    }
    Ok(())
}
