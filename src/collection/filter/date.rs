//! Dates and moments, in filters and in payloads.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::error::FilterError;

const SECOND: i128 = 1_000_000_000;
const DAY: i128 = 86_400 * SECOND;
/// The days from 1970-01-01 to 0000-01-01 and to 10000-01-01.
const DAYS: Range<i64> = -719_528..2_932_897;

/// A day, or a moment to the nanosecond, of the years 0000 to 9999 (Gregorian).
///
/// As text: `2024-01-15`, or as RFC 3339 writes moments: `2024-01-15T10:00:00Z`, `2024-01-15T19:00:00.5+09:00`. Seconds
/// may be left out, and a moment without an offset is UTC.
///
/// In a filter a day means all its moments, from midnight to midnight UTC: `= 2024-01-15` is any moment of the day,
/// `<= 2024-01-15` includes the day, `> 2024-01-15` starts with the next one. In a payload a day is its midnight UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    /// Nanoseconds since 1970-01-01T00:00:00Z.
    start: i128,
    whole_day: bool,
}

impl Date {
    /// Nanoseconds since 1970 at which it starts.
    pub(in crate::collection) fn start(self) -> i128 {
        self.start
    }

    /// The nanoseconds since 1970 that belong to it.
    pub(super) fn moments(self) -> Range<i128> {
        self.start..self.start + if self.whole_day { DAY } else { 1 }
    }

    /// Reads a text that is a date and nothing else.
    pub(in crate::collection) fn read(text: &str) -> Option<Self> {
        // Most texts are none: that must be seen at once.
        let bytes = text.as_bytes();
        if bytes.len() < 10 || bytes.len() > 64 || bytes[4] != b'-' || bytes[7] != b'-' {
            return None;
        }
        let day = day(bytes)?;
        let start = i128::from(day) * DAY;
        if bytes.len() == 10 {
            return Some(Date { start, whole_day: true });
        }
        if !matches!(bytes[10], b'T' | b't' | b' ') {
            return None;
        }
        let start = start + time_of_day(&bytes[11..])?;
        let within = (i128::from(DAYS.start) * DAY..i128::from(DAYS.end) * DAY).contains(&start);
        within.then_some(Date { start, whole_day: false })
    }
}

/// A number of so many digits.
fn digits(bytes: &[u8], from: usize, count: usize) -> Option<i64> {
    let digits = bytes.get(from..from + count)?;
    digits.iter().try_fold(0, |n, b| b.is_ascii_digit().then(|| n * 10 + i64::from(b - b'0')))
}

