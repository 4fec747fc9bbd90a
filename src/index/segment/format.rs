//! The segment file: a container of kind [`Kind::Segment`] (header and section table are described
//! in [`crate::store::file`]) with these sections. Numbers are little-endian.
//!
//! | id | numbers | section |
//! |---|---|---|
//! | 1 | 15 x u64 | META |
//! | 2 | n x u64, or none | SLOTS |
//! | 3 | n x dim f32 or f16 | ROWS |
//! | 4 | n x f32, or none | NORMS |
//! | 5 | n x m0 u32, or none | LINKS |
//! | 6 | one u32 a layer above 0 | LAYER_SIZES |
//! | 7 | c x (2 + m) u32 a layer above 0 | UPPER |
//! | 8 | n x u32, or none | ORDER |
//! | 9 | dim f32, or none | MEAN |
//! | 10 | n x stride bytes, or none | CODES |
//! | 11 | 40 bytes a level | CALIBRATION |
//! | 12 | 2 x (p + 1) u32, or none | STARTS |
//! | 13 | 1 + p + entries f32, or none | NUMBERS |
//! | 14 | p x dim bytes in panels, or none | CENTROIDS |
//! | 15 | blocks of 4-bit codes, or none | BLOCKS |
//! | 16 | 16 bytes a level | AMONG |
//!
//! # META
//!
//! | number | field |
//! |---|---|
//! | 0 | METRIC |
//! | 1 | DIM |
//! | 2 | N |
//! | 3 | M |
//! | 4 | M0 |
//! | 5 | EF_CONSTRUCTION |
//! | 6 | LAYERS |
//! | 7 | STORAGE |
//! | 8 | FLAGS |
//! | 9 | SEED |
//! | 10 | CALIBRATED |
//! | 11 | MARGIN |
//! | 12 | LONGEST |
//! | 13 | PARTITIONS |
//! | 14 | BLOCK_COUNT |
//!
//! METRIC is 0 for cosine, 1 for dot, 2 for L2; STORAGE 0 for f32, 1 for f16, 2 for codes
//! alone, where ROWS is empty. LAYERS is 0 where
//! there is no graph and rows are scanned exactly. FLAGS says which optional sections there are: 1
//! SLOTS, 2 NORMS, 4 ORDER, 8 CODES with their MEAN. CALIBRATED is the number of levels in
//! CALIBRATION, each an effort (u32) with the recall at 1, 10 and 100 neighbours, the recall by
//! codes alone, and the least spread of the candidates around a query that is like the rows (f32 each). MARGIN and LONGEST are the bits
//! of an f32: how far the codes' ranks stray, and the greatest length of a row (inner product only).
//! A level ends with how many rows are compared by CODES after a scan of partitions for 10 and for 100
//! neighbours (u32 each). AMONG has what searches among some rows take, by falling part of the rows: the part,
//! what the effort is multiplied by, the cost of a unit of effort, and the least spread of the candidates (f32 each). Files of earlier builds have no such
//! section; there, rows that pass a filter are compared one by one.
//!
//! PARTITIONS is `p`, 0 where there is a graph or nothing, and BLOCK_COUNT the number of blocks in
//! BLOCKS. Their sections are described in [`crate::index::partitions`].
//!
//! ROWS, LINKS and CODES are by place, SLOTS and NORMS by row; ORDER has the row of each place,
//! and without it they are the same. SLOTS are ascending numbers by which the collection knows the
//! rows. NORMS are the rows' lengths before they were scaled to 1 (cosine). A row of links ends at
//! its full width or at the first `0xFFFF_FFFF`. A layer above 0 has `c` nodes and stores their
//! places, then each node's position in the layer below, then `c x m` links, which are positions
//! in the same layer. A coded row is described in [`crate::index::quant`].

use std::io::{self, Write};
use std::path::Path;
use std::sync::OnceLock;

use super::Segment;
use super::structure::Structure;
use crate::error::StoreError;
use crate::index::RowStorage;
use crate::index::calibrate::{AmongLevel, Calibration, Level};
use crate::index::hnsw::{Graph, HnswParams, Layer};
use crate::index::partitions::Partitions;
use crate::index::pool::Pool;
use crate::index::quant::Codes;
use crate::index::rows::Rows;
use crate::metric::{Kernels, Metric};
use crate::store::file::{self, Kind, Section, Sections};
use crate::store::{Column, Mapped, Seal, memory};
use crate::vectors::MAX_ROWS;

