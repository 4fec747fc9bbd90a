//! Requests to providers that fail, and caches that cannot be opened.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A request to a provider that failed for good. No message holds a key.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// A base URL that cannot be used.
    #[error("base URL {url}: {reason}")]
    BaseUrl {
        /// The URL, without user and password.
        url: String,
        /// Why, and what is allowed.
        reason: &'static str,
    },
    /// A key that is missing, or cannot be used.
    #[error("{reason}")]
    Key {
        /// What is wrong, and where keys are looked for.
        reason: String,
    },
    /// A setting out of its range.
    #[error("{name} is {value}; it must be {allowed}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// The client could not be made.
    #[error("the HTTP client could not be started: {reason}")]
    Client {
        /// What went wrong.
        reason: String,
    },
    /// The server could not be reached, or broke the connection.
    #[error("{host}: {reason}, after {attempts} attempts; look whether the server runs and the base URL is right")]
    Connection {
        /// Host and port.
        host: String,
        /// What the network said.
        reason: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The server did not answer in time.
    #[error("{host}: no answer within {timeout:?}, after {attempts} attempts; raise the timeout, or send less at once")]
    Timeout {
        /// Host and port.
        host: String,
        /// The time that one attempt had.
        timeout: Duration,
        /// How often it was tried.
        attempts: u32,
    },
    /// The server does not accept the key (401, 403).
    #[error("{host} does not accept the key (HTTP {status}): {message}; look at the key with `gyeol doctor`")]
    Unauthorized {
        /// Host and port.
        host: String,
        /// The status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// The account has no credit left.
    #[error("{host}: the account's quota is used up (HTTP {status}): {message}; see the provider's billing page")]
    Quota {
        /// Host and port.
        host: String,
        /// The status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// The server was busy, or failed, each time.
    #[error("{host} answered HTTP {status}, {attempts} times: {message}; try again later")]
    Busy {
        /// Host and port.
        host: String,
        /// The last status.
        status: u16,
        /// How often it was tried.
        attempts: u32,
        /// What the server said last.
        message: String,
    },
    /// The server asks to wait for longer than is allowed.
    #[error("{host} asks to wait {wait:?} (HTTP {status}): {message}; try again then, or allow longer waits")]
    Wait {
        /// Host and port.
        host: String,
        /// The status.
        status: u16,
        /// How long.
        wait: Duration,
        /// What the server said.
        message: String,
    },
    /// The server refuses the request.
    #[error("{host} refuses the request (HTTP {status}): {message}")]
    Refused {
        /// Host and port.
        host: String,
        /// The status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// An answer that is not of the protocol.
    #[error("{host}: the answer cannot be read: {reason}; look whether the base URL is that of an API of this kind")]
    Body {
        /// Host and port.
        host: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A cache that cannot be opened as asked. Once open, a cache that fails is only slower.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// A setting out of its range.
    #[error("cache: {name} is {value}; it must be {allowed}")]
    Setting {
        /// The setting's name.
        name: &'static str,
        /// The value given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A folder that cannot be used.
    #[error("cache {path}: {source}; name a folder that can be written to, or do without a cache", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// A server that does not answer, or an entry that cannot be read or written.
    #[error("cache: {reason}")]
    Failed {
        /// What went wrong.
        reason: String,
    },
}
