//! A commit that was acknowledged outlives a power cut, and one that was not leaves nothing, on a
//! disk that keeps what POSIX promises and loses everything else.
//!
//! A program fills a collection on a simulated disk. At the moments between its operations the
//! power is cut: bytes that were not synced are lost, kept or torn, and so are names. Each disk
//! that may be left is opened; it must hold the last commit that was done, or the one under way.
//!
//! A few hundred images run always. `GYEOL_SIMULATED_IMAGES=20000 cargo test --release --test
//! simulated_disk -- --nocapture` looks at more, from `GYEOL_SIMULATED_SEED` on. Images that fail
//! are written to files; `GYEOL_SIMULATED_REPLAY=FOLDER` looks at one of them again.

mod simulated;

#[path = "simulated/campaign.rs"]
mod campaign;
#[path = "simulated/check.rs"]
mod check;
#[path = "simulated/dump.rs"]
mod dump;
#[path = "simulated/life.rs"]
mod life;
#[path = "simulated/lying.rs"]
mod lying;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gyeol::Collection;
use gyeol::store::{Storage, publish};

use check::check;
use lying::{Lie, Lying};
use simulated::answers::check_word;
use simulated::disk::SimulatedDisk;
use simulated::durable::{Durable, Image, Loss};
use simulated::words::{Documents, EVERYWHERE, Random, Words, document, text};

/// The number in a variable of the environment.
fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |value| value.parse().unwrap())
}

#[test]
fn a_power_cut_leaves_one_commit_or_the_other() {
    let images = number("GYEOL_SIMULATED_IMAGES", 400) as usize;
    let seed = number("GYEOL_SIMULATED_SEED", 1);
    let outcome = campaign::cut(images, seed, &|disk| Arc::new(disk));
    println!("{outcome}");
    let first: Vec<String> = (1..4).zip(&outcome.violations).map(|(nth, violation)| violation.tell(nth)).collect();
    assert!(first.is_empty(), "{outcome}\n{}", first.join("\n"));
    assert!(outcome.tried >= images && outcome.held[0] > 0 && outcome.held[1] > 0, "{outcome}");
}

/// The same changes lead to the same names of files, of which some are there already.
#[test]
fn what_a_power_cut_stopped_can_be_done_again() {
    let mut want = Documents::new();
    let disk = SimulatedDisk::default();
    let mut collection = Collection::open_or_create_on(Arc::new(disk.clone()), Words::new()).unwrap();
    for n in 0..4 {
        change(&mut collection, &mut want, n).unwrap();
        collection.commit().unwrap();
    }
    drop(collection);
    let begun = disk.operations();
    let mut collection = Collection::open_on(Arc::new(disk.clone()), Words::new()).unwrap();
    let mut after = want.clone();
    change(&mut collection, &mut after, 4).and_then(|()| collection.commit()).unwrap();
    let history = disk.history();
    let mut durable = Durable::new(&history);
    for (moment, op) in history.log.iter().enumerate() {
        if moment >= begun {
            let disk = SimulatedDisk::holding(&durable.image(Loss::Nothing));
            let mut again = Collection::open_on(Arc::new(disk.clone()), Words::new()).unwrap();
            let done = change(&mut again, &mut want.clone(), 4).and_then(|()| again.commit());
            done.unwrap_or_else(|e| panic!("stopped before operation {moment}, {op:?}: {e}"));
            check_word(&again, &after, EVERYWHERE).unwrap();
        }
        durable.apply(op);
    }
}