const META: u32 = 1;
const SLOTS: u32 = 2;
const ROWS: u32 = 3;
const NORMS: u32 = 4;
const LINKS: u32 = 5;
const LAYER_SIZES: u32 = 6;
const UPPER: u32 = 7;
const ORDER: u32 = 8;
const MEAN: u32 = 9;
const CODES: u32 = 10;
const CALIBRATION: u32 = 11;
const STARTS: u32 = 12;
const NUMBERS: u32 = 13;
const CENTROIDS: u32 = 14;
const BLOCKS: u32 = 15;
const AMONG: u32 = 16;

/// What messages call the sections, by their ids.
const NAMES: [&str; 17] = [
    "",
    "META",
    "SLOTS",
    "ROWS",
    "NORMS",
    "LINKS",
    "LAYER_SIZES",
    "UPPER",
    "ORDER",
    "MEAN",
    "CODES",
    "CALIBRATION",
    "STARTS",
    "NUMBERS",
    "CENTROIDS",
    "BLOCKS",
    "AMONG",
];
/// What can be made again from the other sections, and is only needed to search faster.
const STRUCTURE: [u32; 11] =
    [LAYER_SIZES, CALIBRATION, AMONG, MEAN, STARTS, NUMBERS, CENTROIDS, BLOCKS, UPPER, LINKS, CODES];

const META_FIELDS: usize = 15;
const METRIC: usize = 0;
const DIM: usize = 1;
const N: usize = 2;
const M: usize = 3;
const M0: usize = 4;
const EF_CONSTRUCTION: usize = 5;
const LAYERS: usize = 6;
const STORAGE: usize = 7;
const FLAGS: usize = 8;
const SEED: usize = 9;
const CALIBRATED: usize = 10;
const MARGIN: usize = 11;
const LONGEST: usize = 12;
const PARTITIONS: usize = 13;
const BLOCK_COUNT: usize = 14;

const HAS_SLOTS: u64 = 1;
const HAS_NORMS: u64 = 2;
const HAS_ORDER: u64 = 4;
const HAS_CODES: u64 = 8;

/// More layers than 2^32 rows can have at the smallest `m`.
const MAX_LAYERS: usize = 64;
/// A file of more than this part of the memory does not stay in it as a whole: full rows are left on disk.
const RESIDENT: f64 = 0.75;
/// More levels than a calibration has.
const MAX_CALIBRATED: usize = 1024;

