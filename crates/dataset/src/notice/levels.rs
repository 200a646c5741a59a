//! Which stored values are black and white, where those that a file holds are others than what is taken for that.

use pupila_image::{Reading, Stored};

/// So far beyond black or white, in parts of their distance, values are what interpolation leaves of an edge.
const OVERSHOOT: f32 = 0.1;
/// Values this far above a range of whole bits were probably meant to be in it.
const SLACK: f32 = 1.02;
/// Up to here a range ends at any whole number, above at one of whole bits.
const SMALL: f32 = 16.0;

/// What is taken for black and white in files of more than 8 bits, and what would take all that they hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels {
    /// What the files hold and what is taken, in words.
    pub said: String,
    /// What to type after `--set`, each with its own; none where no such key would help.
    pub settings: Vec<String>,
}

impl Levels {
    /// Of files that hold `stored`; none where what they hold is what is taken, or may well be.
    pub(crate) fn of(stored: Stored, reading: Reading) -> Option<Levels> {
        let Stored { low, high, float, undefined, .. } = stored;
        let (black, white) = taken(stored, reading);
        let span = (white - black).max(f32::MIN_POSITIVE);
        let beyond_white = high > white + if float { OVERSHOOT * span } else { 0.0 };
        let beyond_black = low < black - if float { OVERSHOOT * span } else { 0.0 };
        // A quarter of the range: two bits of a whole number. A recipe that says what is white means it.
        let is_dark = reading.white.is_none() && high > black && (high - black) <= 0.2501 * span;
        if !(beyond_white || beyond_black || is_dark || undefined) {
            return None;
        }
        let settings = settings(stored, reading);
        let mut said = format!(
            "{} from {} to {}, where {} is read as black and {} as white",
            if float { "floating-point numbers" } else { "whole numbers of more than 8 bits" },
            number(low),
            number(high),
            number(black),
            number(white)
        );
        if beyond_white || beyond_black {
            said += ", and what is beyond is cut off";
        } else if is_dark {
            said += ", so that they are dark";
            if settings.is_empty() {
                said += ": scale them to 0 to 1 before";
            }
        }
        if undefined {
            said += "; NaN is read as black";
        }
        Some(Levels { said, settings })
    }

    /// What to type, in words; `set` begins each setting.
    pub(super) fn words(&self, set: &str) -> String {
        match &self.settings[..] {
            [] => self.said.clone(),
            settings => {
                let keys: Vec<String> = settings.iter().map(|setting| format!("{set} {setting}")).collect();
                format!("{}: {} takes all of it", self.said, keys.join(" "))
            }
        }
    }
}

/// What is read as black and as white.
fn taken(stored: Stored, reading: Reading) -> (f32, f32) {
    (reading.black.unwrap_or(0) as f32, reading.white.map_or(stored.white, |white| white as f32))
}

/// The settings that take all of what is stored from black to white; none where no whole numbers do.
pub(super) fn settings(stored: Stored, reading: Reading) -> Vec<String> {
    let (black, white) = taken(stored, reading);
    let Stored { low, high, float, .. } = stored;
    // Numbers that no setting can be, and a part of 0 to 1 that would only be cut finer.
    if low < i32::MIN as f32 || high > u32::MAX as f32 || (float && high < 0.5 && low >= black) {
        return Vec::new();
    }
    let mut settings = Vec::new();
    if low < black - if float { OVERSHOOT * (white - black) } else { 0.0 } {
        settings.push(format!("input.black={}", -i64::from(end(-low, 0))));
    }
    let is_white = float && reading.white.is_none() && high <= 1.0 + OVERSHOOT;
    let fits = if is_white { 1 } else { end(high, 1) };
    if fits as f32 != white {
        settings.push(format!("input.white={fits}"));
    }
    settings
}

/// The end of the smallest range that holds a value: that of whole bits, less `under`, or a small whole number.
fn end(value: f32, under: u32) -> u32 {
    let value = value / SLACK;
    if value <= SMALL {
        return value.ceil().max(1.0) as u32;
    }
    let holds = |bits: &u32| 2f64.powi(*bits as i32) - f64::from(under) >= f64::from(value);
    let bits = (1..u32::BITS).find(holds).unwrap_or(u32::BITS);
    (2f64.powi(bits as i32) - f64::from(under)).min(f64::from(u32::MAX)) as u32
}

/// A number as a person writes it.
pub(super) fn number(value: f32) -> String {
    let plain = value == 0.0 || (1e-3..1e7).contains(&value.abs());
    if plain { value.to_string() } else { format!("{value:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_proposed_holds_what_is_stored() {
        let floats = |low, high| Stored { low, high, white: 1.0, float: true, undefined: false };
        let whole = |high| Stored { low: 0.0, high, white: 65535.0, float: false, undefined: false };
        let plain = Reading::default();
        for (stored, typed) in [
            (floats(0.0, 255.0), &["input.white=255"][..]),
            (floats(0.0, 213.5), &["input.white=255"]),
            (floats(0.0, 65535.0), &["input.white=65535"]),
            (floats(0.0, 2.5), &["input.white=3"]),
            (floats(0.0, 100.0), &["input.white=127"]),
            (floats(-1.0, 1.0), &["input.black=-1"]),
            (floats(-2.1, 2.6), &["input.black=-3", "input.white=3"]),
            (floats(-1024.0, 3071.0), &["input.black=-1024", "input.white=4095"]),
            (floats(-1000.0, 400.0), &["input.black=-1024", "input.white=511"]),
            (whole(4095.0), &["input.white=4095"]),
            (whole(249.0), &["input.white=255"]),
            (whole(16383.0), &["input.white=16383"]),
        ] {
            let levels = Levels::of(stored, plain).unwrap();
            assert_eq!(levels.settings, typed, "{stored:?}");
            // Typed, nothing is left to say.
            let mut reading = plain;
            for setting in &levels.settings {
                match setting.split_once('=').unwrap() {
                    ("input.white", white) => reading.white = Some(white.parse().unwrap()),
                    (_, black) => reading.black = Some(black.parse().unwrap()),
                }
            }
            assert_eq!(Levels::of(stored, reading), None, "{stored:?}");
        }
        // What interpolation leaves, and pictures that use their range.
        for stored in
            [floats(0.0, 1.0), floats(-0.04, 1.08), floats(0.0, 0.6), whole(65535.0), whole(30000.0)]
        {
            assert_eq!(Levels::of(stored, plain), None, "{stored:?}");
        }
        // A white that cuts is told, and a better one; of what no number can be, nothing is proposed.
        let cut = Levels::of(floats(0.0, 213.0), Reading { white: Some(100), ..plain }).unwrap();
        assert_eq!(cut.settings, ["input.white=255"]);
        for stored in [floats(0.0, 0.01), floats(0.0, 1e30)] {
            assert!(Levels::of(stored, plain).unwrap().settings.is_empty(), "{stored:?}");
        }
        let undefined = Stored { undefined: true, ..floats(0.0, 1.0) };
        let levels = Levels::of(undefined, plain).unwrap();
        assert!(levels.settings.is_empty() && levels.said.ends_with("NaN is read as black"), "{levels:?}");
    }
}
