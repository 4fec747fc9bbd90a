//! The walk among some rows: those that a filter lets pass.
//!
//! Only these are compared and kept, so the walk heads for the nearest of them and not for the
//! nearest of all. Where few of a node's neighbours are among them, the walk looks past the others to
//! their neighbours, in the manner of ACORN-1 (Patel et al., "ACORN: Performant and
//! Predicate-Agnostic Search Over Vector Embeddings and Structured Data", SIGMOD 2024,
//! arXiv:2403.04871): the graph of the rows that pass is walked without having been built. It is
//! entered near the query and from some rows spread over all that pass, since those may lie elsewhere.

use super::links::{Graph, LayerView};
use super::search::{BadLink, Scratch, descend, rank_fresh};
use crate::index::places::Places;
use crate::index::space::Space;
use crate::index::spread::watched;
use crate::metric::prefetch;

/// Neighbours of neighbours are looked at when fewer than this part of a node's links lead to new rows
/// that pass, and until as many as the node has links are found.
const FEW_PART: usize = 4;

/// Walks a graph for `scratch.query` among some places; the `ef` nearest of them are then in `scratch`.
/// `false` when the walk gave up, having compared more than `most` rows.
pub(in crate::index) fn walk_among<S: Space>(
    graph: &Graph,
    space: S,
    (ef, most): (usize, usize),
    among: &Places,
    scratch: &mut Scratch<S::Query>,
) -> Result<bool, BadLink> {
    let Some(base) = graph.layers.first() else { return Ok(true) };
    let entry = descend(&graph.layers[1..], space, scratch)?;
    search_among(base.view(), space, entry, (ef, most), among, scratch)
}

/// Goes on with a walk among the same places to a larger `ef`; see [`super::walk_on`].
pub(in crate::index) fn walk_on_among<S: Space>(
    graph: &Graph,
    space: S,
    (ef, most): (usize, usize),
    among: &Places,
    scratch: &mut Scratch<S::Query>,
) -> Result<bool, BadLink> {
    let Some(base) = graph.layers.first() else { return Ok(true) };
    scratch.beam.grow(ef);
    expand(base.view(), space, most, among, scratch)
}

/// The walk in layer 0 from a node of it.
pub(super) fn search_among<S: Space>(
    base: LayerView<'_>,
    space: S,
    entry: u32,
    (ef, most): (usize, usize),
    among: &Places,
    scratch: &mut Scratch<S::Query>,
) -> Result<bool, BadLink> {
    scratch.start(ef);
    scratch.beam.watch(watched(ef));
    if entry as usize >= base.len {
        return Err(base.bad(entry));
    }
    gather(base, entry, among, scratch)?;
    let Scratch { visited, fresh, .. } = scratch;
    let start = std::iter::once(entry).filter(|&entry| among.contains(entry));
    for place in start.chain(among.spread().iter().copied()) {
        if place as usize >= base.len {
            return Err(base.bad(place));
        }
        if visited.insert(place) {
            fresh.push(place);
        }
    }
    rank_fresh(base, space, scratch)?;
    expand(base, space, most, among, scratch)
}

fn expand<S: Space>(
    base: LayerView<'_>,
    space: S,
    most: usize,
    among: &Places,
    scratch: &mut Scratch<S::Query>,
) -> Result<bool, BadLink> {
    while let Some(next) = scratch.beam.pop() {
        if let Some(after) = scratch.beam.peek() {
            prefetch(base.links_of(after));
        }
        gather(base, next, among, scratch)?;
        rank_fresh(base, space, scratch)?;
        if scratch.evaluated > most {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Puts the rows that pass and are near a node in the graph into `scratch.fresh`, those not seen yet.
#[inline]
fn gather<Q>(base: LayerView<'_>, node: u32, among: &Places, scratch: &mut Scratch<Q>) -> Result<(), BadLink> {
    let Scratch { visited, fresh, others, passed, .. } = scratch;
    fresh.clear();
    others.clear();
    for &near in base.neighbors(node) {
        if near as usize >= base.len {
            return Err(base.bad(near));
        }
        if visited.contains(near) {
            continue;
        }
        if among.contains(near) {
            visited.insert(near);
            fresh.push(near);
        } else {
            others.push(near);
        }
    }
    if fresh.len() >= base.width / FEW_PART {
        return Ok(());
    }
    others.iter().for_each(|&other| prefetch(base.links_of(other)));
    for &other in others.iter() {
        visited.insert(other);
        *passed += 1;
        for &far in base.neighbors(other) {
            if far as usize >= base.len {
                return Err(base.bad(far));
            }
            if among.contains(far) && visited.insert(far) {
                fresh.push(far);
            }
        }
        if fresh.len() >= base.width {
            break;
        }
    }
    Ok(())
}