/// Merges that the power cut stopped start again beside the first change, and must not undo it.
#[test]
fn a_document_deleted_first_thing_after_a_power_cut_stays_deleted() {
    let (disk, mut want) = (SimulatedDisk::default(), Documents::new());
    let mut collection = Collection::open_or_create_on(Arc::new(disk.clone()), Words::new()).unwrap();
    for n in 0..10 {
        change(&mut collection, &mut want, n).unwrap();
        collection.commit().unwrap();
        let done = disk.operations();
        let history = disk.history();
        let mut durable = Durable::new(&history);
        history.log[..done].iter().for_each(|op| durable.apply(op));
        let image = durable.image(Loss::Nothing);
        for key in want.keys().filter(|_| n > 6) {
            let disk = SimulatedDisk::holding(&image);
            let mut next = Collection::open_on(Arc::new(disk.clone()), Words::new()).unwrap();
            let mut want = want.clone();
            want.remove(key);
            assert_eq!(next.delete(key).unwrap(), 1);
            change(&mut next, &mut want, 99).and_then(|()| next.commit()).unwrap();
            check_word(&next, &want, EVERYWHERE).unwrap();
            // Closing waits for merges.
            drop(next);
            let next = Collection::open_on(Arc::new(disk), Words::new()).unwrap();
            check_word(&next, &want, EVERYWHERE).unwrap_or_else(|e| panic!("{key} of commit {n}: {e}"));
        }
    }
}

/// The lock is given back, so another writer may be at work: a merge that ends now would publish an
/// older commit over a newer one, and remove its files.
#[test]
fn a_writer_that_was_closed_leaves_the_disk_alone() {
    let (disk, mut want) = (SimulatedDisk::default(), Documents::new());
    for n in 0..40 {
        let mut collection = Collection::open_or_create_on(Arc::new(disk.clone()), Words::new()).unwrap();
        change(&mut collection, &mut want, n).unwrap();
        collection.commit().unwrap();
        // Closed with a change that is not committed, and with merges under way.
        collection.upsert(&[document("lost", EVERYWHERE)]).unwrap();
        drop(collection);
        let closed = disk.operations();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let log = disk.history().log;
        assert!(log.len() == closed, "after commit {n}: {:?}", &log[closed..]);
    }
}

/// Adds three documents, and deletes one of those that were added last.
fn change(collection: &mut Collection, want: &mut Documents, n: u64) -> gyeol::Result<()> {
    let key = |n: u64, part: u64| format!("key {n} {part}");
    let gone = key(n.saturating_sub(1), 0);
    want.remove(&gone);
    collection.delete(&gone)?;
    let fresh: Documents = (0..3).map(|part| (key(n, part), text(10 * n + part))).collect();
    collection.upsert(&fresh.iter().map(|(key, text)| document(key, text)).collect::<Vec<_>>())?;
    want.extend(fresh);
    Ok(())
}

/// The test above can fail: where syncs do nothing, commits are lost.
#[test]
fn a_disk_that_lies_is_found_out() {
    for lie in [Lie::Files, Lie::Folders, Lie::Both] {
        let outcome = campaign::cut(400, 1, &|disk| Arc::new(Lying::new(disk, lie)));
        println!("{lie:?}: {outcome}");
        let lost = ["no collection any more", "no commit that it may be", "damaged"];
        let is_loss = |text: &str| lost.iter().any(|words| text.contains(words));
        assert!(outcome.violations.iter().any(|v| is_loss(&v.text)), "{lie:?}: {outcome}");
    }
}

#[test]
fn an_image_in_files_can_be_looked_at_again() {
    if let Some(folder) = std::env::var_os("GYEOL_SIMULATED_REPLAY") {
        let (image, allowed) = dump::read(&PathBuf::from(folder));
        check(&image, &allowed, true).unwrap();
        return;
    }
    let disk = SimulatedDisk::default();
    let life = life::live(&disk, Arc::new(disk.clone()), None, &mut Random(1)).unwrap();
    let image = Durable::at_the_end(&life.history).image(Loss::Nothing);
    let (found, last) = (life.allowed(0), life.allowed(disk.operations()));
    for (allowed, is_right) in [([&found[..], &last].concat(), true), (found, false)] {
        let folder = dump::write("again", &image, &allowed, "");
        let (read, allowed) = dump::read(&folder);
        assert_eq!(dump::hash(&read), dump::hash(&image));
        assert_eq!(check(&read, &allowed, true).is_ok(), is_right);
    }
}