/// Days from 1970-01-01 to the date that these bytes start with.
fn day(bytes: &[u8]) -> Option<i64> {
    let (year, month, day) = (digits(bytes, 0, 4)?, digits(bytes, 5, 2)?, digits(bytes, 8, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // Years that start in March have their leap day at the end.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    Some(365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468)
}

/// The date of so many days after 1970-01-01: year, month, day.
fn of_day(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (next, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (era * 400 + year + next, month, day)
}

/// Nanoseconds from midnight UTC of `HH:MM`, with seconds, fraction and offset or without.
fn time_of_day(bytes: &[u8]) -> Option<i128> {
    let (hour, minute) = (digits(bytes, 0, 2)?, digits(bytes, 3, 2)?);
    if bytes[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let mut nanos = i128::from(hour * 3_600 + minute * 60) * SECOND;
    let mut rest = &bytes[5..];
    if rest.first() == Some(&b':') {
        let second = digits(rest, 1, 2)?;
        // A leap second is the first of the next minute.
        if second > 60 {
            return None;
        }
        nanos += i128::from(second) * SECOND;
        rest = &rest[3..];
        if rest.first() == Some(&b'.') {
            let count = rest[1..].iter().take_while(|b| b.is_ascii_digit()).count();
            if count == 0 {
                return None;
            }
            let unit = |i: usize| SECOND / 10i128.pow(i as u32 + 1);
            // What is finer than a nanosecond is cut off.
            let fraction = rest[1..=count].iter().take(9).enumerate();
            nanos += fraction.map(|(i, b)| i128::from(b - b'0') * unit(i)).sum::<i128>();
            rest = &rest[1 + count..];
        }
    }
    Some(nanos - i128::from(offset(rest)?) * SECOND)
}

/// The seconds that a clock is ahead of UTC.
fn offset(bytes: &[u8]) -> Option<i64> {
    let sign = match bytes {
        [] | [b'Z' | b'z'] => return Some(0),
        [b'+', ..] => 1,
        [b'-', ..] => -1,
        _ => return None,
    };
    let (hours, minutes) = (digits(bytes, 1, 2)?, digits(bytes, 4, 2)?);
    let fits = bytes.len() == 6 && bytes[3] == b':' && hours < 24 && minutes < 60;
    fits.then_some(sign * (hours * 3_600 + minutes * 60))
}

impl FromStr for Date {
    type Err = FilterError;

    fn from_str(text: &str) -> Result<Self, FilterError> {
        Date::read(text.trim()).ok_or_else(|| FilterError {
            expression: text.to_owned(),
            column: 1,
            reason: "this is no date of the years 0000 to 9999; write 2024-01-15 or 2024-01-15T10:00:00Z".to_owned(),
        })
    }
}

/// The moment; a time before 0000 or after 9999 becomes the first or last there is.
impl From<SystemTime> for Date {
    fn from(time: SystemTime) -> Self {
        let nanos = match time.duration_since(UNIX_EPOCH) {
            Ok(after) => i128::try_from(after.as_nanos()).unwrap_or(i128::MAX),
            Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
        };
        let (first, end) = (i128::from(DAYS.start) * DAY, i128::from(DAYS.end) * DAY);
        Date { start: nanos.clamp(first, end - 1), whole_day: false }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, nanos) = (self.start.div_euclid(DAY), self.start.rem_euclid(DAY));
        let (year, month, day) = of_day(days as i64);
        write!(f, "{year:04}-{month:02}-{day:02}")?;
        if self.whole_day {
            return Ok(());
        }
        let seconds = nanos / SECOND;
        write!(f, "T{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
        match nanos % SECOND {
            0 => write!(f, "Z"),
            fraction => write!(f, ".{}Z", format!("{fraction:09}").trim_end_matches('0')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_written() {
        for (text, nanos) in [
            ("1970-01-01", 0),
            ("1970-01-02T00:00:00Z", DAY),
            ("2000-02-29", 11_016 * DAY),
            ("1969-12-31T23:59:59.999999999Z", -1),
            ("0000-01-01", i128::from(DAYS.start) * DAY),
            ("9999-12-31T23:59:59.5Z", i128::from(DAYS.end) * DAY - SECOND / 2),
        ] {
            let date = Date::read(text).unwrap();
            assert_eq!((date.start, date.to_string().as_str()), (nanos, text));
        }
        for (text, same) in [
            ("2024-01-15T19:00:00+09:00", "2024-01-15T10:00:00Z"),
            ("2024-01-15t00:30z", "2024-01-15T00:30:00Z"),
            ("2024-01-15 10:00:00", "2024-01-15T10:00:00Z"),
            ("2024-01-15T10:00:00.1234567899Z", "2024-01-15T10:00:00.123456789Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ] {
            assert_eq!(Date::read(text).unwrap().to_string(), same, "{text}");
        }
    }

    #[test]
    fn every_day_is_written_as_it_is_read() {
        for days in DAYS.step_by(97) {
            let date = Date { start: i128::from(days) * DAY, whole_day: true };
            assert_eq!(Date::read(&date.to_string()), Some(date));
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2024",
            "2024-1-15",
            "2023-02-29",
            "2024-00-10",
            "2024-13-01",
            "2024-01-00",
            "2024-04-31",
            "2024-01-15T",
            "2024-01-15T10",
            "2024-01-15T24:00",
            "2024-01-15T10:60",
            "2024-01-15T10:00:61Z",
            "2024-01-15T10:00:00.Z",
            "2024-01-15T10:00:00+9:00",
            "2024-01-15T10:00:00ZZ",
            "2024-01-15x",
            "0000-01-01T00:00:00+01:00",
            "9999-12-31T23:00:00-02:00",
            "٢٠٢٤-01-15",
            "2024-01-1한",
        ] {
            assert_eq!(Date::read(text), None, "{text}");
        }
    }
}
