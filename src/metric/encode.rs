//! Choosing 4-bit codes for a row: the entry of each table that is nearest, with more weight on the
//! error along the row.
//!
//! What a query scores is an inner product, and the rows that matter are those that point its way;
//! so an error along the row counts for more than one across it: the score-aware loss of Guo et al.,
//! "Accelerating large-scale inference with anisotropic vector quantization", ICML 2020,
//! arXiv:1908.10396. It is minimised a code at a time, [`PASSES`] times over all codes.

/// Entries of a table.
pub(crate) const ENTRIES: usize = 16;
/// Weight of the squared error along the row; that across it has 1.
const ALONG: f32 = 4.0;
/// Times that every code is chosen anew.
const PASSES: usize = 2;

/// Tables for runs of `width` values: for each run and each value of it, what the 16 entries have there.
#[derive(Clone, Copy)]
pub(crate) struct Book<'a> {
    pub width: usize,
    pub values: &'a [f32],
}

impl<'a> Book<'a> {
    /// For each value of run `code`, the 16 entries.
    #[inline(always)]
    pub(super) fn run(&self, code: usize) -> &'a [[f32; ENTRIES]] {
        let (runs, _) = self.values.as_chunks::<ENTRIES>();
        &runs[code * self.width..(code + 1) * self.width]
    }
}

/// The codes of a residual, whose length is the runs' (filled with zeros), for the row (as long) that
/// it is a part of.
#[inline(always)]
pub(super) fn encode(book: Book<'_>, residual: &[f32], row: &[f32], codes: &mut [u8]) {
    let width = book.width;
    let squared: f32 = row.iter().map(|x| x * x).sum();
    let weight = if squared > 0.0 { (ALONG - 1.0) / squared } else { 0.0 };
    // The inner product of the error with the row.
    let mut along = 0.0;
    for (code, chosen) in codes.iter_mut().enumerate() {
        let at = code * width..(code + 1) * width;
        let (errors, parts) = errors(book.run(code), &residual[at.clone()], &row[at]);
        *chosen = least(&errors);
        along += parts[usize::from(*chosen)];
    }
    for _ in 0..PASSES {
        let mut changed = false;
        for (code, chosen) in codes.iter_mut().enumerate() {
            let at = code * width..(code + 1) * width;
            let (mut errors, parts) = errors(book.run(code), &residual[at.clone()], &row[at]);
            let rest = along - parts[usize::from(*chosen)];
            errors.iter_mut().zip(&parts).for_each(|(error, part)| *error += weight * (rest + part) * (rest + part));
            let best = least(&errors);
            changed |= best != *chosen;
            *chosen = best;
            along = rest + parts[usize::from(best)];
        }
        if !changed {
            break;
        }
    }
}

/// For each entry of a run: its squared error, and the error's inner product with the row there.
#[inline(always)]
fn errors(run: &[[f32; ENTRIES]], residual: &[f32], row: &[f32]) -> ([f32; ENTRIES], [f32; ENTRIES]) {
    let (mut errors, mut parts) = ([0.0; ENTRIES], [0.0; ENTRIES]);
    for ((entries, &r), &x) in run.iter().zip(residual).zip(row) {
        for k in 0..ENTRIES {
            let off = r - entries[k];
            errors[k] += off * off;
            parts[k] += off * x;
        }
    }
    (errors, parts)
}

/// The place of the least of 16, the first of equals.
#[inline(always)]
fn least(values: &[f32; ENTRIES]) -> u8 {
    let mut low = values[0];
    for &v in values {
        low = if v < low { v } else { low };
    }
    let mut found = 0u32;
    for (k, &v) in values.iter().enumerate() {
        found |= u32::from(v == low) << k;
    }
    // None is equal only where one is NaN.
    (found.trailing_zeros() as usize % ENTRIES) as u8
}

/// The nearest entry of one run.
#[inline(always)]
pub(super) fn nearest(run: &[[f32; ENTRIES]], residual: &[f32]) -> u8 {
    least(&errors(run, residual, residual).0)
}
