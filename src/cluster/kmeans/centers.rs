//! Centroids in groups of near ones, packed so that many rows meet a group at once.

use rayon::prelude::*;

use super::rows::Rows;
use crate::metric::Kernels;
use crate::metric::panels::PANEL;
use crate::metric::tiles::{CODES_TOGETHER, CodePanel};
use crate::vectors::norm;

/// Bounds are widened by this part, so that rounding cannot make them wrong.
pub(super) const SLACK: f32 = 1e-6;
/// How far the length of a row or centroid in `f32` may be off, as a part of it.
pub(super) const NORM_SLACK: f32 = 1e-5;
/// No centroid stands at this place.
pub(super) const NO_CENTER: u32 = u32::MAX;

/// Which centroids stand together.
pub(super) struct Groups {
    /// The centroid at each place, [`NO_CENTER`] where a last group is not full.
    pub at: Vec<u32>,
    /// The place of each centroid.
    pub place: Vec<u32>,
}

impl Groups {
    /// Groups near centroids by halving: those on either side of the line between two far ones, down to
    /// groups of [`PANEL`].
    pub fn new(centroids: &[f32], dim: usize, kernels: Kernels) -> Self {
        let count = centroids.len() / dim;
        let mut at: Vec<u32> = (0..count as u32).collect();
        let row = |id: u32| &centroids[id as usize * dim..(id as usize + 1) * dim];
        halve(&mut at, &row, kernels);
        let mut place = vec![0; count];
        at.iter().enumerate().for_each(|(p, &id)| place[id as usize] = p as u32);
        at.resize(count.next_multiple_of(PANEL), NO_CENTER);
        Groups { at, place }
    }

    pub fn len(&self) -> usize {
        self.at.len() / PANEL
    }

    pub fn of(&self, center: u32) -> usize {
        self.place[center as usize] as usize / PANEL
    }
}

fn halve<'a>(ids: &mut [u32], row: &(impl Fn(u32) -> &'a [f32] + Sync), kernels: Kernels) {
    if ids.len() <= PANEL {
        return;
    }
    let farthest = |from: u32| {
        let distances = ids.iter().map(|&id| (kernels.l2_squared(row(from), row(id)), id));
        distances.fold((-1.0, from), |far, next| if next.0 > far.0 { next } else { far }).1
    };
    let one = farthest(ids[0]);
    let other = farthest(one);
    let side = |id: u32| kernels.dot(row(id), row(one)) - kernels.dot(row(id), row(other));
    let mut sides: Vec<(f32, u32)> = ids.iter().map(|&id| (side(id), id)).collect();
    sides.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    ids.iter_mut().zip(sides).for_each(|(id, side)| *id = side.1);
    let half = (ids.len() / 2).next_multiple_of(PANEL);
    let (left, right) = ids.split_at_mut(half.min(ids.len()));
    halve(left, row, kernels);
    halve(right, row, kernels);
}

/// Centroids, packed for products with rows.
pub(super) struct Centers<'a> {
    pub groups: &'a Groups,
    pub values: &'a [f32],
    /// Codes, or numbers where rows have no codes: a panel a group.
    codes: Vec<u8>,
    full: Vec<f32>,
    scales: Vec<[f32; PANEL]>,
    bias: Vec<[f32; PANEL]>,
    /// For each group: the largest length of a centroid less the mean, and of what its codes lose.
    bounds: Vec<(f32, f32)>,
}

/// A group's part of [`Centers`].
#[derive(Clone, Default)]
struct Packed {
    codes: Vec<u8>,
    full: Vec<f32>,
    scales: [f32; PANEL],
    bias: [f32; PANEL],
    bounds: (f32, f32),
}

