//! Building a graph, layer by layer from the top, in batches.
//!
//! Which rows reach which layer, and the order of insertion, follow from the seed alone. Within a
//! layer the rows that also live in the layer above come first; every batch searches the layer as
//! it stood before the batch, then its links are added, then the links back. No step depends on the
//! number of threads.

use rayon::prelude::*;

use super::HnswParams;
use super::among::search_among;
use super::connect;
use super::links::{Graph, Layer, LayerView, NONE};
use super::search::{Scratch, descend, nearest, search_layer};
use crate::index::places::Places;
use crate::index::pool::Pool;
use crate::index::space::Space;
use crate::index::top::Candidate;
use crate::store::Column;

/// A batch is at most this part of its layer, so that few rows miss each other.
const BATCH_FRACTION: usize = 32;
/// Batches up to this size are taken as soon as as many rows are in.
const SMALL_BATCH: usize = 256;
/// Rows that one task of a batch takes.
const TASK: usize = 16;

/// Asks the graph, once all rows but the last are in.
pub(in crate::index) type Ask<'a> = &'a mut dyn FnMut(&dyn Unfinished);

/// A graph that rows were kept out of.
pub(in crate::index) trait Unfinished: Sync {
    /// What a walk from one of these rows finds with some effort.
    fn walk(&self, row: u32, ef: usize) -> Vec<Candidate>;

    /// What a walk among some places finds; the rows compared, and those that were passed through.
    fn walk_among(&self, row: u32, ef: usize, among: &Places) -> (Vec<Candidate>, [usize; 2]);
}

impl Graph {
    /// Builds the graph over the rows of a space; there is at least one. The last rows to be added,
    /// those of [`Graph::last`], wait until `ask` has asked its questions.
    pub fn build<S: Space>(space: S, params: &HnswParams, last: usize, ask: Ask<'_>) -> Graph {
        let n = space.len();
        let levels = levels(n, params);
        let top = levels.iter().copied().max().unwrap_or(0);
        let scratch = Pool::default();
        let mut layers: Vec<Layer> = Vec::new();
        // From the top down; `layers` is kept highest last, as the finished graph has it.
        for level in (0..=top).rev() {
            let nodes: Vec<u32> = (0..n as u32).filter(|&r| levels[r as usize] >= level).collect();
            let builder = LayerBuilder {
                space,
                nodes: &nodes,
                width: if level == 0 { params.m0() } else { params.m },
                m: params.m,
                ef: params.ef_construction,
                upper: &layers,
                scratch: &scratch,
            };
            let order = insertion_order(&nodes, &levels, level, params.seed);
            let mut growing = builder.start();
            let (first, rest) = order.split_at(order.len() - if level == 0 { last } else { 0 });
            builder.extend(first[0], &first[1..], 1, &mut growing);
            if !rest.is_empty() {
                ask(&Kept { builder: &builder, growing: &growing, first: first[0] });
                builder.extend(first[0], rest, first.len(), &mut growing);
            }
            let mut links = growing.links;
            if level == 0 {
                connect::reach_all(&builder, &mut links);
            }
            let width = builder.width;
            if let Some(above) = layers.first_mut() {
                let down = above.rows.iter().map(|r| position_of(&nodes, *r)).collect();
                above.down = Column::owned(down);
            }
            let len = nodes.len();
            let rows = if level == 0 { Vec::new() } else { nodes };
            let (rows, down, links) = (Column::owned(rows), Column::owned(Vec::new()), Column::owned(links));
            layers.insert(0, Layer { rows, down, links, width, len });
        }
        Graph { layers }
    }

    /// The `count` rows that are added last of `n`; all are in layer 0 alone if `count` is a small
    /// part of `n`.
    pub fn last(n: usize, params: &HnswParams, count: usize) -> Vec<u32> {
        let nodes: Vec<u32> = (0..n as u32).collect();
        let mut order = insertion_order(&nodes, &levels(n, params), 0, params.seed);
        order.split_off(n - count)
    }
}

/// Positions in the order of insertion: those of the layer above first, each part shuffled.
fn insertion_order(nodes: &[u32], levels: &[u8], level: u8, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..nodes.len() as u32).collect();
    order.sort_by_cached_key(|&p| {
        let row = nodes[p as usize];
        (levels[row as usize] == level, mix(seed.wrapping_add(1) ^ mix(u64::from(row))))
    });
    order
}

/// The links of a layer under construction, with the rank of each.
struct Growing {
    links: Vec<u32>,
    ranks: Vec<f32>,
}

