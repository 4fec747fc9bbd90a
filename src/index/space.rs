//! What a graph is built on and walked by: coded rows or full ones.

/// Rows that can be ranked against a query.
pub(crate) trait Space: Copy + Sync {
    /// A query as the space compares it.
    type Query: Default + Send + std::fmt::Debug;

    /// The number of rows.
    fn len(&self) -> usize;

    /// Takes a row, which must be one, as the query.
    fn row_as_query(&self, row: u32, out: &mut Self::Query);

    /// Calls `each(place, rank)` for the rows `ids`, which must be rows, in order. The query stays as
    /// it is; it may carry space to work in.
    fn ranks(&self, query: &mut Self::Query, ids: &[u32], each: impl FnMut(usize, f32));

    /// Whether one of the rows `ids` is at most at this rank from another row.
    fn any_within(&self, row: u32, ids: &[u32], rank: f32) -> bool;
}