impl<'a> Centers<'a> {
    /// Packs centroids for these rows.
    pub fn new(values: &'a [f32], groups: &'a Groups, rows: &Rows<'_>, codes: bool) -> Self {
        let packed: Vec<Packed> = groups.at.par_chunks_exact(PANEL).map(|ids| pack(ids, values, rows, codes)).collect();
        Centers {
            groups,
            values,
            codes: packed.iter().flat_map(|p| &p.codes).copied().collect(),
            full: packed.iter().flat_map(|p| &p.full).copied().collect(),
            scales: packed.iter().map(|p| p.scales).collect(),
            bias: packed.iter().map(|p| p.bias).collect(),
            bounds: packed.iter().map(|p| p.bounds).collect(),
        }
    }

    /// Whether products are those of codes.
    pub fn has_codes(&self) -> bool {
        !self.codes.is_empty()
    }

    /// The codes of a group.
    pub fn code_panel(&self, group: usize) -> CodePanel<'_> {
        let bytes = self.codes.len() / self.groups.len();
        CodePanel {
            codes: &self.codes[group * bytes..(group + 1) * bytes],
            scales: &self.scales[group],
            bias: &self.bias[group],
        }
    }

    /// The numbers of a group, column by column, and what is added to each centroid's products.
    pub fn full_panel(&self, group: usize) -> (&[f32], &[f32; PANEL]) {
        let values = self.full.len() / self.groups.len();
        (&self.full[group * values..(group + 1) * values], &self.bias[group])
    }

    /// How far an estimate of `row . centroid - |centroid|^2 / 2`, both less the mean, can be off for any
    /// centroid of a group.
    ///
    /// With `x` and `c` for row and centroid and a hat for what their codes stand for,
    /// `|x.c - x^.c^| <= |x - x^| |c| + |x^| |c - c^|`; sums of numbers in `f32` are off by at most
    /// `dim` roundings of `|x| |c|`.
    pub fn off(&self, group: usize, norm: f32, error: f32, dim: usize) -> f32 {
        let (longest, lost) = self.bounds[group];
        let rounding = SLACK * longest * (norm + longest);
        if self.has_codes() {
            error * longest + (norm + error) * lost + rounding
        } else {
            dim as f32 * f32::EPSILON * norm * longest + rounding
        }
    }

    pub fn center(&self, id: u32) -> &'a [f32] {
        let dim = self.values.len() / self.groups.place.len();
        &self.values[id as usize * dim..(id as usize + 1) * dim]
    }
}

fn pack(ids: &[u32], values: &[f32], rows: &Rows<'_>, codes: bool) -> Packed {
    let dim = rows.dim();
    let stride = dim.next_multiple_of(CODES_TOGETHER);
    let mut packed = Packed { bias: [f32::NEG_INFINITY; PANEL], ..Packed::default() };
    if codes {
        packed.codes = vec![128; stride * PANEL];
    } else {
        packed.full = vec![0.0; dim * PANEL];
    }
    let (mut centred, mut own) = (vec![0.0; dim], vec![0i8; stride]);
    for (place, &id) in ids.iter().enumerate().filter(|(_, id)| **id != NO_CENTER) {
        let row = &values[id as usize * dim..(id as usize + 1) * dim];
        let coded = rows.kernels.encode_row(row, &rows.mean, &mut centred, &mut own);
        let length = norm(&centred);
        packed.bias[place] = (-0.5 * length * length) as f32;
        packed.bounds.0 = packed.bounds.0.max(length as f32 * (1.0 + NORM_SLACK));
        if codes {
            packed.scales[place] = coded.scale;
            packed.bounds.1 = packed.bounds.1.max(coded.error * (1.0 + 10.0 * NORM_SLACK));
            for (j, &code) in own.iter().enumerate() {
                let line = j / CODES_TOGETHER * PANEL + place;
                packed.codes[line * CODES_TOGETHER + j % CODES_TOGETHER] = code as u8 ^ 128;
            }
        } else {
            centred.iter().enumerate().for_each(|(j, &x)| packed.full[j * PANEL + place] = x);
        }
    }
    packed
}