pub(super) fn write(segment: &Segment, out: &mut dyn Write) -> io::Result<Seal> {
    let (graph, partitions, codes) = match &segment.structure {
        Some(Structure::Coded { codes, graph, .. }) => (Some(graph), None, Some(codes)),
        Some(Structure::Full { graph, .. }) => (Some(graph), None, None),
        Some(Structure::Partitioned { codes, partitions, .. }) => (None, Some(partitions), Some(codes)),
        None => (None, None, None),
    };
    let layers = graph.map_or(&[][..], |g| &g.layers);
    let calibration = &segment.calibration;
    let flag = |has: bool, flag: u64| if has { flag } else { 0 };
    let mut meta = [0u64; META_FIELDS];
    meta[METRIC] = u64::from(segment.metric.code());
    meta[DIM] = segment.dim as u64;
    meta[N] = segment.len as u64;
    meta[M] = segment.params.m as u64;
    meta[M0] = segment.params.m0() as u64;
    meta[EF_CONSTRUCTION] = segment.params.ef_construction as u64;
    meta[LAYERS] = layers.len() as u64;
    meta[STORAGE] = segment.rows.storage().code();
    meta[FLAGS] = flag(!segment.slots.is_empty(), HAS_SLOTS)
        | flag(!segment.norms.is_empty(), HAS_NORMS)
        | flag(!segment.order.is_empty(), HAS_ORDER)
        | flag(codes.is_some(), HAS_CODES);
    meta[CALIBRATED] = calibration.levels.len() as u64;
    meta[MARGIN] = u64::from(calibration.margin.to_bits());
    meta[LONGEST] = u64::from(calibration.longest.to_bits());
    meta[PARTITIONS] = partitions.map_or(0, |p| p.len() as u64);
    meta[BLOCK_COUNT] = partitions.map_or(0, |p| p.blocks() as u64);
    meta[SEED] = segment.params.seed;
    let mut sizes: Vec<u32> = Vec::new();
    let mut upper: Vec<u32> = Vec::new();
    for layer in layers.iter().skip(1) {
        sizes.push(layer.rows.len() as u32);
        upper.extend_from_slice(&layer.rows);
        upper.extend_from_slice(&layer.down);
        upper.extend_from_slice(&layer.links);
    }
    let links = layers.first().map_or(&[][..], |l| &l.links);
    let (mean, codes) = codes.map_or((&[][..], &[][..]), |codes| (codes.mean(), codes.bytes()));
    let (starts, numbers, centroids, blocks) = partitions.map_or_else(Default::default, Partitions::parts);
    let levels: Vec<[u32; 10]> = calibration.levels.iter().copied().map(Level::to_words).collect();
    let among: Vec<[f32; 4]> = calibration.among.iter().copied().map(AmongLevel::to_numbers).collect();
    let sections = [
        Section { id: META, bytes: bytemuck::cast_slice(&meta) },
        Section { id: SLOTS, bytes: bytemuck::cast_slice(&segment.slots) },
        Section { id: ORDER, bytes: bytemuck::cast_slice(&segment.order) },
        Section { id: NORMS, bytes: bytemuck::cast_slice(&segment.norms) },
        Section { id: CALIBRATION, bytes: bytemuck::cast_slice(&levels) },
        Section { id: AMONG, bytes: bytemuck::cast_slice(&among) },
        Section { id: MEAN, bytes: bytemuck::cast_slice(mean) },
        Section { id: STARTS, bytes: bytemuck::cast_slice(starts) },
        Section { id: NUMBERS, bytes: bytemuck::cast_slice(numbers) },
        Section { id: CENTROIDS, bytes: centroids },
        Section { id: BLOCKS, bytes: blocks },
        Section { id: LAYER_SIZES, bytes: bytemuck::cast_slice(&sizes) },
        Section { id: UPPER, bytes: bytemuck::cast_slice(&upper) },
        Section { id: LINKS, bytes: bytemuck::cast_slice(links) },
        Section { id: CODES, bytes: codes },
        Section { id: ROWS, bytes: segment.rows.bytes() },
    ];
    file::write(out, Kind::Segment, &sections)
}

/// What messages call a section.
#[cfg(feature = "collection")]
pub(super) fn name(id: u32) -> &'static str {
    NAMES.get(id as usize).copied().unwrap_or("an unknown section")
}

/// Whether a section can be made again from the others.
#[cfg(feature = "collection")]
pub(super) fn is_structure(id: u32) -> bool {
    STRUCTURE.contains(&id)
}

/// Compares what [`STRUCTURE`] names with its checksums.
pub(super) fn check_structure(file: &Sections) -> Result<(), StoreError> {
    // Files of earlier builds have no AMONG.
    STRUCTURE.into_iter().filter(|&id| id != AMONG || file.has(AMONG)).try_for_each(|id| file.check(id))
}

/// Compares the codes with their checksums.
pub(super) fn check_codes(file: &Sections) -> Result<(), StoreError> {
    [MEAN, CODES].into_iter().try_for_each(|id| file.check(id))
}

