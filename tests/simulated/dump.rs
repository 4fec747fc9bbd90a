//! A failing image as files, since another run has other file names and another order of threads.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gyeol::store::Mapped;

use super::life::Found;
use super::simulated::durable::Image;
use super::simulated::words::Documents;

/// What an image may hold, beside its files.
const ALLOWED: &str = "allowed.json";
const FILES: &str = "image";

/// The same for images of the same folders, names and bytes.
pub fn hash(image: &Image) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    for folder in &image.folders {
        part(folder.as_os_str().as_encoded_bytes());
    }
    for (name, content) in &image.files {
        part(name.as_os_str().as_encoded_bytes());
        part(content);
    }
    hasher.finalize()
}

/// Writes an image, the commits that it may hold, and how it came about. Returns the folder.
pub fn write(name: &str, image: &Image, allowed: &[Found], story: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("simulated").join(name);
    let _ = fs::remove_dir_all(&folder);
    let files = folder.join(FILES);
    fs::create_dir_all(&files).unwrap();
    image.folders.iter().for_each(|folder| fs::create_dir_all(files.join(folder)).unwrap());
    image.files.iter().for_each(|(name, content)| fs::write(files.join(name), &content[..]).unwrap());
    let allowed: Vec<Option<&Documents>> = allowed.iter().map(Option::as_deref).collect();
    fs::write(folder.join(ALLOWED), serde_json::to_vec_pretty(&allowed).unwrap()).unwrap();
    fs::write(folder.join("story.txt"), story).unwrap();
    folder
}

/// What was written.
pub fn read(folder: &Path) -> (Image, Vec<Found>) {
    let mut image = Image::default();
    let files = folder.join(FILES);
    let mut left = vec![files.clone()];
    while let Some(folder) = left.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(&files).unwrap().to_owned();
            if path.is_dir() {
                image.folders.insert(name);
                left.push(path);
            } else {
                image.files.insert(name, Mapped::copy_of(&fs::read(path).unwrap()));
            }
        }
    }
    let allowed: Vec<Option<Documents>> = serde_json::from_slice(&fs::read(folder.join(ALLOWED)).unwrap()).unwrap();
    (image, allowed.into_iter().map(|commit| commit.map(Arc::new)).collect())
}
