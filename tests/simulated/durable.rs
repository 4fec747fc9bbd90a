//! What a disk may hold after the power was cut: all that was synced, and of the rest any part.
//!
//! | what | sure once | until then |
//! |---|---|---|
//! | a file's bytes | the file was synced | any blocks of them; the others are zero or missing |
//! | a name: made, replaced, removed | its folder was synced | as after any of the changes made to it, in their order |
//! | a folder | the folder above was synced | with it goes all that is in it |
//!
//! Names are independent of each other, and of the bytes of their files. A rename is a change of
//! two names, so a disk may know one half of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use gyeol::store::Mapped;

use super::disk::{History, Inode, Node, Op};
use super::words::Random;

/// The blocks in which disks and file systems write.
const BLOCKS: [usize; 2] = [512, 4096];

/// What is found on a disk after a power cut.
#[derive(Clone, Default)]
pub struct Image {
    pub folders: BTreeSet<PathBuf>,
    pub files: BTreeMap<PathBuf, Mapped>,
}

/// What is lost of all that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    Everything,
    Nothing,
    /// The bytes, but for the names: files end where they were synced.
    Bytes,
    /// The bytes again, but files are as long as they were, and zero.
    BytesToZero,
    /// Some bytes and some names, by this seed.
    Some(u64),
}

/// What is sure and what is not, after a part of a history.
pub struct Durable<'a> {
    history: &'a History,
    names: BTreeMap<&'a Path, Name>,
    files: Vec<Length>,
}

#[derive(Default)]
struct Name {
    sure: Option<Node>,
    /// What it was changed to since.
    then: Vec<Option<Node>>,
}

#[derive(Clone, Copy, Default)]
struct Length {
    sure: usize,
    now: usize,
}

impl<'a> Durable<'a> {
    /// Before anything was done.
    pub fn new(history: &'a History) -> Self {
        let mut files = vec![Length::default(); history.files.len()];
        let mut names = BTreeMap::new();
        for (name, &node) in &history.start {
            if let Node::File(inode) = node {
                let len = history.files[inode].len();
                files[inode] = Length { sure: len, now: len };
            }
            names.insert(name.as_path(), Name { sure: Some(node), then: Vec::new() });
        }
        Durable { history, names, files }
    }

    /// After all that was done.
    pub fn at_the_end(history: &'a History) -> Self {
        let mut durable = Self::new(history);
        history.log.iter().for_each(|op| durable.apply(op));
        durable
    }

    /// One more operation of the history.
    pub fn apply(&mut self, op: &'a Op) {
        match op {
            Op::MakeFolder(name) => self.change(name, Some(Node::Folder)),
            Op::Create(name, inode) => self.change(name, Some(Node::File(*inode))),
            Op::Rename(from, to, inode) => {
                self.change(to, Some(Node::File(*inode)));
                self.change(from, None);
            }
            Op::Remove(name) => self.change(name, None),
            Op::Write(inode, len) => self.files[*inode].now = *len,
            Op::Sync(inode) => self.files[*inode].sure = self.files[*inode].now,
            Op::SyncFolder(folder) => {
                for (_, name) in self.names.iter_mut().filter(|(name, _)| name.parent() == Some(folder)) {
                    name.sure = name.then.drain(..).next_back().unwrap_or(name.sure);
                }
                self.names.retain(|_, name| name.sure.is_some() || !name.then.is_empty());
            }
        }
    }

    fn change(&mut self, name: &'a Path, to: Option<Node>) {
        self.names.entry(name).or_default().then.push(to);
    }

    /// What is found if the power is cut now.
    pub fn image(&self, loss: Loss) -> Image {
        let mut random = match loss {
            Loss::Some(seed) => Random(seed),
            _ => Random(0),
        };
        // Some losses take nearly all, some nearly nothing.
        let (names_kept, bytes_kept) = ([1, 4, 7][random.below(3)], [1, 4, 7][random.below(3)]);
        let mut image = Image::default();
        let mut contents: HashMap<Inode, Mapped> = HashMap::new();
        // A folder comes before what is in it.
        for (&path, name) in &self.names {
            let changes = match loss {
                Loss::Everything => 0,
                Loss::Nothing | Loss::Bytes | Loss::BytesToZero => name.then.len(),
                Loss::Some(_) if random.below(8) < names_kept => name.then.len(),
                Loss::Some(_) => random.below(name.then.len() + 1),
            };
            let folder = path.parent().unwrap_or(Path::new(""));
            let is_reached = folder.as_os_str().is_empty() || image.folders.contains(folder);
            let found = if changes == 0 { name.sure } else { name.then[changes - 1] };
            match found.filter(|_| is_reached) {
                None => {}
                Some(Node::Folder) => drop(image.folders.insert(path.to_owned())),
                Some(Node::File(inode)) => {
                    let content =
                        contents.entry(inode).or_insert_with(|| self.content(inode, loss, bytes_kept, &mut random));
                    image.files.insert(path.to_owned(), content.clone());
                }
            }
        }
        image
    }

    fn content(&self, inode: Inode, loss: Loss, kept: usize, random: &mut Random) -> Mapped {
        let (all, Length { sure, now }) = (&self.history.files[inode], self.files[inode]);
        let zeroed = |from: usize| Mapped::copy_of(&[&all[..from], &vec![0; now - from]].concat());
        match loss {
            _ if sure == now && now == all.len() => all.clone(),
            Loss::Nothing => Mapped::copy_of(&all[..now]),
            Loss::Everything | Loss::Bytes => Mapped::copy_of(&all[..sure]),
            Loss::BytesToZero => zeroed(sure),
            Loss::Some(_) if random.below(8) < kept => Mapped::copy_of(&all[..now]),
            Loss::Some(_) => match random.below(4) {
                0 => Mapped::copy_of(&all[..sure]),
                1 => zeroed(sure),
                _ => Mapped::copy_of(&torn(&all[..now], sure, random)),
            },
        }
    }
}

/// Blocks of a file's bytes from `sure` on are kept or not, and it may end early.
fn torn(bytes: &[u8], sure: usize, random: &mut Random) -> Vec<u8> {
    let block = BLOCKS[random.below(2)];
    let blocks = sure / block..bytes.len().div_ceil(block);
    let end = match random.below(2) {
        0 => bytes.len(),
        _ => ((blocks.start + 1 + random.below(blocks.len().max(1))) * block).min(bytes.len()),
    };
    let mut out = bytes[..end].to_vec();
    for nth in blocks {
        let (from, to) = ((nth * block).max(sure), ((nth + 1) * block).min(end));
        if from < to && random.below(2) == 0 {
            out[from..to].fill(0);
        }
    }
    out
}
