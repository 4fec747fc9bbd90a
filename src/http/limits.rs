//! Requests and tokens a minute.

use std::num::NonZeroU32;

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::error::HttpError;

/// What may be sent in a minute. A limit is spread evenly: requests go out one by one, with the minute's share between
/// two of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// Requests a minute; `None` is no limit.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, by our estimate; `None` is no limit. No request has more.
    pub tokens_per_minute: Option<u32>,
}

impl RateLimit {
    /// The limits, at work.
    pub(super) fn limiter(self) -> Result<Limiter, HttpError> {
        let some = |name, value: Option<u32>| match value.map(NonZeroU32::new) {
            None => Ok(None),
            Some(Some(value)) => Ok(Some(value)),
            Some(None) => Err(HttpError::Setting { name, value: "0".to_owned(), allowed: "1 or more" }),
        };
        let requests = some("requests_per_minute", self.requests_per_minute)?;
        let tokens = some("tokens_per_minute", self.tokens_per_minute)?;
        Ok(Limiter {
            requests: requests.map(|n| RateLimiter::direct(Quota::per_minute(n).allow_burst(NonZeroU32::MIN))),
            tokens: tokens.map(|n| (RateLimiter::direct(Quota::per_minute(n)), n)),
        })
    }
}

/// Limits at work.
pub(super) struct Limiter {
    requests: Option<DefaultDirectRateLimiter>,
    tokens: Option<(DefaultDirectRateLimiter, NonZeroU32)>,
}

impl Limiter {
    /// Waits until a request of so many tokens may go out.
    pub async fn wait(&self, tokens: u64) {
        if let Some((limiter, most)) = &self.tokens {
            let tokens = u32::try_from(tokens).unwrap_or(u32::MAX).min(most.get());
            if let Some(tokens) = NonZeroU32::new(tokens) {
                // Never over the limit's whole, the only error.
                let _ = limiter.until_n_ready(tokens).await;
            }
        }
        if let Some(limiter) = &self.requests {
            limiter.until_ready().await;
        }
    }
}
