//! Why images have no contrast once they are read, and what would help.

use pupila_image::{Flat, Reading, Stored};

use super::levels::{number, settings};
use super::words::set_words;

/// Why images have no contrast once they are read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhyFlat {
    /// Samples of more than 8 bits that use the lowest alone.
    FewBits {
        /// The largest sample of those that were looked at.
        largest: u32,
        /// The sample that is white.
        white: u32,
    },
    /// Floating-point samples that are not from 0 to 1, as text.
    Float {
        /// The smallest and the largest.
        range: String,
        /// What would take them from black to white, after `--set`.
        settings: Vec<String>,
    },
    /// Arrays whose values are few.
    FewLevels {
        /// The largest value.
        largest: u8,
    },
    /// They show by their transparency alone.
    Alpha {
        /// The color that they are to be laid over to be seen.
        background: &'static str,
    },
    /// They are transparent altogether.
    Transparent,
    /// They are so.
    Plain,
}

impl WhyFlat {
    /// The most common reason of several pictures, and what would help; none that the recipe's own reading causes. `stored` is what files of the
    /// data hold that need not be flat: what is proposed must hold for them too.
    pub(crate) fn of(
        pictures: impl Iterator<Item = Flat>,
        stored: Option<Stored>,
        reading: Reading,
    ) -> WhyFlat {
        let pictures: Vec<Flat> = pictures.collect();
        let most =
            |is: fn(&Flat) -> bool| pictures.iter().filter(|flat| is(flat)).count() * 2 > pictures.len();
        let bits = pictures.iter().filter_map(|flat| match flat {
            Flat::FewBits { largest, white } => Some((*largest, *white)),
            _ => None,
        });
        let floats = pictures.iter().filter_map(|flat| match flat {
            Flat::Float { low, high } => Some((*low, *high)),
            _ => None,
        });
        match () {
            () if most(|flat| matches!(flat, Flat::FewBits { .. })) && reading.white.is_none() => {
                let (largest, white) = bits.max().unwrap_or((0, u16::MAX.into()));
                let seen = stored.filter(|stored| !stored.float).map_or(0, |stored| stored.high as u32);
                WhyFlat::FewBits { largest: largest.max(seen), white }
            }
            () if most(|flat| matches!(flat, Flat::Float { .. })) && reading.white.is_none() => {
                let all =
                    floats.map(|(low, high)| Stored { low, high, white: 1.0, float: true, undefined: false });
                let all = all.chain(stored.filter(|stored| stored.float)).reduce(Stored::with);
                let (range, settings) = all.map_or((String::new(), Vec::new()), |all| {
                    (format!("{} to {}", number(all.low), number(all.high)), settings(all, reading))
                });
                WhyFlat::Float { range, settings }
            }
            () if most(|flat| matches!(flat, Flat::OnlyAlpha { .. })) && reading.background.is_none() => {
                let light = most(|flat| matches!(flat, Flat::OnlyAlpha { light: true }));
                WhyFlat::Alpha { background: if light { "black" } else { "white" } }
            }
            () if most(|flat| matches!(flat, Flat::Transparent)) => WhyFlat::Transparent,
            () => WhyFlat::Plain,
        }
    }

    /// What would help in a recipe; `None` where it takes a look.
    pub fn advice(&self) -> Option<String> {
        (*self != WhyFlat::Plain).then(|| self.words("them", true))
    }

    pub(super) fn words(&self, them: &str, by_recipe: bool) -> String {
        let set = set_words(by_recipe);
        match self {
            WhyFlat::FewBits { largest, white: most } => {
                let bits = u32::BITS - most.leading_zeros();
                // The smallest range of whole bits that holds it.
                let white = (*largest + 1).next_power_of_two().max(2) - 1;
                format!(
                    "their files have {bits} bits, and the largest value found is {largest} of {most}: {set} input.white={white} reads \
                     {white} as white"
                )
            }
            WhyFlat::FewLevels { largest } => format!(
                "the largest value of the array is {largest} of 255: {set} input.white={largest} reads {largest} as white"
            ),
            WhyFlat::Float { range, settings } => {
                let keys: Vec<String> = settings.iter().map(|setting| format!("{set} {setting}")).collect();
                let how = match keys.is_empty() {
                    true => "scale them to 0 to 1 before".to_owned(),
                    false => format!("{} takes all of it", keys.join(" ")),
                };
                format!(
                    "their files hold floating-point numbers from {range}, of which 0 to 1 is black to white: {how}"
                )
            }
            WhyFlat::Alpha { background } => format!(
                "what shows is in the transparency, which is dropped: {set} input.background={background} lays {them} over \
                 {background}"
            ),
            WhyFlat::Transparent => "nothing is opaque".to_owned(),
            WhyFlat::Plain => "look at them".to_owned(),
        }
    }
}
