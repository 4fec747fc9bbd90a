//! One provider's endpoint: JSON is posted, JSON comes back.

use std::sync::Once;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Request, Response, StatusCode};
use tracing::{debug, trace};

use super::limits::Limiter;
use super::message::{Said, of_status};
use super::{BaseUrl, Key, RateLimit, Retry, retry};
use crate::error::HttpError;

/// Answers over this are not read on: 2,048 vectors of 4,096 values take some 200 MB as text.
const LONGEST_ANSWER: usize = 512 << 20;
/// Of an answer that is an error, so much is read.
const LONGEST_ERROR: usize = 64 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a [`Client`] is made.
pub(crate) struct ClientOptions {
    pub base_url: BaseUrl,
    pub key: Option<Key>,
    /// The header that the key goes into; `None` is `Authorization: Bearer KEY`.
    pub key_header: Option<&'static str>,
    pub timeout: Duration,
    pub retry: Retry,
    pub rate_limit: RateLimit,
}

/// A client of one endpoint.
pub(crate) struct Client {
    http: reqwest::Client,
    base_url: BaseUrl,
    key: Option<Key>,
    timeout: Duration,
    retry: Retry,
    limiter: Limiter,
}

/// Requests sent for one call, and how many of them were repetitions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    pub requests: u64,
    pub retries: u64,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server will not take this much at once.
    TooLarge(HttpError),
    /// The server refuses something of what was sent, perhaps one text.
    Refused(HttpError),
    /// Sending something else would not help.
    Fatal(HttpError),
}

/// What one attempt led to.
enum Attempt {
    Answer(Vec<u8>),
    /// May pass by itself; the server asks for a wait.
    Again(Trouble, Option<Duration>),
    Failed(Failure),
}

enum Trouble {
    Status(u16, String),
    Timeout,
    Connection(String),
}

impl Client {
    /// Makes a client; nothing is sent.
    pub fn new(options: ClientOptions) -> Result<Client, HttpError> {
        // Without a provider of cryptography reqwest panics. One that the program has installed stays.
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        options.retry.validate()?;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = &options.key {
            let (name, value) = match options.key_header {
                Some(name) => (HeaderName::from_static(name), key.expose().to_owned()),
                None => (AUTHORIZATION, format!("Bearer {}", key.expose())),
            };
            let mut value = HeaderValue::from_str(&value)
                .map_err(|_| HttpError::Key { reason: format!("the key {} cannot stand in a header", key.source()) })?;
            // Logs show it as "Sensitive", and it is kept out of the tables of HTTP/2.
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut builder = reqwest::Client::builder()
            .redirect(Policy::none())
            .connect_timeout(CONNECT_TIMEOUT.min(options.timeout))
            .timeout(options.timeout)
            .default_headers(headers)
            .user_agent(concat!("gyeol/", env!("CARGO_PKG_VERSION")));
        if options.base_url.is_loopback() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| HttpError::Client { reason: e.without_url().to_string() })?;
        Ok(Client {
            http,
            base_url: options.base_url,
            key: options.key,
            timeout: options.timeout,
            retry: options.retry,
            limiter: options.rate_limit.limiter()?,
        })
    }

    /// Posts JSON to a path, again and again where that may help. `tokens` are counted by the rate limit.
    pub async fn post(&self, path: &str, body: Vec<u8>, tokens: u64, effort: &mut Effort) -> Result<Vec<u8>, Failure> {
        // Copies of it share the body.
        let request = self.http.post(self.base_url.join(path)).body(body).build();
        let request = request.map_err(|e| Failure::Fatal(HttpError::Client { reason: e.without_url().to_string() }))?;
        let mut waits = self.retry.waits();
        let mut attempts = 0;
        loop {
            self.limiter.wait(tokens).await;
            attempts += 1;
            effort.requests += 1;
            let copy = request.try_clone().ok_or_else(|| {
                Failure::Fatal(HttpError::Client { reason: "a body that cannot be sent again".to_owned() })
            })?;
            let (trouble, asked) = match self.once(copy).await {
                Attempt::Answer(answer) => return Ok(answer),
                Attempt::Failed(failure) => return Err(failure),
                Attempt::Again(trouble, asked) => (trouble, asked),
            };
            if let Some(wait) = asked.filter(|wait| *wait > self.retry.longest_asked) {
                return Err(Failure::Fatal(self.too_long_a_wait(trouble, wait)));
            }
            let Some(own) = waits.next() else {
                return Err(Failure::Fatal(self.given_up(trouble, attempts)));
            };
            let wait = own.max(asked.unwrap_or_default());
            debug!(host = self.base_url.host(), attempts, ?wait, "will be sent again");
            tokio::time::sleep(wait).await;
            effort.retries += 1;
        }
    }

