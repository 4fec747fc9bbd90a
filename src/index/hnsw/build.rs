//! Building a graph, layer by layer from the top, in batches.
//!
//! Which rows reach which layer, and the order of insertion, follow from the seed alone. Within a
//! layer the rows that also live in the layer above come first; every batch searches the layer as
//! it stood before the batch, then its links are added, then the links back. No step depends on the
//! number of threads.

use rayon::prelude::*;

use super::HnswParams;
use super::connect;
use super::links::{Graph, Layer, LayerView, NONE};
use super::search::{Scratch, ScratchPool, Space, descend, search_layer};
use crate::index::top::Candidate;
use crate::metric::{Kernels, Metric};
use crate::store::Column;
use crate::vectors::VectorsView;

/// A batch is at most this part of its layer, so that few rows miss each other.
const BATCH_FRACTION: usize = 32;
/// Batches up to this size are taken as soon as as many rows are in.
const SMALL_BATCH: usize = 256;
/// Rows that one task of a batch takes.
const TASK: usize = 16;

impl Graph {
    /// Builds the graph over prepared rows; there is at least one.
    pub fn build(rows: VectorsView<'_>, metric: Metric, kernels: Kernels, params: &HnswParams) -> Graph {
        let space = Space { rows, metric, kernels };
        let levels = levels(rows.len(), params);
        let top = levels.iter().copied().max().unwrap_or(0);
        let scratch = ScratchPool::default();
        let mut layers: Vec<Layer> = Vec::new();
        // From the top down; `layers` is kept highest last, as the finished graph has it.
        for level in (0..=top).rev() {
            let nodes: Vec<u32> = (0..rows.len() as u32).filter(|&r| levels[r as usize] >= level).collect();
            let builder = LayerBuilder {
                space,
                nodes: &nodes,
                width: if level == 0 { params.m0() } else { params.m },
                m: params.m,
                ef: params.ef_construction,
                upper: &layers,
                scratch: &scratch,
            };
            let mut links = builder.build(&levels, level, params.seed);
            if level == 0 {
                connect::reach_all(&builder, &mut links);
            }
            let width = builder.width;
            if let Some(above) = layers.first_mut() {
                let down = above.rows.iter().map(|r| position_of(&nodes, *r)).collect();
                above.down = Column::Owned(down);
            }
            let len = nodes.len();
            let rows = if level == 0 { Vec::new() } else { nodes };
            let (rows, down, links) = (Column::Owned(rows), Column::Owned(Vec::new()), Column::Owned(links));
            layers.insert(0, Layer { rows, down, links, width, len });
        }
        Graph { layers }
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
fn mix(x: u64) -> u64 {
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
pub(super) struct LayerBuilder<'a> {
    pub space: Space<'a>,
    /// Row numbers of the layer's nodes, ascending: a node's position is its place here.
    pub nodes: &'a [u32],
    pub width: usize,
    m: usize,
    ef: usize,
    /// The finished layers above, the highest last.
    upper: &'a [Layer],
    scratch: &'a ScratchPool,
}

impl LayerBuilder<'_> {
    fn build(&self, levels: &[u8], level: u8, seed: u64) -> Vec<u32> {
        let mut links = vec![NONE; self.nodes.len() * self.width];
        let order = self.order(levels, level, seed);
        let largest = (self.nodes.len() / BATCH_FRACTION).max(SMALL_BATCH);
        let mut inserted = 1;
        while inserted < order.len() {
            let size = inserted.min(largest).min(order.len() - inserted);
            self.insert(&order[..inserted], &order[inserted..inserted + size], &mut links);
            inserted += size;
        }
        links
    }

    /// Positions in the order of insertion: those of the layer above first, each part shuffled.
    fn order(&self, levels: &[u8], level: u8, seed: u64) -> Vec<u32> {
        let mut order: Vec<u32> = (0..self.nodes.len() as u32).collect();
        order.sort_by_cached_key(|&p| {
            let row = self.nodes[p as usize];
            (levels[row as usize] == level, mix(seed.wrapping_add(1) ^ mix(u64::from(row))))
        });
        order
    }

    fn insert(&self, inserted: &[u32], batch: &[u32], links: &mut [u32]) {
        let view = self.view(links);
        let tasks = batch.par_chunks(TASK).map(|positions| {
            let mut scratch = self.scratch.take(self.space.rows.len());
            let chosen: Vec<Vec<Candidate>> = positions
                .iter()
                .map(|&p| {
                    self.candidates(view, inserted[0], p, &mut scratch);
                    self.select(scratch.found(false), self.m)
                })
                .collect();
            self.scratch.give(scratch);
            chosen
        });
        let chosen: Vec<Vec<Candidate>> = tasks.flatten_iter().collect();
        // (who is pointed at, who points, at which rank)
        let mut back: Vec<(u32, Candidate)> = Vec::with_capacity(batch.len() * self.m);
        for (&p, neighbors) in batch.iter().zip(&chosen) {
            write_row(self.row_of(links, p), neighbors);
            back.extend(neighbors.iter().map(|c| (c.id, Candidate { rank: c.rank, id: p })));
        }
        back.par_sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.order(&b.1)));
        let groups: Vec<&[(u32, Candidate)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
        let view = self.view(links);
        let rows: Vec<Vec<Candidate>> = groups.par_iter().map(|group| self.link_back(view, group)).collect();
        for (group, row) in groups.iter().zip(&rows) {
            write_row(self.row_of(links, group[0].0), row);
        }
    }

