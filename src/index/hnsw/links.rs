//! The graph's layers as flat arrays of fixed-width link rows.

use super::search::BadLink;
use crate::store::Column;

/// Fills the rest of a row of links that has fewer than its width.
pub(super) const NONE: u32 = u32::MAX;

/// One layer. Nodes are counted by position: in layer 0 the position is the row number.
#[derive(Debug)]
pub(in crate::index) struct Layer {
    /// The row number of each node; empty in layer 0.
    pub rows: Column<u32>,
    /// The position of each node in the layer below; empty in layer 0.
    pub down: Column<u32>,
    /// `len x width` positions in this layer, each row closed by [`NONE`] if not full.
    pub links: Column<u32>,
    /// Links a node has at most.
    pub width: usize,
    /// The number of nodes.
    pub len: usize,
}

/// All layers, layer 0 first. The walk enters at position 0 of the last.
#[derive(Debug)]
pub(in crate::index) struct Graph {
    pub layers: Vec<Layer>,
}

/// A borrowed layer, with its arrays resolved once for a walk.
#[derive(Clone, Copy)]
pub(super) struct LayerView<'a> {
    pub rows: &'a [u32],
    pub down: &'a [u32],
    pub links: &'a [u32],
    pub width: usize,
    pub len: usize,
}

impl Layer {
    pub(super) fn view(&self) -> LayerView<'_> {
        LayerView { rows: &self.rows, down: &self.down, links: &self.links, width: self.width, len: self.len }
    }
}

impl<'a> LayerView<'a> {
    /// The error for a link that leads to a node that there is not.
    pub fn bad(&self, to: u32) -> BadLink {
        BadLink { to, len: self.len }
    }

    /// The whole row of links of a node.
    pub fn links_of(&self, position: u32) -> &'a [u32] {
        let from = position as usize * self.width;
        &self.links[from..from + self.width]
    }

    /// The links of a node, up to the first unused place.
    pub fn neighbors(&self, position: u32) -> &'a [u32] {
        let row = self.links_of(position);
        &row[..row.iter().position(|&p| p == NONE).unwrap_or(row.len())]
    }

    /// The row number of a node, if the layer has it.
    pub fn row(&self, position: u32) -> Option<u32> {
        if self.rows.is_empty() {
            ((position as usize) < self.len).then_some(position)
        } else {
            self.rows.get(position as usize).copied()
        }
    }
}