pub(super) fn open(map: Mapped, path: &Path) -> Result<Segment, StoreError> {
    let file = Sections::open(map, path, Kind::Segment, &NAMES)?;
    let corrupt = |reason: &str| StoreError::corrupt(path, reason);
    file.check(META)?;
    let meta: [u64; META_FIELDS] =
        file.slice(META, META_FIELDS)?.try_into().map_err(|_| corrupt("META is too short"))?;
    let metric = u32::try_from(meta[METRIC]).ok().and_then(Metric::from_code);
    let metric = metric.ok_or_else(|| corrupt("unknown metric"))?;
    let storage = RowStorage::from_code(meta[STORAGE]).ok_or_else(|| corrupt("unknown storage of rows"))?;
    let [dim, n, m, ef_construction] = [DIM, N, M, EF_CONSTRUCTION].map(|i| meta[i] as usize);
    if dim == 0 || n > MAX_ROWS {
        return Err(corrupt("META is out of range"));
    }
    let values = n.checked_mul(dim).ok_or_else(|| corrupt("META is out of range"))?;
    let params = HnswParams { m, ef_construction, storage, seed: meta[SEED], ..HnswParams::default() };
    let optional = |flag: u64| if meta[FLAGS] & flag == 0 { 0 } else { n };
    let has_codes = optional(HAS_CODES) > 0;
    let opened = open_structure(&file, metric, (n, dim), &meta, &params, has_codes)
        .and_then(|structure| Ok((structure, open_calibration(&file, &meta)?)));
    let damage = OnceLock::new();
    let (structure, calibration) = opened.or_else(|error| {
        // Rows answer without it, exactly.
        if storage == RowStorage::Codes {
            return Err(error);
        }
        damage.get_or_init(|| super::reason(error));
        Ok((None, Calibration::default()))
    })?;
    if storage == RowStorage::Codes && structure.as_ref().and_then(Structure::codes).is_none() {
        return Err(corrupt("neither rows nor codes"));
    }
    Ok(Segment {
        metric,
        dim,
        len: n,
        slots: Column::section(&file, SLOTS, optional(HAS_SLOTS))?,
        norms: Column::section(&file, NORMS, optional(HAS_NORMS))?,
        order: Column::section(&file, ORDER, optional(HAS_ORDER))?,
        #[cfg(feature = "collection")]
        places: OnceLock::new(),
        rows: match storage {
            RowStorage::F32 => Rows::F32(Column::section(&file, ROWS, values)?),
            RowStorage::F16 => Rows::F16(Column::section(&file, ROWS, values)?),
            RowStorage::Codes => Rows::None,
        },
        params,
        structure,
        calibration,
        kernels: Kernels::detect(),
        rescoring: file.file_bytes() as f64 <= RESIDENT * memory::limit() as f64,
        file: Some(file),
        damage,
    })
}

fn open_calibration(file: &Sections, meta: &[u64; META_FIELDS]) -> Result<Calibration, StoreError> {
    let calibrated = usize::try_from(meta[CALIBRATED]).unwrap_or(usize::MAX);
    if calibrated > MAX_CALIBRATED {
        return Err(StoreError::corrupt(file.path(), "META is out of range"));
    }
    let levels: &[[u32; 10]] = file.slice(CALIBRATION, calibrated)?;
    file.check(CALIBRATION)?;
    Ok(Calibration {
        levels: levels.iter().copied().map(Level::from_words).collect(),
        margin: f32::from_bits(meta[MARGIN] as u32),
        longest: f32::from_bits(meta[LONGEST] as u32),
        among: open_among(file)?,
    })
}

fn open_among(file: &Sections) -> Result<Vec<AmongLevel>, StoreError> {
    if !file.has(AMONG) {
        return Ok(Vec::new());
    }
    file.check(AMONG)?;
    let bytes = file.bytes(AMONG)?.len();
    let count = bytes / size_of::<[f32; 4]>();
    if count > MAX_CALIBRATED {
        return Err(StoreError::corrupt(file.path(), "AMONG has too many levels"));
    }
    let levels: &[[f32; 4]] = file.slice(AMONG, count)?;
    Ok(levels.iter().copied().map(AmongLevel::from_numbers).collect())
}

fn open_structure(
    file: &Sections,
    metric: Metric,
    (n, dim): (usize, usize),
    meta: &[u64; META_FIELDS],
    params: &HnswParams,
    has_codes: bool,
) -> Result<Option<Structure>, StoreError> {
    let corrupt = |reason: &str| StoreError::corrupt(file.path(), reason);
    let [m0, layers, partitions, blocks] = [M0, LAYERS, PARTITIONS, BLOCK_COUNT].map(|i| meta[i] as usize);
    if layers == 0 && partitions == 0 {
        return Ok(None);
    }
    params.validate().map_err(|e| corrupt(&e.to_string()))?;
    let counts = layers <= MAX_LAYERS && partitions <= n && blocks <= 2 * n;
    if m0 != params.m0() || n == 0 || !counts || (layers > 0) == (partitions > 0) {
        return Err(corrupt("META is out of range"));
    }
    let codes = has_codes.then(|| open_codes(file, metric, n, dim)).transpose()?;
    let graph = || Ok::<_, StoreError>(Graph { layers: open_layers(file, n, params, layers)? });
    Ok(Some(match (codes, partitions) {
        (Some(codes), 0) => Structure::Coded { codes, graph: graph()?, scratch: Pool::default() },
        (None, 0) => Structure::Full { graph: graph()?, scratch: Pool::default() },
        (Some(codes), count) if Partitions::fits(metric, dim) => {
            let partitions = open_partitions(file, (n, dim), count, blocks)?;
            Structure::Partitioned { codes, partitions, scratch: Pool::default() }
        }
        _ => return Err(corrupt("partitions that cannot be")),
    }))
}

