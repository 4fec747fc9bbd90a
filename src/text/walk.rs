//! What a folder holds: regular files, in the order of their names, and what was left out.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::UNIX_EPOCH;

use ignore::WalkBuilder;

use super::Skipped;
use super::limits::MAX_RULES_BYTES;
use crate::error::TextError;

/// A regular file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: PathBuf,
    /// Its path relative to the folder, with `/` between the parts; bytes of a name that are not
    /// UTF-8 stand as `\xFF`, and a backslash as two.
    pub name: String,
    /// Its length in bytes.
    pub len: u64,
    /// When it was changed last, in nanoseconds since 1970; 0 where the system does not say.
    pub modified_ns: u64,
    /// When its content, name or rights were changed last, in nanoseconds since 1970; unlike
    /// `modified_ns` no program can set it back. 0 where the system does not say.
    pub changed_ns: u64,
}

/// What a walk found.
#[derive(Clone, Debug, Default)]
pub struct Walk {
    /// The files, sorted by name.
    pub entries: Vec<Entry>,
    /// Links, devices and unreadable folders, each with its reason.
    pub skipped: Vec<Skipped>,
    /// Folders that could not be read (relative, as in [`Entry::name`]): what is below them is
    /// unknown, not gone.
    pub unread: Vec<String>,
}

/// Lists the files of a folder. Hidden files and what `.gitignore` or `.ignore` files name are
/// passed over. Symbolic links are never followed, and FIFOs, sockets and devices never opened;
/// they are listed as skipped. So is a folder whose rules are no regular file or a huge one: what it
/// holds is unknown then. `exclude` is a folder to leave out, such as the collection itself.
///
/// # Errors
/// [`TextError::Folder`] when `root` itself cannot be read, or has such rules, or a folder above it has.
pub fn walk(root: &Path, exclude: Option<&Path>) -> Result<Walk, TextError> {
    let folder = |source| TextError::Folder { path: root.to_owned(), source };
    // A link given as the root is meant; links below it are not followed.
    let root_real = root.canonicalize().map_err(folder)?;
    fs::read_dir(&root_real).map_err(folder)?;
    if let Some(reason) = root_real.ancestors().find_map(wrong_rules) {
        return Err(folder(io::Error::other(reason)));
    }
    let exclude = exclude.and_then(|e| e.canonicalize().ok());
    let refused: Arc<Mutex<Vec<(PathBuf, String)>>> = Arc::default();
    let noted = refused.clone();
    let walker = WalkBuilder::new(&root_real)
        .follow_links(false)
        .require_git(false)
        .git_global(false)
        .git_exclude(false)
        .filter_entry(move |e| {
            if exclude.as_deref() == Some(e.path()) {
                return false;
            }
            let wrong = e.file_type().filter(|t| t.is_dir()).and_then(|_| wrong_rules(e.path()));
            let good = wrong.is_none();
            if let Some(reason) = wrong {
                noted.lock().unwrap_or_else(PoisonError::into_inner).push((e.path().to_owned(), reason));
            }
            good
        })
        .build();
    let mut walk = Walk::default();
    for entry in walker {
        match entry {
            Ok(entry) => take(&root_real, &entry, &mut walk),
            Err(error) => refuse(&root_real, &error, &mut walk),
        }
    }
    for (path, reason) in refused.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
        let path = relative_name(&root_real, &path);
        walk.unread.push(path.clone());
        walk.skipped.push(Skipped { path, reason });
    }
    walk.entries.sort_by(|a, b| a.name.cmp(&b.name));
    walk.skipped.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(walk)
}

/// Why a folder's rules may not be read: to open a FIFO would wait for a writer, a device may have no
/// end, and every line takes memory.
fn wrong_rules(folder: &Path) -> Option<String> {
    [".gitignore", ".ignore"].into_iter().find_map(|name| {
        let meta = fs::metadata(folder.join(name)).ok().filter(|meta| !meta.is_dir())?;
        let reason = if !meta.is_file() {
            "is not a regular file".to_owned()
        } else if meta.len() > MAX_RULES_BYTES {
            format!("is larger than {} KiB", MAX_RULES_BYTES >> 10)
        } else {
            return None;
        };
        Some(format!("its {name} {reason}, so the folder is left out"))
    })
}

fn take(root: &Path, entry: &ignore::DirEntry, walk: &mut Walk) {
    if let Some(io) = entry.error().and_then(|e| e.io_error()) {
        // What the folder's rules leave out is unknown then, and told.
        let path = entry.error().and_then(error_path).unwrap_or(entry.path());
        walk.skipped
            .push(Skipped { path: relative_name(root, path), reason: format!("its rules cannot be read: {io}") });
    }
    let Some(kind) = entry.file_type() else { return };
    if kind.is_dir() {
        return;
    }
    let name = relative_name(root, entry.path());
    let reason = if kind.is_symlink() {
        "a symbolic link, not followed"
    } else if !kind.is_file() {
        "not a regular file (FIFO, socket or device), not opened"
    } else {
        match entry.metadata() {
            Ok(meta) => {
                let modified = meta.modified().ok().and_then(|t| t.duration_since(UNIX_EPOCH).ok());
                let modified_ns = modified.map_or(0, |d| d.as_nanos() as u64);
                let (path, len, changed_ns) = (entry.path().to_owned(), meta.len(), changed_ns(&meta));
                walk.entries.push(Entry { path, name, len, modified_ns, changed_ns });
                return;
            }
            Err(_) => {
                walk.unread.push(name.clone());
                "cannot be looked at"
            }
        }
    };
    walk.skipped.push(Skipped { path: name, reason: reason.to_owned() });
}

#[cfg(unix)]
fn changed_ns(meta: &fs::Metadata) -> u64 {
    use std::os::unix::fs::MetadataExt;
    (meta.ctime().max(0) as u64).saturating_mul(1_000_000_000).saturating_add(meta.ctime_nsec().max(0) as u64)
}

#[cfg(not(unix))]
fn changed_ns(_: &fs::Metadata) -> u64 {
    0
}

fn refuse(root: &Path, error: &ignore::Error, walk: &mut Walk) {
    let path = error_path(error);
    let name = path.map_or_else(String::new, |p| relative_name(root, p));
    let reason = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
    walk.skipped.push(Skipped { path: name.clone(), reason });
    walk.unread.push(name);
}

fn error_path(error: &ignore::Error) -> Option<&Path> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => error_path(err),
        _ => None,
    }
}

/// A path below `root` as text that tells any two paths apart.
fn relative_name(root: &Path, path: &Path) -> String {
    path_name(path.strip_prefix(root).unwrap_or(path))
}

/// A path as text, with `/` between the parts. Bytes that are not UTF-8 stand as `\xFF`, and a
/// backslash as two, so that any two paths are told apart.
pub fn path_name(path: &Path) -> String {
    let parts = path.components().filter(|part| *part != Component::RootDir).map(|part| {
        let mut out = String::new();
        for chunk in part.as_os_str().as_encoded_bytes().utf8_chunks() {
            // Where a backslash parts folders, no name has one.
            out.push_str(&if cfg!(windows) { chunk.valid().to_owned() } else { chunk.valid().replace('\\', "\\\\") });
            chunk.invalid().iter().for_each(|b| out.push_str(&format!("\\x{b:02X}")));
        }
        out
    });
    let root = if cfg!(unix) && path.has_root() { "/" } else { "" };
    format!("{root}{}", parts.collect::<Vec<_>>().join("/"))
}
