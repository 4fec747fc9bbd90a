//! What checksums cannot tell: whether the parts of a segment fit together.

use super::structure::Structure;
use super::{Segment, format};
use crate::index::hnsw::{Graph, Layer};
use crate::metric::Metric;
use crate::store::file::Damage;

/// A row under cosine is this near to length 1.
const UNIT: f32 = 1e-3;

/// What of a segment does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub what: String,
    /// Whether rows, their order, slots or lengths are concerned: then answers are wrong or missing. Else searches
    /// are exact, and slower.
    pub of_rows: bool,
}

impl Segment {
    /// Reads the whole file and compares every checksum.
    pub fn damaged(&self) -> Vec<Fault> {
        let damaged = self.file.as_ref().map(|file| file.damaged()).unwrap_or_default();
        let fault = |Damage { section, bytes }: Damage| {
            let name = section.map_or("a gap", format::name);
            let what = format!("{name}: bytes {}..{} do not have their checksum", bytes.start, bytes.end);
            Fault { what, of_rows: section.is_none_or(|id| !format::is_structure(id)) }
        };
        damaged.into_iter().map(fault).collect()
    }

    /// Looks at every row, slot, place and link; meant for segments without damage.
    pub fn inspect(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut rows = |what: String| faults.push(Fault { what, of_rows: true });
        if !self.slots.is_sorted_by(|a, b| a < b) {
            rows("SLOTS: not in ascending order".to_owned());
        }
        let mut seen = vec![false; self.len];
        let places = self
            .order
            .iter()
            .filter(|&&row| seen.get_mut(row as usize).is_some_and(|seen| !std::mem::replace(seen, true)));
        if !self.order.is_empty() && places.count() != self.len {
            rows("ORDER: rows are missing or stand twice".to_owned());
        }
        let bad = |place: &u32| self.rows.get(self.dim, *place).is_some_and(|row| !is_sound(&row, self.metric));
        if let Some(place) = (0..self.len as u32).find(bad) {
            rows(format!("ROWS: the vector of place {place} is not finite, or not of length 1"));
        }
        let graph = match &self.structure {
            Some(Structure::Coded { graph, .. } | Structure::Full { graph, .. }) => inspect_graph(graph),
            Some(Structure::Partitioned { partitions, .. }) => partitions.inspect(),
            None => None,
        };
        let damage = self.damage().map(str::to_owned);
        faults.extend(graph.or(damage).map(|what| Fault { what, of_rows: false }));
        faults
    }
}

/// Whether a row is what the door lets in.
pub(crate) fn is_sound(row: &[f32], metric: Metric) -> bool {
    let squared: f32 = row.iter().map(|x| x * x).sum();
    row.iter().all(|x| x.is_finite()) && (metric != Metric::Cosine || (squared - 1.0).abs() < UNIT)
}

/// The first link that leads nowhere.
fn inspect_graph(graph: &Graph) -> Option<String> {
    let mut below: Option<&Layer> = None;
    for (level, layer) in graph.layers.iter().enumerate() {
        let nodes = below.map_or(layer.len, |_| layer.rows.len());
        let links = layer.links.iter().any(|&to| to as usize >= layer.len && to != u32::MAX);
        let down = below.is_some_and(|below| layer.down.iter().any(|&to| to as usize >= below.len));
        if links || down || nodes != layer.len {
            return Some(format!("LINKS: layer {level} has a link that leads nowhere"));
        }
        below = Some(layer);
    }
    None
}
