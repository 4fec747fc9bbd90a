//! File systems of our own, which may become full, read-only or lose their power.

use std::fs;
use std::path::{Path, PathBuf};

use super::process::program;

/// A file system that is mounted until it is dropped. Only the superuser may do that, and not
/// everywhere.
pub struct Mount {
    at: PathBuf,
    /// What is mounted, and how.
    arguments: Vec<String>,
    is_mounted: bool,
}

impl Mount {
    /// In memory, of so many bytes.
    ///
    /// # Errors
    /// Why it cannot be mounted here; so it is with all of these.
    pub fn memory(at: &Path, bytes: u64) -> Result<Self, String> {
        let size = format!("size={bytes}");
        Self::new(at, &["-t", "tmpfs", "-o", &size, "tmpfs"])
    }

    /// ext4 on a file beside the folder.
    pub fn ext4(at: &Path, bytes: u64) -> Result<Self, String> {
        let image = at.with_extension("image");
        fs::File::create(&image).and_then(|file| file.set_len(bytes)).map_err(|e| e.to_string())?;
        let image = image.display().to_string();
        program("mkfs.ext4", &["-q", "-F", &image])?;
        Self::new(at, &["-t", "ext4", "-o", "loop", &image])
    }

    fn new(at: &Path, arguments: &[&str]) -> Result<Self, String> {
        fs::create_dir_all(at).map_err(|e| e.to_string())?;
        let arguments = arguments.iter().map(|&a| a.to_owned()).collect();
        let mut mount = Mount { at: at.to_owned(), arguments, is_mounted: false };
        mount.mount()?;
        Ok(mount)
    }

    pub fn at(&self) -> &Path {
        &self.at
    }

    /// Mounts it again after [`Mount::unmount`].
    pub fn mount(&mut self) -> Result<(), String> {
        let at = self.at.display().to_string();
        let arguments: Vec<&str> = self.arguments.iter().map(String::as_str).chain([at.as_str()]).collect();
        program("mount", &arguments)?;
        self.is_mounted = true;
        Ok(())
    }

    pub fn unmount(&mut self) -> Result<(), String> {
        program("umount", &[&self.at.display().to_string()])?;
        self.is_mounted = false;
        Ok(())
    }

    /// Changes its options: `size=BYTES`, `ro`, `rw`.
    pub fn change(&self, options: &str) -> Result<(), String> {
        program("mount", &["-o", &format!("remount,{options}"), &self.at.display().to_string()]).map(drop)
    }

    /// From now on nothing of this ext4 reaches its disk, not even the journal of what was done last.
    pub fn cut_power(&self) -> Result<(), String> {
        // The request EXT4_IOC_SHUTDOWN with the flag NOLOGFLUSH. Perl, since a call from Rust is unsafe.
        let script = "open(my $d, '<', $ARGV[0]) or die $!; my $f = pack('L', 2); ioctl($d, 0x8004587D, $f) or die $!";
        program("perl", &["-e", script, &self.at.display().to_string()]).map(drop)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        if self.is_mounted && self.unmount().is_err() {
            // A process that is still there must not keep the folder from being removed.
            let _ = program("umount", &["-l", &self.at.display().to_string()]);
        }
    }
}
