//! What a filter selects of a commit, made ready for searches and kept.

use std::sync::{Arc, Mutex, PoisonError};

use super::documents::{Bitmap, Selected};
use super::filter::Filter;
use super::snapshot::Snapshot;
use crate::error::{IndexError, Result};
use crate::index::{Places, RowSet, Segment};

/// Filters of which a snapshot remembers what they select: those that were asked for last.
const REMEMBERED: usize = 32;

/// The chunks that a filter selects, and where their vectors are.
pub(super) struct Selection {
    /// How many there are.
    pub chunks: u64,
    /// In each tantivy segment.
    pub documents: Vec<Bitmap>,
    /// For each segment of vectors.
    pub places: Vec<Places>,
}

/// What filters select, as far as it was asked for; the latest last.
#[derive(Default)]
pub(super) struct Selections(Mutex<Vec<(String, Arc<Selection>)>>);

impl Selections {
    fn get(&self, filter: &str) -> Option<Arc<Selection>> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = known.iter().position(|(text, _)| text == filter)?;
        let entry = known.remove(at);
        known.push(entry);
        known.last().map(|(_, selection)| selection.clone())
    }

    fn put(&self, filter: String, selection: Arc<Selection>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(text, _)| *text != filter);
        if known.len() >= REMEMBERED {
            known.remove(0);
        }
        known.push((filter, selection));
    }
}

impl Snapshot {
    /// What a filter selects; found once for each filter.
    ///
    /// # Errors
    /// Errors of damaged files.
    pub fn selection(&self, filter: &Filter) -> Result<Arc<Selection>> {
        let text = filter.to_string();
        if let Some(selection) = self.selections.get(&text) {
            return Ok(selection);
        }
        let Selected { docs, slots } = self.documents.select(filter).map_err(|e| self.documents_error(e))?;
        let places = self.segments.iter().map(|live| places(&live.segment, &slots)).collect::<Result<_, _>>()?;
        let selection = Arc::new(Selection { chunks: slots.len() as u64, documents: docs, places });
        self.selections.put(text, selection.clone());
        Ok(selection)
    }
}

/// The places of those of some slots, ascending, that a segment has. The document store has selected none of a deleted
/// chunk, and its commit is that of the vectors.
fn places(segment: &Segment, slots: &[u64]) -> Result<Places, IndexError> {
    let mut rows = RowSet::none(segment.len());
    let Some(last) = segment.len().checked_sub(1) else { return segment.places_of(&rows) };
    let (first, last) = (segment.slot(0)?, segment.slot(last as u32)?);
    let from = slots.partition_point(|&slot| slot < first);
    let within = slots[from..].iter().take_while(|&&slot| slot <= last);
    segment.rows_of(within.copied(), |row| rows.insert(row))?;
    segment.places_of(&rows)
}
