//! Follows a run and ends it: `observer DATA SECONDS`. A budget of time is one reason to end a run; a search that prunes its
//! trials is another. The best model so far is kept either way.

use pupila::backend::Backend;
use pupila::{EpochRecord, Observer, Recipe, Session, Stop};
use std::error::Error;
use std::time::{Duration, Instant};

struct Budget {
    ends: Instant,
}

impl Observer for Budget {
    fn stop(&mut self) -> Option<Stop> {
        (Instant::now() >= self.ends).then(|| Stop::Ended("the time is spent".into()))
    }

    fn epoch(&mut self, record: &EpochRecord, _: &dyn Backend) {
        println!(
            "epoch {}: loss {:.3}, accuracy {:.3}",
            record.epoch,
            record.val("loss"),
            record.val("accuracy")
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (data, seconds) = arguments.next().zip(arguments.next()).ok_or("usage: observer DATA SECONDS")?;
    let mut budget = Budget { ends: Instant::now() + Duration::from_secs_f64(seconds.parse()?) };
    let run = Session::open(Recipe::default(), data)?.run(&mut budget)?;
    println!("{}: {:?}", run.summary().status.name(), run.summary().ended_because);
    Ok(())
}
