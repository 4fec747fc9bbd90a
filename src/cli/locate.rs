//! Which collection a command means.

use std::path::{Path, PathBuf};

use gyeol::collection::FOLDER_NAME;

use super::failure::{Failure, IO, NO_COLLECTION};

/// The collection's folder: as given by `--in`, or found upward from the current folder.
pub fn collection(given: Option<&Path>) -> Result<PathBuf, Failure> {
    match given {
        Some(path) => Ok(of(path)),
        None => upward()?.ok_or_else(|| {
            let hint = "no collection here or above; make one with `gyeol index DIR`, or name one with --in PATH";
            Failure::new(NO_COLLECTION, hint)
        }),
    }
}

/// The collection of a folder, which may be named itself.
pub fn of(path: &Path) -> PathBuf {
    let inside = ["LOCK", "manifest.json", "vectors"];
    let is_one =
        path.file_name().is_some_and(|name| name == FOLDER_NAME) || inside.iter().all(|i| path.join(i).exists());
    if is_one { path.to_owned() } else { path.join(FOLDER_NAME) }
}

/// The nearest collection at or above the current folder.
pub fn upward() -> Result<Option<PathBuf>, Failure> {
    let here = std::env::current_dir().map_err(|e| Failure::new(IO, format!("the current folder: {e}")))?;
    Ok(here.ancestors().map(|folder| folder.join(FOLDER_NAME)).find(|path| path.is_dir()))
}