impl Growing {
    fn set(&mut self, width: usize, position: u32, neighbors: &[Candidate]) {
        let row = position as usize * width..(position as usize + 1) * width;
        let links = &mut self.links[row.clone()];
        links.fill(NONE);
        for ((link, rank), c) in links.iter_mut().zip(&mut self.ranks[row]).zip(neighbors) {
            (*link, *rank) = (c.id, c.rank);
        }
    }
}

/// The highest layer of each row: geometric with ratio 1/m, from the seed and the row number.
fn levels(n: usize, params: &HnswParams) -> Vec<u8> {
    let scale = 1.0 / (params.m as f64).ln();
    let level = |row: usize| {
        let uniform = (mix(params.seed ^ mix(row as u64)) >> 11) as f64 / (1u64 << 53) as f64;
        (-(1.0 - uniform).ln() * scale).min(31.0) as u8
    };
    (0..n).map(level).collect()
}

/// SplitMix64's finaliser (Steele, Lea and Flood, OOPSLA 2014).
pub(in crate::index) fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// The position of a row among the sorted rows of a layer that has it.
fn position_of(nodes: &[u32], row: u32) -> u32 {
    nodes.partition_point(|&r| r < row) as u32
}

/// One layer under construction.
pub(super) struct LayerBuilder<'a, S: Space> {
    space: S,
    /// Row numbers of the layer's nodes, ascending: a node's position is its place here.
    pub nodes: &'a [u32],
    pub width: usize,
    m: usize,
    pub ef: usize,
    /// The finished layers above, the highest last.
    upper: &'a [Layer],
    scratch: &'a Pool<Scratch<S::Query>>,
}

impl<S: Space> LayerBuilder<'_, S> {
    fn start(&self) -> Growing {
        let places = self.nodes.len() * self.width;
        Growing { links: vec![NONE; places], ranks: vec![0.0; places] }
    }

    /// Adds nodes to `inserted` others, in batches.
    fn extend(&self, first: u32, mut nodes: &[u32], mut inserted: usize, growing: &mut Growing) {
        let largest = (self.nodes.len() / BATCH_FRACTION).max(SMALL_BATCH);
        while !nodes.is_empty() {
            let (batch, rest) = nodes.split_at(inserted.min(largest).min(nodes.len()));
            self.insert(first, batch, growing);
            inserted += batch.len();
            nodes = rest;
        }
    }

    /// Adds a batch; `first` is the node that was added first of all.
    fn insert(&self, first: u32, batch: &[u32], growing: &mut Growing) {
        let view = self.view(&growing.links);
        let tasks = batch.par_chunks(TASK).map(|positions| {
            let mut scratch = self.scratch();
            let mut found = Vec::new();
            let chosen: Vec<Vec<Candidate>> = positions
                .iter()
                .map(|&p| {
                    self.candidates(view, first, p, self.ef, &mut scratch, &mut found);
                    self.select(&found, self.m)
                })
                .collect();
            self.scratch.give(scratch);
            chosen
        });
        let chosen: Vec<Vec<Candidate>> = tasks.flatten_iter().collect();
        // (who is pointed at, who points, at which rank)
        let mut back: Vec<(u32, Candidate)> = Vec::with_capacity(batch.len() * self.m);
        for (&p, neighbors) in batch.iter().zip(&chosen) {
            growing.set(self.width, p, neighbors);
            back.extend(neighbors.iter().map(|c| (c.id, Candidate { rank: c.rank, id: p })));
        }
        back.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.order(&b.1)));
        let groups: Vec<&[(u32, Candidate)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
        let so_far = &*growing;
        let rows: Vec<Vec<Candidate>> = groups.par_iter().map(|group| self.link_back(so_far, group)).collect();
        for (group, row) in groups.iter().zip(&rows) {
            growing.set(self.width, group[0].0, row);
        }
    }

    /// The nodes near a node, nearest first, by walking the layer as it is.
    pub fn candidates(
        &self,
        view: LayerView<'_>,
        first: u32,
        position: u32,
        ef: usize,
        scratch: &mut Scratch<S::Query>,
        found: &mut Vec<Candidate>,
    ) {
        let entry = self.entry(view, first, position, scratch);
        let walked = search_layer(view, self.space, &[entry], ef, scratch);
        debug_assert!(walked.is_ok());
        scratch.found(found);
    }

    /// Takes a node as the query, and gives the node of the layer that the walk to it starts from.
    fn entry(&self, view: LayerView<'_>, first: u32, position: u32, scratch: &mut Scratch<S::Query>) -> u32 {
        self.space.row_as_query(self.nodes[position as usize], &mut scratch.query);
        // The upper layers were built here, so their links are sound and no walk fails.
        match self.upper.first() {
            Some(above) => {
                let nearest = descend_to_row(self.upper, above, self.space, scratch);
                let entry = position_of(self.nodes, nearest);
                // While the rows of the layer above are still coming in, that row may not be here.
                if view.neighbors(entry).is_empty() { first } else { entry }
            }
            None => first,
        }
    }

    /// The neighbour selection heuristic (algorithm 4 of the paper): a candidate is taken unless
    /// one already taken is at least as near to it as the node itself. Equal rows are thus taken once.
    fn select(&self, sorted: &[Candidate], limit: usize) -> Vec<Candidate> {
        let mut taken: Vec<Candidate> = Vec::with_capacity(limit);
        let mut rows: Vec<u32> = Vec::with_capacity(limit);
        for c in sorted {
            if taken.len() == limit {
                break;
            }
            let row = self.nodes[c.id as usize];
            if !self.space.any_within(row, &rows, c.rank) {
                taken.push(*c);
                rows.push(row);
            }
        }
        taken
    }

    /// A node's links with those added that point at it, chosen anew when they are too many.
    fn link_back(&self, growing: &Growing, group: &[(u32, Candidate)]) -> Vec<Candidate> {
        let row = group[0].0 as usize * self.width..(group[0].0 as usize + 1) * self.width;
        let links = growing.links[row.clone()].iter().take_while(|&&link| link != NONE);
        let present = links.zip(&growing.ranks[row]).map(|(&id, &rank)| Candidate { rank, id });
        let mut all: Vec<Candidate> = present.chain(group.iter().map(|g| g.1)).collect();
        if all.len() <= self.width {
            return all;
        }
        all.sort_unstable_by(Candidate::order);
        self.select(&all, self.width)
    }

    pub fn view<'a>(&'a self, links: &'a [u32]) -> LayerView<'a> {
        // Only the identity of layer 0 may leave `rows` empty.
        let rows = if self.nodes.len() == self.space.len() { &[] } else { self.nodes };
        LayerView { rows, down: &[], links, width: self.width, len: self.nodes.len() }
    }

    /// A node's row of links, to write.
    pub fn row_of<'a>(&self, links: &'a mut [u32], position: u32) -> &'a mut [u32] {
        let from = position as usize * self.width;
        &mut links[from..from + self.width]
    }

    pub fn scratch(&self) -> Scratch<S::Query> {
        let mut scratch = self.scratch.take();
        scratch.fit(self.space.len());
        scratch
    }
}