    /// The nodes near a node, nearest first, by walking the layer as it is.
    pub fn candidates(&self, view: LayerView<'_>, first: u32, position: u32, scratch: &mut Scratch) {
        let query = self.space.rows.row(self.nodes[position as usize] as usize);
        // The upper layers were built here, so their links are sound and no walk fails.
        let entry = match self.upper.first() {
            Some(above) => {
                let nearest = descend_to_row(self.upper, above, self.space, query, scratch);
                let entry = position_of(self.nodes, nearest);
                // While the rows of the layer above are still coming in, that row may not be here.
                if view.neighbors(entry).is_empty() { first } else { entry }
            }
            None => first,
        };
        let walked = search_layer(view, self.space, query, &[entry], self.ef, None, scratch);
        debug_assert!(walked.is_ok());
    }

    /// The neighbour selection heuristic (algorithm 4 of the paper): a candidate is taken unless
    /// one already taken is at least as near to it as the node itself. Equal rows are thus taken once.
    pub fn select(&self, sorted: &[Candidate], limit: usize) -> Vec<Candidate> {
        let mut taken: Vec<Candidate> = Vec::with_capacity(limit);
        for c in sorted {
            if taken.len() == limit {
                break;
            }
            let row = self.space.rows.row(self.nodes[c.id as usize] as usize);
            if taken.iter().all(|t| self.space.rank(row, self.nodes[t.id as usize]) > c.rank) {
                taken.push(*c);
            }
        }
        taken
    }

    /// A node's links with those added that point at it, chosen anew when they are too many.
    fn link_back(&self, view: LayerView<'_>, group: &[(u32, Candidate)]) -> Vec<Candidate> {
        let position = group[0].0;
        let query = self.space.rows.row(self.nodes[position as usize] as usize);
        let present = view
            .neighbors(position)
            .iter()
            .map(|&id| Candidate { rank: self.space.rank(query, self.nodes[id as usize]), id });
        let mut all: Vec<Candidate> = present.chain(group.iter().map(|g| g.1)).collect();
        if all.len() <= self.width {
            return all;
        }
        all.sort_unstable_by(Candidate::order);
        self.select(&all, self.width)
    }

    pub fn view<'a>(&'a self, links: &'a [u32]) -> LayerView<'a> {
        // Only the identity of layer 0 may leave `rows` empty.
        let rows = if self.nodes.len() == self.space.rows.len() { &[] } else { self.nodes };
        LayerView { rows, down: &[], links, width: self.width, len: self.nodes.len() }
    }

    /// A node's row of links, to write.
    pub fn row_of<'a>(&self, links: &'a mut [u32], position: u32) -> &'a mut [u32] {
        let from = position as usize * self.width;
        &mut links[from..from + self.width]
    }

    pub fn scratch(&self) -> Scratch {
        self.scratch.take(self.space.rows.len())
    }
}

/// Through the finished layers to the row where the walk arrives in the lowest of them.
fn descend_to_row(upper: &[Layer], lowest: &Layer, space: Space<'_>, query: &[f32], scratch: &mut Scratch) -> u32 {
    let entry = descend(&upper[1..], space, query, scratch).unwrap_or(0);
    let walked = search_layer(lowest.view(), space, query, &[entry], 1, None, scratch);
    debug_assert!(walked.is_ok());
    let nearest = scratch.found(false).first().map_or(0, |c| c.id);
    lowest.view().row(nearest).unwrap_or(0)
}

fn write_row(row: &mut [u32], neighbors: &[Candidate]) {
    row.fill(NONE);
    for (place, c) in row.iter_mut().zip(neighbors) {
        *place = c.id;
    }
}
