//! Whether what a power cut left is one of the commits that it may be, and can be written to.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use gyeol::error::CollectionError;
use gyeol::{Collection, Effort, Error};

use super::life::{Found, keys};
use super::simulated::answers::{Checked, check_key, check_nearest, check_status, check_word, difference, with_word};
use super::simulated::disk::SimulatedDisk;
use super::simulated::durable::{Durable, Image, Loss};
use super::simulated::words::{Documents, EVERYWHERE, Words, document, text, vector, word};

/// Which of the commits an image holds, by its place in the list.
pub fn check(image: &Image, allowed: &[Found], goes_on: bool) -> Checked<usize> {
    let checked = catch_unwind(AssertUnwindSafe(|| {
        let found = holds(image, allowed)?;
        if goes_on {
            write_on(image, allowed[found].as_deref()).map_err(|e| format!("going on: {e}"))?;
        }
        Ok(found)
    }));
    checked.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(format!("a panic: {}", text.unwrap_or("of unknown kind")))
    })
}

fn holds(image: &Image, allowed: &[Found]) -> Checked<usize> {
    let collection = match Collection::open_on(Arc::new(SimulatedDisk::holding(image)), Words::new()) {
        Ok(collection) => collection,
        Err(Error::Collection(CollectionError::NotFound { .. })) => {
            let none = allowed.iter().position(Option::is_none);
            return none.ok_or_else(|| "there is no collection any more".to_owned());
        }
        Err(e) => return Err(format!("open: {e}")),
    };
    let got = with_word(&collection, EVERYWHERE, 1000)?;
    let found = allowed.iter().position(|commit| commit.as_deref() == Some(&got));
    let found = found.ok_or_else(|| {
        let differences = allowed.iter().map(|commit| match commit.as_deref() {
            Some(want) => difference(&got, want),
            None => "no collection".to_owned(),
        });
        format!("no commit that it may be:\n  {}", differences.collect::<Vec<_>>().join("\n  "))
    })?;
    agrees(&collection, &got)?;
    Ok(found)
}

/// Words, vectors, keys and counts are all of the same documents.
fn agrees(collection: &Collection, want: &Documents) -> Checked {
    check_word(collection, want, EVERYWHERE)?;
    // Any word does, but not the same one each time.
    let some = word(want.len() + want.values().map(String::len).sum::<usize>());
    check_word(collection, want, &some)?;
    check_nearest(collection, want, &some, want.len() + 5, Effort::Exact)?;
    keys().try_for_each(|key| check_key(collection, want, &key))?;
    check_status(collection, want)
}

/// The image is written to as if nothing had happened, and the power is cut once more.
fn write_on(image: &Image, found: Option<&Documents>) -> Checked {
    let disk = SimulatedDisk::holding(image);
    let mut want = found.cloned().unwrap_or_default();
    let opened = Collection::open_or_create_on(Arc::new(disk.clone()), Words::new());
    let mut collection = opened.map_err(|e| format!("open: {e}"))?;
    agrees(&collection, &want)?;
    if let Some((key, _)) = want.pop_first() {
        collection.delete(&key).map_err(|e| format!("delete: {e}"))?;
    }
    let last = want.keys().next_back().cloned().unwrap_or_else(|| "key 0".to_owned());
    let silent = (0..).map(text).find(|text| vector(text).is_none()).unwrap_or_default();
    for (key, text) in [(last, text(1)), ("key 1".to_owned(), silent)] {
        collection.upsert(&[document(&key, &text)]).map_err(|e| format!("upsert: {e}"))?;
        want.insert(key, text);
    }
    collection.commit().map_err(|e| format!("commit: {e}"))?;
    agrees(&collection, &want)?;
    let want = [Some(Arc::new(want))];
    let history = disk.history();
    holds(&Durable::at_the_end(&history).image(Loss::Everything), &want).map_err(|e| format!("a power cut: {e}"))?;
    drop(collection);
    let history = disk.history();
    holds(&Durable::at_the_end(&history).image(Loss::Nothing), &want).map_err(|e| format!("closed: {e}"))?;
    Ok(())
}
