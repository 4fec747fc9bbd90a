//! Keys of providers, and where they are found.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use secrecy::{ExposeSecret, SecretString};

use crate::error::HttpError;

/// The service under which keys stand in the keyring.
#[cfg(feature = "keyring")]
const SERVICE: &str = "gyeol";
/// The file of keys, in the user's folder of settings.
const FILE: &str = "gyeol/keys.toml";
/// Names another file of keys.
const FILE_VARIABLE: &str = "GYEOL_KEYS_FILE";
/// A file of keys is some hundred bytes long.
const LONGEST_FILE: u64 = 1 << 20;
/// Shorter ones are not looked for in messages, where they would stand by chance.
const SHORTEST: usize = 4;

/// Where a key was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeySource {
    /// It was given by the program.
    Given,
    /// In this variable of the environment.
    Environment(String),
    /// In this file.
    File(PathBuf),
    /// In the keyring of the operating system.
    Keyring,
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeySource::Given => f.write_str("given by the program"),
            KeySource::Environment(name) => write!(f, "from the environment, {name}"),
            KeySource::File(path) => write!(f, "from {}", path.display()),
            KeySource::Keyring => f.write_str("from the keyring"),
        }
    }
}

/// A provider's key. It is shown nowhere, also not with `{:?}`, and its memory is cleared when it is dropped.
#[derive(Clone)]
pub struct Key {
    secret: SecretString,
    source: KeySource,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.source)
    }
}

impl Key {
    /// A key that the program has.
    ///
    /// # Errors
    /// [`HttpError::Key`] when it is empty, or holds what no header can hold.
    pub fn new(secret: impl Into<String>) -> Result<Key, HttpError> {
        Key::from_source(secret.into(), KeySource::Given)
    }

    fn from_source(secret: String, source: KeySource) -> Result<Key, HttpError> {
        let secret = SecretString::from(secret);
        let trimmed = secret.expose_secret().trim();
        if trimmed.is_empty() || !trimmed.bytes().all(|b| b.is_ascii_graphic()) {
            let reason = format!("the key {source} is empty, or holds white space or other than ASCII");
            return Err(HttpError::Key { reason });
        }
        Ok(Key { secret: SecretString::from(trimmed.to_owned()), source })
    }

    /// Looks for a provider's key: in the environment, by `variables` in their order; in the file of keys; in the
    /// keyring, with the feature `keyring`. `None` when there is none.
    ///
    /// The file is TOML, `provider = "key"` a line: `keys.toml` in `gyeol` in the user's folder of settings
    /// (`$XDG_CONFIG_HOME`, `~/.config`), or what `GYEOL_KEYS_FILE` names. Only its owner may read it (mode 0600).
    ///
    /// # Errors
    /// [`HttpError::Key`] when the file cannot be read or others may read it, or a key cannot be used.
    pub fn find(provider: &str, variables: &[&str]) -> Result<Option<Key>, HttpError> {
        for name in variables {
            if let Some(value) = std::env::var_os(name).filter(|value| !value.is_empty()) {
                // What is not UTF-8 is refused as other than ASCII.
                let value = value.to_string_lossy().into_owned();
                return Key::from_source(value, KeySource::Environment((*name).to_owned())).map(Some);
            }
        }
        if let Some(path) = Key::file()
            && let Some(value) = in_file(&path, provider)?
        {
            return Key::from_source(value, KeySource::File(path)).map(Some);
        }
        #[cfg(feature = "keyring")]
        if let Some(value) = keyring::get(provider) {
            return Key::from_source(value, KeySource::Keyring).map(Some);
        }
        Ok(None)
    }

    /// The file that [`Key::find`] looks into, whether there is one or not.
    pub fn file() -> Option<PathBuf> {
        if let Some(path) = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()) {
            return Some(PathBuf::from(path));
        }
        use etcetera::BaseStrategy;
        etcetera::choose_base_strategy().ok().map(|base| base.config_dir().join(FILE))
    }

    /// Where it was found.
    pub fn source(&self) -> &KeySource {
        &self.source
    }

    /// Puts a provider's key into the keyring, or takes it out.
    ///
    /// # Errors
    /// [`HttpError::Key`].
    #[cfg(feature = "keyring")]
    pub fn store(provider: &str, key: Option<&Key>) -> Result<(), HttpError> {
        keyring::set(provider, key.map(Key::expose)).map_err(|reason| HttpError::Key {
            reason: format!(
                "the keyring cannot be used here ({reason}); put the key into the environment or the file of keys"
            ),
        })
    }

    pub(crate) fn expose(&self) -> &str {
        self.secret.expose_secret()
    }

    /// A text of a server without the key.
    pub(crate) fn redact(&self, text: &str) -> String {
        let key = self.expose();
        if key.len() < SHORTEST {
            return text.to_owned();
        }
        let encoded: String = url::form_urlencoded::byte_serialize(key.as_bytes()).collect();
        text.replace(key, "[key]").replace(&encoded, "[key]")
    }
}

