//! Where a provider's API is.

use std::fmt;

use url::{Host, Url};

use crate::error::HttpError;

/// The base of a provider's URLs, checked: `https`, or `http` to this machine.
///
/// ```
/// use gyeol::http::BaseUrl;
/// assert_eq!(BaseUrl::new("http://localhost:8080/v1")?, BaseUrl::new("http://localhost:8080/v1/")?);
/// assert!(BaseUrl::new("http://example.org/v1").is_err());
/// # Ok::<(), gyeol::error::HttpError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl(Url);

impl BaseUrl {
    /// Reads a base URL.
    ///
    /// # Errors
    /// [`HttpError::BaseUrl`].
    pub fn new(text: &str) -> Result<BaseUrl, HttpError> {
        let refuse = |url: &str, reason| HttpError::BaseUrl { url: url.to_owned(), reason };
        // What cannot be read may hold a password, so it is not repeated.
        let mut url = Url::parse(text.trim())
            .map_err(|_| refuse("(not shown)", "it is no URL; give one like https://host/v1"))?;
        let (user, secret) = (url.username().to_owned(), url.password().is_some());
        // Neither fails for a URL with a host; one without is refused below.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let asks = url.query().is_some() || url.fragment().is_some();
        url.set_query(None);
        url.set_fragment(None);
        let shown = url.to_string();
        if !user.is_empty() || secret {
            return Err(refuse(&shown, "it holds a user or a password; give the key in the environment instead"));
        }
        if asks {
            return Err(refuse(
                &shown,
                "it holds a query or a fragment; give it without them, and the key in the environment",
            ));
        }
        match url.scheme() {
            _ if url.host().is_none() => return Err(refuse(&shown, "it has no host")),
            "https" => {}
            "http" if is_loopback(&url) => {}
            "http" => {
                let reason = "texts and keys would go over the network in the clear; give an https URL (plain http is for this machine only)";
                return Err(refuse(&shown, reason));
            }
            _ => return Err(refuse(&shown, "it is neither https nor http")),
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(BaseUrl(url))
    }

    /// The URL of a path below it.
    pub(crate) fn join(&self, path: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{path}", self.0.path()));
        url
    }

    /// Whether it is of this machine, where no proxy stands between.
    pub(crate) fn is_loopback(&self) -> bool {
        is_loopback(&self.0)
    }

    /// Host and port, for messages.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        match self.0.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The host without the port.
    pub(crate) fn domain(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// The URL, ending with a slash.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_at_the_end_makes_no_difference() {
        for base in ["https://api.example.org/v1", "https://api.example.org/v1/", " https://api.example.org/v1 "] {
            let url = BaseUrl::new(base).unwrap().join("embeddings");
            assert_eq!(url.as_str(), "https://api.example.org/v1/embeddings");
        }
        assert_eq!(BaseUrl::new("http://127.0.0.1:80").unwrap().join("a:b").as_str(), "http://127.0.0.1/a:b");
    }

    #[test]
    fn plain_http_is_for_this_machine() {
        for good in ["http://localhost:1/v1", "http://127.0.0.1", "http://127.9.9.9:8080", "http://[::1]:3/x"] {
            assert!(BaseUrl::new(good).unwrap().is_loopback(), "{good}");
        }
        let bad = [
            "http://example.org",
            "http://192.168.0.2/v1",
            "http://localhost.example.org",
            "http://0.0.0.0",
            "ftp://localhost",
            "localhost:8080",
            "",
            "http://",
            "file:///etc/passwd",
        ];
        for bad in bad {
            assert!(BaseUrl::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_secret_in_a_url_is_refused_and_not_repeated() {
        let bad = [
            "https://user:s3cret@host/v1",
            "https://s3cret@host/v1",
            "https://host/v1?key=s3cret",
            "https://host/#s3cret",
            "https://user:s3cret@ho st/",
            "http://user:s3cret@example.org/",
        ];
        for bad in bad {
            let error = BaseUrl::new(bad).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error}");
        }
    }
}
