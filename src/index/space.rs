//! What a graph is built on and walked by: coded rows or full ones.

/// Rows that can be ranked against a query.
pub(crate) trait Space: Copy + Sync {
    /// A query as the space compares it.
    type Query: Default + Send + std::fmt::Debug;

    /// The number of rows.
    fn len(&self) -> usize;

    /// Takes a row, which must be one, as the query.
    fn row_as_query(&self, row: u32, out: &mut Self::Query);

    /// Calls `each(place, rank)` for the rows `ids`, which must be rows, in order.
    fn ranks(&self, query: &Self::Query, ids: &[u32], each: impl FnMut(usize, f32));

    /// Whether one of the rows `ids` is at most at this rank.
    fn any_within(&self, query: &Self::Query, ids: &[u32], rank: f32) -> bool {
        ids.chunks(4).any(|group| {
            let mut within = false;
            self.ranks(query, group, |_, r| within |= r <= rank);
            within
        })
    }
}
