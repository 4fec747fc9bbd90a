//! What searching costs, counted and not timed, so that the same rows always get the same file and the
//! same plan. All costs are nanoseconds on one core of 2023.

/// A row compared on a walk, for each doubling of the codes over [`NEAR_BYTES`], and for each byte of the
/// row's code.
const WALK_ROW: f32 = 22.0;
const WALK_DOUBLING: f32 = 40.0;
const NEAR_BYTES: f32 = 64e6;
const WALK_BYTE: f32 = 0.073;
/// The links of a node that is passed through on a walk among some rows.
const PASSED: f32 = 45.0;
/// A row compared where rows are compared one after the other, and each byte of its code.
const SCAN_ROW: f32 = 6.0;
const SCAN_BYTE: f32 = 0.028;
/// A search, beside what it compares.
pub(super) const SEARCH: f32 = 2_000.0;

/// A row of `n` compared by its code on a walk. `stride` is the bytes of a code.
pub(super) fn walk_row(n: usize, stride: usize) -> f32 {
    // The farther apart codes are spread in memory, the more of its tables must be read for each.
    let doublings = (n as f32 * stride as f32 / NEAR_BYTES).log2().max(0.0);
    WALK_ROW + WALK_DOUBLING * doublings + WALK_BYTE * stride as f32
}

/// A row compared by its code after others, however far they lie apart.
pub(super) fn again_row(stride: usize) -> f32 {
    WALK_ROW + WALK_BYTE * stride as f32
}

/// A row compared by its code among many that follow each other in memory.
pub(super) fn scan_row(stride: usize) -> f32 {
    SCAN_ROW + SCAN_BYTE * stride as f32
}

/// A walk among some of `n` rows that compared so many and passed through others.
pub(super) fn walk_among(n: usize, stride: usize, compared: usize, passed: usize) -> f32 {
    SEARCH + compared as f32 * walk_row(n, stride) + passed as f32 * PASSED
}
