//! Choosing 4-bit codes and making tables with wider registers: the plain code, for the compiler to make vectors of.
#![allow(unsafe_code)]

use super::super::encode::{Book, ENTRIES, encode, nearest};
use super::super::lookup::Tables;

/// Defines the plain functions for one instruction set.
macro_rules! wider {
    ($features:literal, $encode:ident, $nearest:ident, $tables:ident) => {
        /// # Safety
        /// The processor has the instruction set.
        #[target_feature(enable = $features)]
        pub(in crate::metric) unsafe fn $encode(book: Book<'_>, residual: &[f32], row: &[f32], codes: &mut [u8]) {
            encode(book, residual, row, codes);
        }

        /// # Safety
        /// The processor has the instruction set.
        #[target_feature(enable = $features)]
        pub(in crate::metric) unsafe fn $nearest(run: &[[f32; ENTRIES]], residual: &[f32]) -> u8 {
            nearest(run, residual)
        }

        /// # Safety
        /// The processor has the instruction set.
        #[target_feature(enable = $features)]
        pub(in crate::metric) unsafe fn $tables(tables: &mut Tables, book: Book<'_>, query: &[f32], least: f32) {
            tables.fill(book, query, least);
        }
    };
}

wider!("avx2,fma", encode_avx2, nearest_avx2, tables_avx2);
wider!("avx512f,avx512bw,avx512vl,avx2,fma", encode_avx512, nearest_avx512, tables_avx512);
