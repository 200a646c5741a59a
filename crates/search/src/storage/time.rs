//! Times as Python's `datetime.isoformat` writes them. Dates by the algorithm of H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".

const DAY_US: i64 = 86_400_000_000;

/// Microseconds since 1970 (UTC) as `2026-11-29 15:13:18.165600`, with another separator of date and time where one is given.
pub(super) fn write(us: i64, separator: char) -> String {
    let (days, rest) = (us.div_euclid(DAY_US), us.rem_euclid(DAY_US));
    // Years begin in March, so that the leap day is the last of its year; an era has 400 of them.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (seconds, fraction) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02}{separator}{hour:02}:{minute:02}:{second:02}.{fraction:06}")
}

/// Reads what [`write()`] and Python write: a fraction and a time zone may be missing. A time without a zone is taken for UTC: Optuna 4 writes
/// the local time of a machine that the file does not name.
pub(super) fn read(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut rest = text.get(19..)?;
    let mut fraction = 0;
    if let Some(after) = rest.strip_prefix('.') {
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        fraction = format!("{:0<6.6}", &after[..digits]).parse().ok()?;
        rest = &after[digits..];
    }
    let offset = match rest {
        "" | "Z" => 0,
        zone => {
            let sign = if zone.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = zone.get(1..)?.split_once(':')?;
            sign * (hours.parse::<i64>().ok()? * 60 + minutes.get(..2)?.parse::<i64>().ok()?) * 60
        }
    };
    let (shifted_year, shifted_month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (era, year_of_era) = (shifted_year.div_euclid(400), shifted_year.rem_euclid(400));
    let day_of_era =
        365 * year_of_era + year_of_era / 4 - year_of_era / 100 + (153 * shifted_month + 2) / 5 + day - 1;
    let days = era * 146_097 + day_of_era - 719_468;
    Some(days * DAY_US + (hour * 3600 + minute * 60 + second - offset) * 1_000_000 + fraction)
}

#[cfg(test)]
mod tests {
    use super::{read, write};

    #[test]
    fn times_come_back() {
        // The first is Python's datetime.fromtimestamp(1795965198.1656, timezone.utc); then a leap day, and a time before 1970.
        let known = [
            (1_795_965_198_165_600, "2026-11-29 15:13:18.165600"),
            (951_782_400_000_000, "2000-02-29 00:00:00.000000"),
            (-1, "1969-12-31 23:59:59.999999"),
        ];
        for (us, text) in known {
            assert_eq!(write(us, ' '), text);
            assert_eq!(read(text), Some(us));
        }
        for us in (0..4_000_000_000_000_000).step_by(86_399_999_999_937) {
            assert_eq!(read(&write(us, 'T')), Some(us));
        }
    }

    #[test]
    fn what_python_and_databases_write_is_read() {
        let us = 1_795_965_198_165_600;
        for text in [
            "2026-11-29T15:13:18.165600+00:00",
            "2026-11-29T16:13:18.165600+01:00",
            "2026-11-29T09:43:18.1656-05:30",
        ] {
            assert_eq!(read(text), Some(us), "{text}");
        }
        assert_eq!(read("2026-11-29 15:13:18"), Some(us - 165_600));
        for text in
            ["", "yesterday", "2026-13-29 15:13:18", "2026-11-29T15:13:18.x+", "2026-11-29T15:13:18+é"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