/// Layer 0 under construction, before the rows that were kept out are added.
struct Kept<'a, S: Space> {
    builder: &'a LayerBuilder<'a, S>,
    growing: &'a Growing,
    /// The node that was added first of all.
    first: u32,
}

impl<S: Space> Unfinished for Kept<'_, S> {
    fn walk(&self, row: u32, ef: usize) -> Vec<Candidate> {
        let (mut scratch, mut found) = (self.builder.scratch(), Vec::new());
        let view = self.builder.view(&self.growing.links);
        self.builder.candidates(view, self.first, row, ef, &mut scratch, &mut found);
        self.builder.scratch.give(scratch);
        found
    }

    fn walk_among(&self, row: u32, ef: usize, among: &Places) -> (Vec<Candidate>, [usize; 2]) {
        let (mut scratch, mut found) = (self.builder.scratch(), Vec::new());
        let view = self.builder.view(&self.growing.links);
        let entry = self.builder.entry(view, self.first, row, &mut scratch);
        let walked = search_among(view, self.builder.space, entry, (ef, usize::MAX), among, &mut scratch);
        debug_assert!(walked.is_ok());
        scratch.found(&mut found);
        let work = [scratch.evaluated, scratch.passed];
        self.builder.scratch.give(scratch);
        (found, work)
    }
}

/// Through the finished layers to the row where the walk arrives in the lowest of them.
fn descend_to_row<S: Space>(upper: &[Layer], lowest: &Layer, space: S, scratch: &mut Scratch<S::Query>) -> u32 {
    let entry = descend(&upper[1..], space, scratch).unwrap_or(0);
    let walked = search_layer(lowest.view(), space, &[entry], 1, scratch);
    debug_assert!(walked.is_ok());
    lowest.view().row(nearest(scratch)).unwrap_or(0)
}
