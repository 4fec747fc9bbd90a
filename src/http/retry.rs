//! When a request is sent again.

use std::time::{Duration, SystemTime};

use backon::{BackoffBuilder, ExponentialBuilder};
use reqwest::header::{HeaderMap, RETRY_AFTER};

use crate::error::HttpError;

/// How often and after what waits a request is sent again. Waits double from `first_wait` up to `longest_wait`, each with
/// up to as much again at random, so that many clients do not come back at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Repetitions of one request, at most. Default 5; 0 sends each request once.
    pub repeats: usize,
    /// The wait before the first repetition. Default 0.5 s.
    pub first_wait: Duration,
    /// The longest wait of our own choice. Default 30 s.
    pub longest_wait: Duration,
    /// The longest wait that a server may ask for; where it asks for more, the call fails and says so. Default 5 min.
    pub longest_asked: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Retry {
            repeats: 5,
            first_wait: Duration::from_millis(500),
            longest_wait: Duration::from_secs(30),
            longest_asked: Duration::from_secs(300),
        }
    }
}

impl Retry {
    /// Checks the ranges.
    pub(crate) fn validate(&self) -> Result<(), HttpError> {
        match self.repeats {
            0..=100 => Ok(()),
            n => Err(HttpError::Setting { name: "repeats", value: n.to_string(), allowed: "0 to 100" }),
        }
    }

    /// The waits before the repetitions, one after another.
    pub(crate) fn waits(&self) -> impl Iterator<Item = Duration> + Send + use<> {
        let builder = ExponentialBuilder::default()
            .with_min_delay(self.first_wait)
            .with_max_delay(self.longest_wait)
            .with_max_times(self.repeats)
            .with_jitter();
        // The jitter is added to the longest wait, too.
        let longest = self.longest_wait;
        builder.build().map(move |wait| wait.min(longest))
    }
}

/// The wait that a server asks for.
pub(super) fn asked(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |text: &str, unit: f64| {
        let value = text.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0)?;
        // A wait that no clock can tell is longer than any that is allowed.
        Some(Duration::try_from_secs_f64(value * unit).unwrap_or(Duration::MAX))
    };
    if let Some(wait) = text("retry-after-ms").and_then(|text| seconds(text, 1e-3)) {
        return Some(wait);
    }
    let text = text(RETRY_AFTER.as_str())?;
    seconds(text, 1.0).or_else(|| {
        let date = httpdate::parse_http_date(text).ok()?;
        // Dates have whole seconds: the one named has begun when it is over.
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn waits_grow_are_jittered_and_end() {
        let retry = Retry {
            repeats: 6,
            first_wait: Duration::from_millis(100),
            longest_wait: Duration::from_millis(900),
            ..Retry::default()
        };
        for _ in 0..50 {
            let waits: Vec<u128> = retry.waits().map(|wait| wait.as_millis()).collect();
            assert_eq!(waits.len(), 6);
            for (i, wait) in waits.iter().enumerate() {
                let least = (100 << i).min(900);
                assert!((least..=(2 * least).min(900)).contains(wait), "{waits:?}");
            }
        }
        let first = |_: usize| retry.waits().next();
        assert!((0..50).map(first).collect::<std::collections::HashSet<_>>().len() > 10, "no two clients wait alike");
        assert_eq!(Retry { repeats: 0, ..retry }.waits().count(), 0);
    }

    #[test]
    fn what_a_server_asks_for_is_read_in_all_its_forms() {
        assert_eq!(asked(&headers(&[("retry-after", "7")])), Some(Duration::from_secs(7)));
        assert_eq!(
            asked(&headers(&[("retry-after", "7"), ("retry-after-ms", "1500")])),
            Some(Duration::from_millis(1500))
        );
        assert_eq!(asked(&headers(&[("retry-after", "0.25")])), Some(Duration::from_millis(250)));
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(90));
        let wait = asked(&headers(&[("retry-after", &soon)])).unwrap();
        assert!((88..=90).contains(&wait.as_secs()), "{wait:?}");
        assert_eq!(asked(&headers(&[("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT")])), Some(Duration::ZERO));
        for nonsense in ["soon", "-1", "NaN", ""] {
            assert_eq!(asked(&headers(&[("retry-after", nonsense)])), None, "{nonsense}");
        }
        assert_eq!(asked(&headers(&[("retry-after", "1e300")])), Some(Duration::MAX));
        assert_eq!(asked(&headers(&[])), None);
    }
}
