//! The walk: greedy through the upper layers, then a beam through layer 0, comparing rows of a [`Space`].

use super::beam::Beam;
use super::links::{Graph, Layer, LayerView};
use crate::index::space::Space;
use crate::index::spread::watched;
use crate::index::top::Candidate;
use crate::metric::prefetch;

/// A link that points at no node: the file it came from is damaged.
#[derive(Debug, thiserror::Error)]
#[error("a link points at node {to} of a layer with {len}")]
pub(in crate::index) struct BadLink {
    pub to: u32,
    pub len: usize,
}

/// What a walk needs beside the graph, kept between walks.
#[derive(Debug, Default)]
pub(in crate::index) struct Scratch<Q> {
    /// The query of the next walk.
    pub query: Q,
    /// Rows compared since it was last set to 0.
    pub evaluated: usize,
    /// Rows that were not looked for whose links were followed, likewise.
    pub passed: usize,
    pub(super) visited: Visited,
    pub(super) beam: Beam,
    pub(super) fresh: Vec<u32>,
    /// Neighbours that are not looked for, on a walk among some rows.
    pub(super) others: Vec<u32>,
    rows: Vec<u32>,
}

impl<Q> Scratch<Q> {
    /// Makes room for a graph of `n` rows.
    pub fn fit(&mut self, n: usize) {
        self.visited.words.resize(n.div_ceil(64), 0);
        (self.evaluated, self.passed) = (0, 0);
    }

    /// What the last walk found, nearest first, with the estimated ranks.
    pub fn found(&self, out: &mut Vec<Candidate>) {
        out.clear();
        out.extend(self.beam.iter());
    }

    pub(super) fn start(&mut self, ef: usize) {
        self.visited.clear();
        self.beam.reset(ef);
    }

    /// From the next walk on, whether [`walk_on`] will be wanted.
    pub fn may_go_on(&mut self, may: bool) {
        self.beam.may_grow(may);
    }

    /// The part of the last walk, from its end, in which nothing changed among the nearest nodes.
    pub fn calm(&self) -> f32 {
        self.beam.calm()
    }
}

/// Which nodes a walk has seen: one bit a node, so that the set of a large graph stays in the
/// cache. A small set is cleared as a whole, of a large one the words that were touched.
#[derive(Debug, Default)]
pub(super) struct Visited {
    words: Vec<u64>,
    touched: Vec<u32>,
}

impl Visited {
    /// Words up to which clearing all is cheaper than remembering which.
    const SMALL: usize = 8192;

    fn clear(&mut self) {
        if self.words.len() <= Self::SMALL {
            self.words.fill(0);
        }
        for word in self.touched.drain(..) {
            self.words[word as usize] = 0;
        }
    }

    /// Whether a node, which must be one, is marked.
    #[inline]
    pub fn contains(&self, node: u32) -> bool {
        self.words[node as usize / 64] >> (node % 64) & 1 == 1
    }

    /// Marks a node, which must be one; whether it was new.
    #[inline]
    pub fn insert(&mut self, node: u32) -> bool {
        let large = self.words.len() > Self::SMALL;
        let word = &mut self.words[node as usize / 64];
        let bit = 1u64 << (node % 64);
        let new = *word & bit == 0;
        if large && *word == 0 {
            self.touched.push(node / 64);
        }
        *word |= bit;
        new
    }
}

/// Walks a whole graph for `scratch.query`; the `ef` nearest nodes are then in `scratch` as places.
pub(in crate::index) fn walk<S: Space>(
    graph: &Graph,
    space: S,
    ef: usize,
    scratch: &mut Scratch<S::Query>,
) -> Result<(), BadLink> {
    let Some(base) = graph.layers.first() else { return Ok(()) };
    let entry = descend(&graph.layers[1..], space, scratch)?;
    scratch.start(ef);
    scratch.beam.watch(watched(ef));
    let base = base.view();
    // Every node can be reached from node 0, though perhaps not from the entry of this query.
    compare(base, space, &[entry, 0], scratch)?;
    expand(base, space, scratch)
}