    async fn once(&self, request: Request) -> Attempt {
        let started = Instant::now();
        let response = match self.http.execute(request).await {
            Ok(response) => response,
            Err(error) => return trouble_of(error),
        };
        let status = response.status();
        trace!(host = self.base_url.host(), status = status.as_u16(), elapsed = ?started.elapsed(), "answered");
        if status.is_success() {
            return match read(response, LONGEST_ANSWER).await {
                Ok((answer, true)) => Attempt::Answer(answer),
                Ok((_, false)) => {
                    Attempt::Failed(Failure::Fatal(self.body_error(format!("over {LONGEST_ANSWER} bytes"))))
                }
                Err(error) => trouble_of(error),
            };
        }
        let asked = retry::asked(response.headers());
        let body = match read(response, LONGEST_ERROR).await {
            Ok((body, _)) => body,
            Err(_) => Vec::new(),
        };
        self.judge(status, &Said::read(&body, self.key.as_ref()), asked)
    }

    /// What an answer that is an error leads to.
    fn judge(&self, status: StatusCode, said: &Said, asked: Option<Duration>) -> Attempt {
        let code = status.as_u16();
        let error = || of_status(self.base_url.host(), code, said);
        match code {
            _ if said.is_quota() => Attempt::Failed(Failure::Fatal(error())),
            408 | 409 | 425 | 429 | 500..=599 => Attempt::Again(Trouble::Status(code, said.message.clone()), asked),
            413 => Attempt::Failed(Failure::TooLarge(error())),
            400 | 422 if said.is_about_request() => Attempt::Failed(Failure::Fatal(error())),
            400 | 422 if said.is_about_size() => Attempt::Failed(Failure::TooLarge(error())),
            400 | 422 => Attempt::Failed(Failure::Refused(error())),
            _ => Attempt::Failed(Failure::Fatal(error())),
        }
    }

    /// An answer that cannot be read.
    pub fn body_error(&self, reason: String) -> HttpError {
        let reason = self.key.as_ref().map_or_else(|| reason.clone(), |key| key.redact(&reason));
        HttpError::Body { host: self.base_url.host(), reason }
    }

    fn given_up(&self, trouble: Trouble, attempts: u32) -> HttpError {
        let host = self.base_url.host();
        match trouble {
            Trouble::Status(status, message) => HttpError::Busy { host, status, attempts, message },
            Trouble::Timeout => HttpError::Timeout { host, timeout: self.timeout, attempts },
            Trouble::Connection(reason) => HttpError::Connection { host, reason, attempts },
        }
    }

    fn too_long_a_wait(&self, trouble: Trouble, wait: Duration) -> HttpError {
        let (status, message) = match trouble {
            Trouble::Status(status, message) => (status, message),
            _ => (0, String::new()),
        };
        HttpError::Wait { host: self.base_url.host(), status, wait, message }
    }
}

/// A body up to a limit, and whether that was all of it.
async fn read(mut response: Response, limit: usize) -> reqwest::Result<(Vec<u8>, bool)> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > limit {
            return Ok((body, false));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((body, true))
}

/// A request that brought no answer: the network may do better the next time.
fn trouble_of(error: reqwest::Error) -> Attempt {
    if error.is_timeout() {
        return Attempt::Again(Trouble::Timeout, None);
    }
    // The innermost error says most; the outer ones repeat the URL.
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let what = if error.is_connect() { "no connection" } else { "the connection broke" };
    Attempt::Again(Trouble::Connection(format!("{what}: {innermost}")), None)
}