/// A provider's key in the file of keys.
fn in_file(path: &Path, provider: &str) -> Result<Option<String>, HttpError> {
    let refuse = |reason: String| HttpError::Key { reason: format!("{}: {reason}", path.display()) };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(refuse(format!("the file of keys cannot be read: {e}"))),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file.metadata().map_err(|e| refuse(e.to_string()))?.permissions().mode();
        if mode & 0o077 != 0 {
            let reason = format!("others may read the file of keys (mode {:03o}); run chmod 600 on it", mode & 0o777);
            return Err(refuse(reason));
        }
    }
    let mut text = String::new();
    file.take(LONGEST_FILE)
        .read_to_string(&mut text)
        .map_err(|_| refuse("the file of keys is no UTF-8 text".to_owned()))?;
    // The parser's own message would repeat the line.
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        let line = e.span().map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
        refuse(format!("line {line} of the file of keys cannot be read; write provider = \"key\", one a line"))
    })?;
    match table.get(provider) {
        None => Ok(None),
        Some(toml::Value::String(key)) => Ok(Some(key.clone())),
        Some(_) => Err(refuse(format!("{provider} is no text; write {provider} = \"key\""))),
    }
}

/// The keyring of the operating system: Keychain, Credential Manager, or the kernel's keyring on Linux, which lasts
/// until the machine is started anew.
#[cfg(feature = "keyring")]
mod keyring {
    use std::sync::Arc;

    use keyring_core::api::CredentialStoreApi;
    use keyring_core::{Entry, Error};

    fn store() -> Result<Arc<dyn CredentialStoreApi + Send + Sync>, Error> {
        #[cfg(target_os = "linux")]
        return Ok(linux_keyutils_keyring_store::Store::new()?);
        #[cfg(target_os = "macos")]
        return Ok(apple_native_keyring_store::keychain::Store::new()?);
        #[cfg(windows)]
        return Ok(windows_native_keyring_store::Store::new()?);
        #[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
        return Err(Error::NoDefaultStore);
    }

    fn entry(provider: &str) -> Result<Entry, Error> {
        store()?.build(super::SERVICE, provider, None)
    }

    /// A keyring that cannot be asked has no key.
    pub fn get(provider: &str) -> Option<String> {
        entry(provider).and_then(|entry| entry.get_password()).ok()
    }

    pub fn set(provider: &str, key: Option<&str>) -> Result<(), String> {
        let entry = entry(provider).map_err(|e| e.to_string())?;
        match key {
            Some(key) => entry.set_password(key).map_err(|e| e.to_string()),
            None => match entry.delete_credential() {
                Ok(()) | Err(Error::NoEntry) => Ok(()),
                Err(e) => Err(e.to_string()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "sk-s3cret/+=";

    #[test]
    fn a_key_is_shown_nowhere() {
        let key = Key::new(format!(" {SECRET}\n")).unwrap();
        assert_eq!(key.expose(), SECRET);
        assert!(!format!("{key:?}").contains("s3cret"));
        let echoed = format!("bad key {SECRET} in ?k=sk-s3cret%2F%2B%3D");
        assert_eq!(key.redact(&echoed), "bad key [key] in ?k=[key]");
        for bad in ["", "  ", "a\nb", "a b", "키"] {
            assert!(matches!(Key::new(bad), Err(HttpError::Key { .. })), "{bad:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_of_keys_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        assert!(in_file(&path, "openai").unwrap().is_none(), "no file is no key");
        write(&format!("openai = \"{SECRET}\"\n"), 0o600);
        assert_eq!(in_file(&path, "openai").unwrap().as_deref(), Some(SECRET));
        assert!(in_file(&path, "cohere").unwrap().is_none());
        write(&format!("openai = \"{SECRET}\"\n"), 0o640);
        let error = in_file(&path, "openai").unwrap_err().to_string();
        assert!(error.contains("chmod 600") && !error.contains("s3cret"), "{error}");
        write(&format!("cohere = \"x\"\nopenai = {SECRET}\n"), 0o600);
        let error = in_file(&path, "openai").unwrap_err().to_string();
        assert!(error.contains("line 2") && !error.contains("s3cret"), "{error}");
    }
}