/// Goes on with a walk of the same query to a larger `ef`, as if it had been that from the start, but
/// for the order in which nodes are expanded. Before the walk, [`Scratch::may_go_on`] must have been told.
pub(in crate::index) fn walk_on<S: Space>(
    graph: &Graph,
    space: S,
    ef: usize,
    scratch: &mut Scratch<S::Query>,
) -> Result<(), BadLink> {
    let Some(base) = graph.layers.first() else { return Ok(()) };
    scratch.beam.grow(ef);
    expand(base.view(), space, scratch)
}

/// Greedily through the layers above 0, the highest last in the slice; the position in the layer
/// below them where the walk arrives.
pub(super) fn descend<S: Space>(layers: &[Layer], space: S, scratch: &mut Scratch<S::Query>) -> Result<u32, BadLink> {
    let mut entry = 0;
    for layer in layers.iter().rev() {
        let view = layer.view();
        search_layer(view, space, &[entry], 1, scratch)?;
        let nearest = scratch.beam.first().unwrap_or(0);
        let down = view.down.get(nearest as usize).copied();
        entry = down.ok_or(view.bad(nearest))?;
    }
    Ok(entry)
}

/// The nearest position of the last walk.
pub(super) fn nearest<Q>(scratch: &Scratch<Q>) -> u32 {
    scratch.beam.first().unwrap_or(0)
}

/// A beam search in one layer from some nodes. The beam holds positions in that layer.
pub(super) fn search_layer<S: Space>(
    layer: LayerView<'_>,
    space: S,
    entries: &[u32],
    ef: usize,
    scratch: &mut Scratch<S::Query>,
) -> Result<(), BadLink> {
    scratch.start(ef);
    compare(layer, space, entries, scratch)?;
    expand(layer, space, scratch)
}

/// Expands the nearest nodes of the beam until all are.
fn expand<S: Space>(layer: LayerView<'_>, space: S, scratch: &mut Scratch<S::Query>) -> Result<(), BadLink> {
    while let Some(next) = scratch.beam.pop() {
        if let Some(after) = scratch.beam.peek() {
            prefetch(layer.links_of(after));
        }
        compare(layer, space, layer.neighbors(next), scratch)?;
    }
    Ok(())
}

/// Compares the nodes not seen yet with the query, and offers them to the beam.
#[inline]
fn compare<S: Space>(
    layer: LayerView<'_>,
    space: S,
    nodes: &[u32],
    scratch: &mut Scratch<S::Query>,
) -> Result<(), BadLink> {
    let Scratch { visited, fresh, .. } = scratch;
    // Every node is written and the place moves on only if it was new: no branch to guess.
    fresh.resize(nodes.len(), 0);
    let mut count = 0;
    for &p in nodes {
        if p as usize >= layer.len {
            return Err(layer.bad(p));
        }
        fresh[count] = p;
        count += usize::from(visited.insert(p));
    }
    fresh.truncate(count);
    rank_fresh(layer, space, scratch)
}

/// Compares the nodes in `scratch.fresh` with the query, and offers them to the beam.
#[inline]
pub(super) fn rank_fresh<S: Space>(
    layer: LayerView<'_>,
    space: S,
    scratch: &mut Scratch<S::Query>,
) -> Result<(), BadLink> {
    let Scratch { query, evaluated, beam, fresh, rows, .. } = scratch;
    *evaluated += fresh.len();
    // In layer 0 a position is a row.
    let ids = if layer.rows.is_empty() {
        &fresh[..]
    } else {
        rows.clear();
        rows.extend(fresh.iter().map(|&p| layer.rows[p as usize]));
        match rows.iter().find(|&&row| row as usize >= space.len()) {
            Some(&row) => return Err(layer.bad(row)),
            None => &rows[..],
        }
    };
    space.ranks(query, ids, |place, rank| beam.push(rank, fresh[place]));
    Ok(())
}