/// All that a disk may hold after `losses`, as `name: content`.
fn left(disk: &SimulatedDisk, losses: impl IntoIterator<Item = Loss>) -> std::collections::BTreeSet<Vec<String>> {
    let history = disk.history();
    let durable = Durable::at_the_end(&history);
    let text = |image: Image| {
        let file = |(name, content): (&PathBuf, &gyeol::store::Mapped)| {
            format!("{}: {}", name.display(), String::from_utf8_lossy(content))
        };
        image.files.iter().map(file).collect()
    };
    losses.into_iter().map(|loss| text(durable.image(loss))).collect()
}

#[test]
fn the_disk_keeps_what_was_synced_and_may_lose_all_else() {
    let (disk, all) = (SimulatedDisk::default(), || (0..200).map(Loss::Some));
    let name = Path::new("a");
    let mut file = disk.create(name).unwrap();
    file.write_all(b"one").unwrap();
    let some = |contents: &[&[&str]]| contents.iter().map(|c| c.iter().map(|s| (*s).to_owned()).collect()).collect();
    assert_eq!(left(&disk, all()), some(&[&[], &["a: "], &["a: one"], &["a: \0\0\0"]]));
    file.sync().unwrap();
    assert_eq!(left(&disk, all()), some(&[&[], &["a: one"]]));
    disk.sync_dir(Path::new("")).unwrap();
    assert_eq!(left(&disk, all()), some(&[&["a: one"]]));

    let mut other = disk.create(Path::new("b")).unwrap();
    other.write_all(b"two").unwrap();
    disk.rename(Path::new("b"), name).unwrap();
    assert_eq!(left(&disk, [Loss::Nothing]), some(&[&["a: two"]]));
    assert_eq!(left(&disk, [Loss::Everything]), some(&[&["a: one"]]));
    assert_eq!(left(&disk, [Loss::Bytes]), some(&[&["a: "]]), "a rename goes before the bytes");
    assert!(left(&disk, all()).contains(&vec!["a: two".to_owned(), "b: two".to_owned()]));
    disk.remove(name).unwrap();
    assert!(left(&disk, all()).is_superset(&some(&[&[], &["a: one"], &["a: two"]])));
    disk.sync_dir(Path::new("")).unwrap();
    assert_eq!(left(&disk, all()), some(&[&[]]));
}

#[test]
fn a_folder_that_is_lost_takes_its_files_along() {
    let disk = SimulatedDisk::default();
    disk.create_dir(Path::new("one/two")).unwrap();
    publish(&disk, Path::new("one/two/a"), |out| out.write_all(b"a")).unwrap();
    disk.sync_dir(Path::new("one")).unwrap();
    assert!(left(&disk, [Loss::Everything]).contains(&Vec::new()));
    disk.sync_dir(Path::new("")).unwrap();
    assert!(left(&disk, [Loss::Everything]).contains(&vec!["one/two/a: a".to_owned()]));
}

#[test]
fn blocks_that_were_not_synced_are_torn() {
    let disk = SimulatedDisk::default();
    let mut file = disk.create(Path::new("a")).unwrap();
    let (synced, more) = ("x".repeat(5_000), "x".repeat(40_000));
    file.write_all(synced.as_bytes()).unwrap();
    file.sync().unwrap();
    file.write_all(more.as_bytes()).unwrap();
    disk.sync_dir(Path::new("")).unwrap();
    let images = left(&disk, (0..400).map(Loss::Some));
    let contents: Vec<&str> = images.iter().map(|files| files[0].strip_prefix("a: ").unwrap()).collect();
    assert!(contents.iter().all(|content| content.starts_with(&synced) && content.len() <= 45_000));
    for block in [512, 4096] {
        // Blocks of this size were lost between others that were kept.
        let hole = format!("x{}x", "\0".repeat(block));
        assert!(contents.iter().any(|content| content.contains(&hole)), "{block}");
    }
    assert!(contents.iter().any(|content| content.len() == 5_000));
    assert!(contents.iter().any(|content| content.len() % 512 == 0), "some end early");
}
