//! The walk: greedy through the upper layers, then a beam through layer 0.

use std::sync::Mutex;

use super::links::{Graph, LayerView};
use crate::index::top::{Candidate, Top};
use crate::metric::{Kernels, Metric};
use crate::vectors::VectorsView;

/// A link that points at no node: the file it came from is damaged.
#[derive(Debug, thiserror::Error)]
#[error("a link points at node {to} of a layer with {len}")]
pub(in crate::index) struct BadLink {
    to: u32,
    len: usize,
}

/// What a walk needs beside the graph, kept between walks.
#[derive(Debug, Default)]
pub(in crate::index) struct Scratch {
    visited: Visited,
    pub(super) beam: Beam,
    kept: Top,
    positions: Vec<u32>,
    rows: Vec<u32>,
    ranks: Vec<f32>,
}

impl Scratch {
    /// What the last [`walk`] found, nearest first.
    pub fn found(&self, filtered: bool) -> &[Candidate] {
        if filtered { self.kept.as_slice() } else { self.beam.top.as_slice() }
    }
}

/// Scratch space for as many walks as run at once.
#[derive(Debug, Default)]
pub(in crate::index) struct ScratchPool(Mutex<Vec<Scratch>>);

impl ScratchPool {
    /// A scratch for a graph of `n` rows.
    pub fn take(&self, n: usize) -> Scratch {
        let mut scratch = self.0.lock().map(|mut pool| pool.pop()).ok().flatten().unwrap_or_default();
        scratch.visited.stamps.resize(n, 0);
        scratch
    }

    /// Keeps a scratch for the next walk.
    pub fn give(&self, scratch: Scratch) {
        if let Ok(mut pool) = self.0.lock() {
            pool.push(scratch);
        }
    }
}

/// Which nodes a walk has seen, forgotten in constant time: a node is seen when its stamp is the
/// walk's generation.
#[derive(Debug, Default)]
struct Visited {
    stamps: Vec<u32>,
    generation: u32,
}

impl Visited {
    fn clear(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.generation == 0 {
            self.stamps.fill(0);
            self.generation = 1;
        }
    }

    /// Marks a node; whether it was new. `None` when there is no such node.
    fn insert(&mut self, node: u32) -> Option<bool> {
        let stamp = self.stamps.get_mut(node as usize)?;
        let new = *stamp != self.generation;
        *stamp = self.generation;
        Some(new)
    }
}

/// The best `ef` nodes seen, sorted, and which of them were expanded.
#[derive(Debug, Default)]
pub(super) struct Beam {
    pub top: Top,
    /// Expanded or not, side by side with `top`.
    done: Vec<bool>,
    /// No node before this one is left to expand.
    next: usize,
}

impl Beam {
    fn reset(&mut self, ef: usize) {
        self.top.reset(ef);
        self.done.clear();
        self.next = 0;
    }

    fn push(&mut self, new: Candidate) {
        if let Some(at) = self.top.push(new) {
            self.done.insert(at, false);
            self.done.truncate(self.top.as_slice().len());
            self.next = self.next.min(at);
        }
    }

    /// The nearest node that was not expanded yet.
    fn pop(&mut self) -> Option<Candidate> {
        while *self.done.get(self.next)? {
            self.next += 1;
        }
        self.done[self.next] = true;
        Some(self.top.as_slice()[self.next])
    }
}

/// What every walk over one index compares with.
#[derive(Clone, Copy)]
pub(super) struct Space<'a> {
    pub rows: VectorsView<'a>,
    pub metric: Metric,
    pub kernels: Kernels,
}

impl Space<'_> {
    /// The rank of a query against one row.
    pub fn rank(&self, query: &[f32], row: u32) -> f32 {
        self.kernels.rank(self.metric, query, self.rows.row(row as usize))
    }
}

/// Walks a whole graph; the `ef` nearest nodes are then in `scratch` as row numbers, and with
/// `keep` the `ef` nearest kept ones.
#[allow(clippy::too_many_arguments)]
pub(in crate::index) fn walk(
    graph: &Graph,
    rows: VectorsView<'_>,
    metric: Metric,
    kernels: Kernels,
    query: &[f32],
    ef: usize,
    keep: Option<&(dyn Fn(u32) -> bool + Sync)>,
    scratch: &mut Scratch,
) -> Result<(), BadLink> {
    let space = Space { rows, metric, kernels };
    let Some(base) = graph.layers.first() else { return Ok(()) };
    let entry = descend(&graph.layers[1..], space, query, scratch)?;
    scratch.kept.reset(if keep.is_some() { ef } else { 0 });
    // Every node can be reached from node 0, though perhaps not from the entry of this query.
    search_layer(base.view(), space, query, &[entry, 0], ef, keep, scratch)
}

/// Greedily through the layers above 0, the highest last in the slice; the position in the layer
/// below them where the walk arrives.
pub(super) fn descend(
    layers: &[super::Layer],
    space: Space<'_>,
    query: &[f32],
    scratch: &mut Scratch,
) -> Result<u32, BadLink> {
    let mut entry = 0;
    for layer in layers.iter().rev() {
        let view = layer.view();
        search_layer(view, space, query, &[entry], 1, None, scratch)?;
        let nearest = scratch.beam.top.as_slice().first().map_or(0, |c| c.id);
        let down = view.down.get(nearest as usize).copied();
        entry = down.ok_or(BadLink { to: nearest, len: view.len })?;
    }
    Ok(entry)
}

/// A beam search in one layer from some nodes. The beam holds positions in that layer.
pub(super) fn search_layer<'a>(
    layer: LayerView<'a>,
    space: Space<'_>,
    query: &[f32],
    entries: &'a [u32],
    ef: usize,
    keep: Option<&(dyn Fn(u32) -> bool + Sync)>,
    scratch: &mut Scratch,
) -> Result<(), BadLink> {
    let Scratch { visited, beam, kept, positions, rows, ranks } = scratch;
    let bad = |to| BadLink { to, len: layer.len };
    visited.clear();
    beam.reset(ef);
    let mut links = entries;
    loop {
        positions.clear();
        for &p in links {
            if visited.insert(p).ok_or(bad(p))? {
                positions.push(p);
            }
        }
        rows.clear();
        for &p in positions.iter() {
            let row = layer.row(p).filter(|&r| (r as usize) < space.rows.len());
            rows.push(row.ok_or(bad(p))?);
        }
        space.kernels.ranks(space.metric, query, space.rows, rows, ranks);
        for ((&id, &row), &rank) in positions.iter().zip(rows.iter()).zip(ranks.iter()) {
            let candidate = Candidate { rank, id };
            if keep.is_some_and(|keep| keep(row)) {
                kept.push(candidate);
            }
            beam.push(candidate);
        }
        let Some(nearest) = beam.pop() else { return Ok(()) };
        links = layer.neighbors(nearest.id);
    }
}
