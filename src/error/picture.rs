//! Errors of pictures.

/// A picture that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PictureError {
    /// A coordinate that is NaN or infinite.
    #[error("point {point} has a coordinate that is not finite; leave it out or give it a place")]
    NotFinite {
        /// The point, from 0.
        point: usize,
    },
    /// More points than a picture can show.
    #[error("{points} points are more than the {limit} of one map; draw a sample")]
    TooManyPoints {
        /// The points.
        points: usize,
        /// The limit.
        limit: usize,
    },
    /// A size out of its range.
    #[error("{width} x {height} pixels; give 200 to 16,000 for each side")]
    Size {
        /// Pixels from left to right.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
    },
    /// Nothing to plot.
    #[error("nothing was tried, so there is nothing to plot; try several numbers of clusters")]
    Empty,
    /// The drawing library gave up.
    #[error("the picture could not be drawn: {reason}")]
    Drawing {
        /// What it said.
        reason: String,
    },
}
