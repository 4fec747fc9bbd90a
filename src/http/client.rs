//! One provider's endpoint: JSON is posted, JSON comes back.

use std::sync::Once;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Request, Response, StatusCode};
use tracing::{debug, trace};
use url::Url;

use super::limits::Limiter;
use super::message::{Said, of_status};
use super::{BaseUrl, Key, RateLimit, Retry, retry};
use crate::error::HttpError;

/// Of an answer that is an error, so much is read.
const LONGEST_ERROR: usize = 64 << 10;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An answer that comes piece by piece may take so long in all.
const LONGEST_STREAM: Duration = Duration::from_secs(24 * 3600);

/// How a [`Client`] is made.
pub(crate) struct ClientOptions {
    pub base_url: BaseUrl,
    pub key: Option<Key>,
    /// The header that the key goes into; `None` is `Authorization: Bearer KEY`.
    pub key_header: Option<&'static str>,
    /// Headers that every request has.
    pub headers: &'static [(&'static str, &'static str)],
    pub timeout: Duration,
    pub retry: Retry,
    pub rate_limit: RateLimit,
    /// Answers of more bytes are not read on.
    pub longest_answer: usize,
}

/// A client of one endpoint.
pub(crate) struct Client {
    http: reqwest::Client,
    base_url: BaseUrl,
    key: Option<Key>,
    timeout: Duration,
    retry: Retry,
    limiter: Limiter,
    longest_answer: usize,
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
    Answer(Received),
    /// May pass by itself; the server asks for a wait.
    Again(Trouble, Option<Duration>),
    Failed(Failure),
}

/// An answer that is none of an error.
enum Received {
    Whole(Vec<u8>),
    /// Only its head has been read.
    #[cfg(feature = "chat")]
    Open(Response),
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
        for (name, value) in options.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
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
            longest_answer: options.longest_answer,
        })
    }

    /// Posts JSON to a path, again and again where that may help. `tokens` are counted by the rate limit.
    pub async fn post(&self, path: &str, body: Vec<u8>, tokens: u64, effort: &mut Effort) -> Result<Vec<u8>, Failure> {
        match self.send(self.base_url.join(path), body, tokens, effort, true).await? {
            Received::Whole(answer) => Ok(answer),
            #[cfg(feature = "chat")]
            Received::Open(_) => Err(Failure::Fatal(self.body_error("it was not read".to_owned()))),
        }
    }

    /// [`Client::post`] for an answer that is read piece by piece. It is sent again only while nothing was answered.
    #[cfg(feature = "chat")]
    pub async fn open(
        &self,
        path: &str,
        query: Option<&str>,
        body: Vec<u8>,
        tokens: u64,
        effort: &mut Effort,
    ) -> Result<Incoming, Failure> {
        let mut url = self.base_url.join(path);
        url.set_query(query);
        match self.send(url, body, tokens, effort, false).await? {
            Received::Open(response) => Ok(Incoming {
                response,
                host: self.base_url.host(),
                timeout: self.timeout,
                received: 0,
                longest: self.longest_answer,
            }),
            Received::Whole(_) => Err(Failure::Fatal(self.body_error("it was read already".to_owned()))),
        }
    }

    async fn send(
        &self,
        url: Url,
        body: Vec<u8>,
        tokens: u64,
        effort: &mut Effort,
        is_whole: bool,
    ) -> Result<Received, Failure> {
        // Copies of it share the body.
        let request = self.http.post(url).body(body).build();
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
            let (trouble, asked) = match self.once(copy, is_whole).await {
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

    async fn once(&self, mut request: Request, is_whole: bool) -> Attempt {
        let started = Instant::now();
        if !is_whole {
            // The client's time-out is of the whole answer; here each piece has its own.
            *request.timeout_mut() = Some(LONGEST_STREAM);
        }
        let response = match tokio::time::timeout(self.timeout, self.http.execute(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return trouble_of(error),
            Err(_) => return Attempt::Again(Trouble::Timeout, None),
        };
        let status = response.status();
        trace!(host = self.base_url.host(), status = status.as_u16(), elapsed = ?started.elapsed(), "answered");
        #[cfg(feature = "chat")]
        if status.is_success() && !is_whole {
            return Attempt::Answer(Received::Open(response));
        }
        if status.is_success() {
            return match read(response, self.longest_answer).await {
                Ok((answer, true)) => Attempt::Answer(Received::Whole(answer)),
                Ok((_, false)) => {
                    Attempt::Failed(Failure::Fatal(self.body_error(format!("over {} bytes", self.longest_answer))))
                }
                Err(error) => trouble_of(error),
            };
        }
        let asked = retry::asked(response.headers());
        // A server that does not even end its error has said enough.
        let body = match tokio::time::timeout(self.timeout, read(response, LONGEST_ERROR)).await {
            Ok(Ok((body, _))) => body,
            Ok(Err(_)) | Err(_) => Vec::new(),
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

/// An answer that comes piece by piece. Dropping it closes its connection.
#[cfg(feature = "chat")]
pub(crate) struct Incoming {
    response: Response,
    host: String,
    timeout: Duration,
    received: usize,
    longest: usize,
}

#[cfg(feature = "chat")]
impl Incoming {
    /// Whether it is one text of JSON, by its head.
    pub fn is_json(&self) -> bool {
        let kind = self.response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
    }

    /// The next bytes; `None` at the end.
    pub async fn piece(&mut self) -> Result<Option<Vec<u8>>, HttpError> {
        let piece = match tokio::time::timeout(self.timeout, self.response.chunk()).await {
            Ok(Ok(piece)) => piece,
            Ok(Err(error)) => {
                let reason = format!("the connection broke: {}", innermost(&error.without_url()));
                return Err(HttpError::Connection { host: self.host.clone(), reason, attempts: 1 });
            }
            Err(_) => return Err(HttpError::Timeout { host: self.host.clone(), timeout: self.timeout, attempts: 1 }),
        };
        self.received += piece.as_ref().map_or(0, |piece| piece.len());
        if self.received > self.longest {
            return Err(self.body_error(format!("over {} bytes", self.longest)));
        }
        Ok(piece.map(Vec::from))
    }

    /// An answer that cannot be read.
    pub fn body_error(&self, reason: String) -> HttpError {
        HttpError::Body { host: self.host.clone(), reason }
    }
}

/// The innermost error says most; the outer ones repeat the URL.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// A request that brought no answer: the network may do better the next time.
fn trouble_of(error: reqwest::Error) -> Attempt {
    if error.is_timeout() {
        return Attempt::Again(Trouble::Timeout, None);
    }
    let error = error.without_url();
    let what = if error.is_connect() { "no connection" } else { "the connection broke" };
    Attempt::Again(Trouble::Connection(format!("{what}: {}", innermost(&error))), None)
}
