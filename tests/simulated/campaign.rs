//! Many power cuts at every moment of many lives, and what is wrong after them.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gyeol::store::Storage;

use super::check::check;
use super::dump;
use super::life::{Found, Life, live};
use super::simulated::disk::{Op, SimulatedDisk};
use super::simulated::durable::{Durable, Image, Loss};
use super::simulated::words::Random;

/// Lives one after the other on one disk, the power being cut between them.
const GENERATIONS: usize = 3;
/// Images of one life: where there are fewer moments than these allow for, all are taken.
const PER_LIFE: usize = 2_500;
/// Losses looked at for a moment.
const LOSSES: usize = 5;
/// Of this many images one is written to.
const WRITTEN_TO: usize = 8;
/// Images that are held at a time.
const BATCH: usize = 512;

/// What came out.
#[derive(Default)]
pub struct Outcome {
    pub seeds: usize,
    pub lives: usize,
    /// Moments at which the power was cut.
    pub moments: usize,
    pub tried: usize,
    /// Images that were not the same, or were allowed other commits.
    pub distinct: usize,
    pub written_to: usize,
    /// Images with the last commit that was done, the one under way, and none.
    pub held: [usize; 3],
    pub violations: Vec<Violation>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { seeds, lives, moments, tried, distinct, written_to, held: [old, new, none], violations } = self;
        write!(
            f,
            "{tried} images ({distinct} distinct) of {moments} moments in {lives} lives of {seeds} seeds: {old} with \
             the commit that was done, {new} with the one under way, {none} without a collection; {written_to} \
             written to; {} violations",
            violations.len()
        )
    }
}

/// An image and what it may hold.
struct Case {
    image: Image,
    allowed: Vec<Found>,
    goes_on: bool,
    moment: usize,
    loss: Loss,
}

/// Cuts the power until `images` were looked at, on disks that are written through `wrap`. Ends at
/// once when something is wrong.
pub fn cut(images: usize, first_seed: u64, wrap: &dyn Fn(SimulatedDisk) -> Arc<dyn Storage>) -> Outcome {
    let mut outcome = Outcome::default();
    for seed in first_seed.. {
        if outcome.tried >= images || !outcome.violations.is_empty() {
            break;
        }
        outcome.seeds += 1;
        let mut random = Random(seed);
        let (mut disk, mut found) = (SimulatedDisk::default(), None);
        for generation in 0..GENERATIONS {
            let what = format!("seed {seed}, life {generation}");
            let life = match live(&disk, wrap(disk.clone()), found, &mut random) {
                Ok(life) => life,
                Err(e) => {
                    let text = format!("{what}: without a power cut: {e}");
                    outcome.violations.push(Violation { text, case: None, story: String::new() });
                    break;
                }
            };
            let left = images.saturating_sub(outcome.tried).div_ceil(GENERATIONS - generation).min(PER_LIFE);
            let last = cut_life(&what, &life, left, &mut random, &mut outcome);
            let Some((image, commit)) = last else { break };
            (disk, found) = (SimulatedDisk::holding(&image), commit);
        }
    }
    outcome
}

/// The images of one life; one of them, with what it holds, is where the next one begins.
fn cut_life(
    what: &str,
    life: &Life,
    images: usize,
    random: &mut Random,
    outcome: &mut Outcome,
) -> Option<(Image, Found)> {
    let log = &life.history.log;
    let mut durable = Durable::new(&life.history);
    let (mut seen, mut batch) = (HashSet::new(), Vec::new());
    let next = random.below(log.len());
    let mut next_life = None;
    let moments = (0..=log.len()).filter(|&moment| is_moment(log, moment)).count();
    outcome.lives += 1;
    for moment in 0..=log.len() {
        let allowed = life.allowed(moment);
        // As many moments as there are images for, wherever they fall.
        if is_moment(log, moment) && random.below(moments * LOSSES) < images {
            outcome.moments += 1;
            for loss in losses(random) {
                outcome.tried += 1;
                let image = durable.image(loss);
                if seen.insert((dump::hash(&image), allowed.clone())) {
                    let allowed = allowed.clone();
                    batch.push(Case { image, allowed, goes_on: random.below(WRITTEN_TO) == 0, moment, loss });
                }
            }
        }
        if moment == next {
            let image = durable.image(Loss::Some(random.next()));
            next_life = check(&image, &allowed, false).ok().map(|found| (image, allowed[found].clone()));
        }
        if batch.len() >= BATCH || moment == log.len() {
            check_batch(what, life, &std::mem::take(&mut batch), outcome);
        }
        let Some(op) = log.get(moment) else { break };
        durable.apply(op);
    }
    next_life
}

/// Whether a moment is worth a look: what is between two writes to a file is a part of what is after
/// them.
fn is_moment(log: &[Op], moment: usize) -> bool {
    match (moment.checked_sub(1).map(|before| &log[before]), log.get(moment)) {
        (Some(Op::Write(before, _)), Some(Op::Write(after, _))) => before != after,
        _ => true,
    }
}

/// What is lost at one moment: the ends, and some of what is between them.
fn losses(random: &mut Random) -> [Loss; LOSSES] {
    let bytes = if random.below(2) == 0 { Loss::Bytes } else { Loss::BytesToZero };
    [Loss::Everything, Loss::Nothing, bytes, Loss::Some(random.next()), Loss::Some(random.next())]
}

/// Checks images on all processors. Threads of their own do it, not rayon's: a thread of its pool
/// that waits for a merge would be missing where the merge works.
fn check_batch(what: &str, life: &Life, batch: &[Case], outcome: &mut Outcome) {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    let work = || {
        while let Some(case) = batch.get(next.fetch_add(1, Ordering::Relaxed)) {
            let result = check(&case.image, &case.allowed, case.goes_on);
            results.lock().unwrap().push((case, result));
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    for (case, result) in results.into_inner().unwrap() {
        outcome.distinct += 1;
        outcome.written_to += usize::from(case.goes_on);
        match result {
            Ok(found) if case.allowed[found].is_none() => outcome.held[2] += 1,
            Ok(found) => outcome.held[found.min(1)] += 1,
            Err(error) => outcome.violations.push(Violation::new(what, life, case, &error)),
        }
    }
}

/// Something that must not be, and what it came of.
pub struct Violation {
    pub text: String,
    /// The image and what it may hold; none when no power was cut.
    case: Option<(Image, Vec<Found>)>,
    /// The operations before.
    story: String,
}

impl Violation {
    fn new(what: &str, life: &Life, case: &Case, error: &str) -> Self {
        let Case { moment, loss, goes_on, .. } = case;
        let log = &life.history.log;
        let before: Vec<String> = log[..*moment].iter().map(|op| format!("{op:?}")).collect();
        let text = format!(
            "{what}, operation {moment} of {} ({}), lost {loss:?}, written to {goes_on}: {error}",
            log.len(),
            before.last().map_or("none", String::as_str)
        );
        let story = format!("{text}\n\nThe operations before:\n{}\n", before.join("\n"));
        Violation { text, case: Some((case.image.clone(), case.allowed.clone())), story }
    }

    /// The text, with the image in a folder for whoever wants to look.
    pub fn tell(&self, number: usize) -> String {
        let Some((image, allowed)) = &self.case else { return self.text.clone() };
        let folder = dump::write(&format!("violation {number}"), image, allowed, &self.story);
        format!("{}\n  image: {}", self.text, folder.display())
    }
}
