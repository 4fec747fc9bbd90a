//! What a segment with many rows is made of: the order of its places, codes, and partitions or a graph.

use std::borrow::Cow;

use super::structure::Structure;
use crate::index::calibrate::{Calibration, Trial};
use crate::index::hnsw::{Ask, Graph, HnswParams};
use crate::index::partitions::{Partitions, walk_cost};
use crate::index::pool::Pool;
use crate::index::quant::Codes;
use crate::index::rows::RowsView;
use crate::index::{Layout, order};
use crate::metric::{Kernels, Metric};
use crate::vectors::Vectors;

/// Partitions are made where they are foretold to cost less than this part of a walk, and kept where they
/// are then measured to cost less than one: a graph would still have to be built.
const CLEARLY: f32 = 0.7;

/// Rows by place, and what finds them.
pub(super) struct Made {
    /// The row of each place.
    pub order: Vec<u32>,
    pub rows: Vectors,
    pub structure: Structure,
    pub calibration: Calibration,
}

impl Made {
    /// Of prepared rows, of which there is at least one.
    pub fn new(metric: Metric, given: Cow<'_, Vectors>, params: &HnswParams) -> Self {
        let kernels = Kernels::detect();
        let order = order::order(given.view(), kernels);
        let rows = given.permuted(&order);
        drop(given);
        let view = RowsView::of(rows.view(), metric, kernels);
        let trial =
            Trial::new(rows.view(), view, Graph::last(rows.len(), params, Calibration::sample_size(rows.len())));
        let last = trial.sample().len();
        let codes = Codes::fits(rows.dim()).then(|| Codes::encode(metric, rows.view()));
        let codes = codes.map(|codes| (trial.margin(codes.view(kernels)), codes)).filter(|((_, fine), _)| *fine);
        let (dim, stride) = (rows.dim(), Codes::stride(rows.dim()));
        let mut calibration = Calibration::default();
        let structure = match codes {
            Some(((margin, _), codes)) => {
                if let Some(made) = Self::partitioned(metric, (&rows, &order), &trial, (margin, params.layout), kernels)
                {
                    return made;
                }
                let ask: Ask<'_> = &mut |graph| calibration = trial.run(margin, stride, graph);
                let graph = Graph::build(codes.view(kernels), params, last, ask);
                Structure::Coded { codes, graph, scratch: Pool::default() }
            }
            None => {
                let graph = Graph::build(view, params, last, &mut |graph| calibration = trial.run(0.0, 4 * dim, graph));
                Structure::Full { graph, scratch: Pool::default() }
            }
        };
        drop(trial);
        Made { order, rows, structure, calibration }
    }

    /// Partitions, if they can be made and promise to be cheaper to search than a graph.
    fn partitioned(
        metric: Metric,
        (rows, order): (&Vectors, &[u32]),
        trial: &Trial<'_>,
        (margin, layout): (f32, Layout),
        kernels: Kernels,
    ) -> Option<Self> {
        if layout == Layout::Graph || !Partitions::fits(metric, rows.dim()) {
            return None;
        }
        let (dimension, stride) = (trial.intrinsic_dimension(), Codes::stride(rows.dim()));
        let walk = walk_cost(rows.len(), dimension, stride);
        let foretold = Partitions::foretold_cost(rows.len(), rows.dim(), dimension, stride);
        if layout == Layout::Auto && foretold > CLEARLY * walk {
            return None;
        }
        let (partitions, by_partition) = Partitions::build(metric, rows.view(), kernels);
        let mut places = vec![0; by_partition.len()];
        by_partition.iter().enumerate().for_each(|(place, &row)| places[row as usize] = place as u32);
        let moved = rows.permuted(&by_partition);
        let codes = Codes::encode(metric, moved.view());
        let trial = trial.moved(RowsView::of(moved.view(), metric, kernels), &places);
        let (calibration, cost) = partitions.calibrate(&trial, codes.view(kernels), margin, kernels);
        if layout == Layout::Auto && cost >= walk {
            return None;
        }
        drop(trial);
        let order = by_partition.iter().map(|&place| order[place as usize]).collect();
        let structure = Structure::Partitioned { codes, partitions, scratch: Pool::default() };
        Some(Made { order, rows: moved, structure, calibration })
    }
}
