//! A disk in memory that writes down, in one order, all that is done to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use gyeol::error::StoreError;
use gyeol::store::{Mapped, Storage, StorageFile};

use super::durable::Image;

/// A file, whatever names it has.
pub type Inode = usize;

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Node {
    Folder,
    File(Inode),
}

/// One entry of the log.
#[derive(Clone, Debug)]
pub enum Op {
    MakeFolder(PathBuf),
    Create(PathBuf, Inode),
    /// The file has this many bytes now.
    Write(Inode, usize),
    Sync(Inode),
    Rename(PathBuf, PathBuf, Inode),
    Remove(PathBuf),
    SyncFolder(PathBuf),
}

/// What was done to a disk.
pub struct History {
    /// What was there before, for sure.
    pub start: BTreeMap<PathBuf, Node>,
    pub log: Vec<Op>,
    /// The content of every file at the end. Files only grow, so earlier contents are its beginnings.
    pub files: Vec<Mapped>,
}

/// The disk as the running process sees it. A clone is the same disk.
#[derive(Clone, Default)]
pub struct SimulatedDisk(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    start: BTreeMap<PathBuf, Node>,
    names: BTreeMap<PathBuf, Node>,
    files: Vec<File>,
    log: Vec<Op>,
    locked: BTreeSet<PathBuf>,
}

#[derive(Default)]
struct File {
    written: Vec<u8>,
    /// The content once someone asked for it, until there is more.
    mapped: Option<Mapped>,
}

impl File {
    fn map(&mut self) -> Mapped {
        self.mapped.get_or_insert_with(|| Mapped::copy_of(&self.written)).clone()
    }

    fn len(&self) -> usize {
        self.mapped.as_ref().map_or(self.written.len(), |map| map.len())
    }
}

impl State {
    fn has_folder(&self, folder: &Path) -> bool {
        // The top is there before anything is written.
        folder.as_os_str().is_empty() || self.names.get(folder) == Some(&Node::Folder)
    }

    fn need_folder(&self, folder: Option<&Path>) -> io::Result<()> {
        if self.has_folder(folder.unwrap_or(Path::new(""))) { Ok(()) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    fn file(&self, name: &Path) -> io::Result<Inode> {
        match self.names.get(name) {
            Some(Node::File(inode)) => Ok(*inode),
            Some(Node::Folder) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn add(&mut self, name: &Path) -> io::Result<Inode> {
        self.need_folder(name.parent())?;
        if self.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = self.files.len();
        self.files.push(File::default());
        self.names.insert(name.to_owned(), Node::File(inode));
        self.log.push(Op::Create(name.to_owned(), inode));
        Ok(inode)
    }
}

impl SimulatedDisk {
    /// A disk that holds what another has left, for sure.
    pub fn holding(image: &Image) -> Self {
        let mut state = State::default();
        state.start.extend(image.folders.iter().map(|folder| (folder.clone(), Node::Folder)));
        for (name, content) in &image.files {
            state.start.insert(name.clone(), Node::File(state.files.len()));
            state.files.push(File { written: Vec::new(), mapped: Some(content.clone()) });
        }
        state.names.clone_from(&state.start);
        SimulatedDisk(Arc::new(Mutex::new(state)))
    }

    /// How many operations were done until now.
    pub fn operations(&self) -> usize {
        self.state().log.len()
    }

    /// All that was done until now.
    pub fn history(&self) -> History {
        let mut state = self.state();
        let files = state.files.iter_mut().map(File::map).collect();
        History { start: state.start.clone(), log: state.log.clone(), files }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it holds this.
        self.0.lock().unwrap()
    }
}

impl fmt::Debug for SimulatedDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedDisk")
    }
}

impl Storage for SimulatedDisk {
    fn open(&self, name: &Path) -> io::Result<Mapped> {
        let mut state = self.state();
        let inode = state.file(name)?;
        Ok(state.files[inode].map())
    }

    fn create(&self, name: &Path) -> io::Result<Box<dyn StorageFile>> {
        let inode = self.state().add(name)?;
        Ok(Box::new(OpenFile { disk: self.clone(), inode }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.need_folder(to.parent())?;
        let inode = state.file(from)?;
        if state.has_folder(to) {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        state.names.remove(from);
        state.names.insert(to.to_owned(), Node::File(inode));
        state.log.push(Op::Rename(from.to_owned(), to.to_owned(), inode));
        Ok(())
    }

    fn remove(&self, name: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.file(name)?;
        state.names.remove(name);
        state.log.push(Op::Remove(name.to_owned()));
        Ok(())
    }

    fn exists(&self, name: &Path) -> io::Result<bool> {
        Ok(self.state().names.contains_key(name))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
        let state = self.state();
        state.need_folder(Some(folder))?;
        let files = state.names.iter().filter(|(name, _)| name.parent() == Some(folder));
        let files = files.filter_map(|(name, node)| match node {
            Node::File(inode) => Some((name.clone(), state.files[*inode].len() as u64)),
            Node::Folder => None,
        });
        Ok(files.collect())
    }

    fn create_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        let mut above: Vec<&Path> = folder.ancestors().collect();
        above.reverse();
        for folder in above {
            match state.names.get(folder) {
                Some(Node::File(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
                _ if state.has_folder(folder) => {}
                _ => {
                    state.names.insert(folder.to_owned(), Node::Folder);
                    state.log.push(Op::MakeFolder(folder.to_owned()));
                }
            }
        }
        Ok(())
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.need_folder(Some(folder))?;
        state.log.push(Op::SyncFolder(folder.to_owned()));
        Ok(())
    }

    fn lock(&self, name: &Path) -> Result<Box<dyn Send + Sync>, StoreError> {
        let mut state = self.state();
        if !state.locked.insert(name.to_owned()) {
            return Err(StoreError::Locked { path: self.full_path(name), holder: "another collection".to_owned() });
        }
        if state.file(name).is_err() {
            let made = state.add(name);
            made.map_err(|source| StoreError::Io { path: self.full_path(name), action: "lock", source })?;
        }
        Ok(Box::new(Lock { disk: self.clone(), name: name.to_owned() }))
    }

    fn full_path(&self, name: &Path) -> PathBuf {
        Path::new("simulated disk").join(name)
    }
}

struct Lock {
    disk: SimulatedDisk,
    name: PathBuf,
}

impl Drop for Lock {
    fn drop(&mut self) {
        self.disk.state().locked.remove(&self.name);
    }
}

struct OpenFile {
    disk: SimulatedDisk,
    inode: Inode,
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.disk.state();
        let file = &mut state.files[self.inode];
        file.mapped = None;
        file.written.extend_from_slice(bytes);
        let len = file.written.len();
        state.log.push(Op::Write(self.inode, len));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl StorageFile for OpenFile {
    fn sync(&mut self) -> io::Result<()> {
        self.disk.state().log.push(Op::Sync(self.inode));
        Ok(())
    }
}