fn open_codes(file: &Sections, metric: Metric, n: usize, dim: usize) -> Result<Codes, StoreError> {
    let bytes = Codes::fits(dim).then(|| n.checked_mul(Codes::stride(dim))).flatten();
    let bytes = bytes.ok_or_else(|| StoreError::corrupt(file.path(), "META is out of range"))?;
    let mean = Column::section(file, MEAN, Codes::mean_len(metric, dim))?;
    Ok(Codes::from_parts(metric, dim, mean, Column::section(file, CODES, bytes)?))
}

fn open_partitions(
    file: &Sections,
    size: (usize, usize),
    count: usize,
    blocks: usize,
) -> Result<Partitions, StoreError> {
    let lengths = Partitions::lengths(size.1, count, blocks);
    let (starts, numbers, centroids, blocks) =
        lengths.ok_or_else(|| StoreError::corrupt(file.path(), "META is out of range"))?;
    let floats = (Column::section(file, STARTS, starts)?, Column::section(file, NUMBERS, numbers)?);
    let bytes = (Column::section(file, CENTROIDS, centroids)?, Column::section(file, BLOCKS, blocks)?);
    Ok(Partitions::from_parts(size, floats, bytes))
}

fn open_layers(file: &Sections, n: usize, params: &HnswParams, count: usize) -> Result<Vec<Layer>, StoreError> {
    let sizes: &[u32] = file.slice(LAYER_SIZES, count - 1)?;
    file.check(LAYER_SIZES)?;
    let width = params.m;
    let total = sizes.iter().map(|&c| c as usize * (2 + width)).sum();
    let links = n.checked_mul(params.m0()).ok_or_else(|| StoreError::corrupt(file.path(), "META is out of range"))?;
    let mut layers = vec![Layer {
        rows: Column::owned(Vec::new()),
        down: Column::owned(Vec::new()),
        links: Column::section(file, LINKS, links)?,
        width: params.m0(),
        len: n,
    }];
    let mut at = 0;
    for &size in sizes {
        let c = size as usize;
        if c == 0 || c > n {
            return Err(StoreError::corrupt(file.path(), "a layer without nodes, or with more than rows"));
        }
        let part = |from, len| Column::part(file, UPPER, total, from, len);
        let (rows, down) = (part(at, c)?, part(at + c, c)?);
        layers.push(Layer { rows, down, links: part(at + 2 * c, c * width)?, width, len: c });
        at += c * (2 + width);
    }
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documented tables against the constants: one drifting from the other fails here.
    #[test]
    fn the_tables_are_the_constants() {
        let sections = [
            ("META", META),
            ("SLOTS", SLOTS),
            ("ROWS", ROWS),
            ("NORMS", NORMS),
            ("LINKS", LINKS),
            ("LAYER_SIZES", LAYER_SIZES),
            ("UPPER", UPPER),
            ("ORDER", ORDER),
            ("MEAN", MEAN),
            ("CODES", CODES),
            ("CALIBRATION", CALIBRATION),
            ("STARTS", STARTS),
            ("NUMBERS", NUMBERS),
            ("CENTROIDS", CENTROIDS),
            ("BLOCKS", BLOCKS),
            ("AMONG", AMONG),
        ];
        let fields = [
            ("METRIC", METRIC),
            ("DIM", DIM),
            ("N", N),
            ("M", M),
            ("M0", M0),
            ("EF_CONSTRUCTION", EF_CONSTRUCTION),
            ("LAYERS", LAYERS),
            ("STORAGE", STORAGE),
            ("FLAGS", FLAGS),
            ("SEED", SEED),
            ("CALIBRATED", CALIBRATED),
            ("MARGIN", MARGIN),
            ("LONGEST", LONGEST),
            ("PARTITIONS", PARTITIONS),
            ("BLOCK_COUNT", BLOCK_COUNT),
        ];
        let want = sections.iter().map(|s| (s.0, s.1 as usize)).chain(fields);
        let rows = include_str!("format.rs").lines().filter_map(|line| line.strip_prefix("//! | ")).filter_map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            Some((*cells.iter().rev().find(|c| !c.is_empty())?, cells[0].parse().ok()?))
        });
        assert!(rows.eq(want));
        assert!(sections.iter().all(|&(name, id)| NAMES[id as usize] == name));
        assert_eq!(META_FIELDS, fields.len());
    }
}
