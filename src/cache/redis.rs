//! Entries in a Redis server, by `gyeol:` and the key in binary.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::{Client, Connection, Pipeline, RedisError};

use super::{Cache, CacheKey};
use crate::error::CacheError;

/// What the server has to be reached and to answer in.
const TIMEOUT: Duration = Duration::from_secs(2);
/// After a failure the server is left alone for so long, so that one that is down does not slow every call.
const REST: Duration = Duration::from_secs(5);
const PREFIX: &[u8] = b"gyeol:";
/// Keys that are asked for in one go.
const TOGETHER: usize = 1024;

/// A server, and a connection to it when one is open.
pub(super) struct Server {
    client: Client,
    age: Option<Duration>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// When the server failed last, and how.
    failed: Option<(Instant, String)>,
}

impl Server {
    /// Reads the URL; the server is reached when it is first used.
    pub fn new(url: &str, age: Option<Duration>) -> Result<Server, CacheError> {
        let refused = || CacheError::Setting {
            name: "url",
            // It may hold a password.
            value: "(not shown)".to_owned(),
            allowed: "redis://HOST:PORT/DATABASE or unix:///PATH",
        };
        let client = Client::open(url).map_err(|_| refused())?;
        Ok(Server { client, age, state: Mutex::default() })
    }

    fn with<T>(&self, work: impl FnOnce(&mut Connection) -> Result<T, RedisError>) -> Result<T, CacheError> {
        // A thread that stopped in the middle leaves at worst a connection that fails.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, reason)) = &state.failed
            && at.elapsed() < REST
        {
            return Err(CacheError::Failed { reason: reason.clone() });
        }
        let connection = match state.connection.take() {
            Some(connection) => Ok(connection),
            None => self.connect(),
        };
        let done = connection.and_then(|mut connection| work(&mut connection).map(|done| (done, connection)));
        match done {
            Ok((done, connection)) => {
                *state = State { connection: Some(connection), failed: None };
                Ok(done)
            }
            Err(error) => {
                // The category and the server's own word; neither has the URL.
                let detail = error.detail().unwrap_or_default();
                let reason = format!("Redis: {} {detail}", error.category()).trim_end().to_owned();
                *state = State { connection: None, failed: Some((Instant::now(), reason.clone())) };
                Err(CacheError::Failed { reason })
            }
        }
    }

    fn connect(&self) -> Result<Connection, RedisError> {
        let connection = self.client.get_connection_with_timeout(TIMEOUT)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.set_write_timeout(Some(TIMEOUT))?;
        Ok(connection)
    }
}

fn name(key: &CacheKey) -> Vec<u8> {
    [PREFIX, key].concat()
}

impl Cache for Server {
    fn get_many(&self, keys: &[CacheKey]) -> Result<Vec<Option<Vec<u8>>>, CacheError> {
        self.with(|connection| {
            let mut out = Vec::with_capacity(keys.len());
            for keys in keys.chunks(TOGETHER) {
                let names: Vec<Vec<u8>> = keys.iter().map(name).collect();
                out.extend(redis::cmd("MGET").arg(names).query::<Vec<Option<Vec<u8>>>>(connection)?);
            }
            Ok(out)
        })
    }

    fn put_many(&self, entries: Vec<(CacheKey, Vec<u8>)>) -> Result<(), CacheError> {
        self.with(|connection| {
            for entries in entries.chunks(TOGETHER) {
                let mut all = Pipeline::with_capacity(entries.len());
                for (key, bytes) in entries {
                    let set = all.cmd("SET").arg(name(key)).arg(bytes).ignore();
                    if let Some(age) = self.age {
                        set.arg("EX").arg(age.as_secs());
                    }
                }
                all.query::<()>(connection)?;
            }
            Ok(())
        })
    }
}
