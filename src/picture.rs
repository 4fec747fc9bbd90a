//! Pictures: the map of a corpus as an interactive page, as SVG and as PNG, and a plot of what spoke for a number of
//! clusters.
//!
//! What is drawn is given: points with texts and clusters, wherever they come from. A page is one file that asks no
//! other host for anything.

mod choice;
mod font;
mod html;
mod palette;
mod plot;
#[cfg(test)]
mod tests;

pub use choice::{ChoicePlot, Tried};

use crate::error::PictureError;

/// More points than this are no picture that anything can show.
const MOST_POINTS: usize = 5_000_000;

/// Points of a plane that stand for texts.
///
/// ```
/// use gyeol::picture::{Map, MapCluster, MapPoint};
/// let point = |x, y, title: &str| MapPoint { x, y, cluster: 0, title: title.to_owned(), ..MapPoint::default() };
/// let map = Map {
///     title: "노트".to_owned(),
///     points: vec![point(0.0, 1.0, "조수"), point(2.0, 1.5, "tides")],
///     clusters: vec![MapCluster { id: 0, label: "바다".to_owned() }],
///     ..Map::default()
/// };
/// assert!(map.html()?.contains("노트"));
/// assert!(map.svg()?.starts_with("<svg"));
/// # Ok::<(), gyeol::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    /// Stands above it.
    pub title: String,
    /// Stands below the title; may be empty.
    pub subtitle: String,
    /// The points.
    pub points: Vec<MapPoint>,
    /// Clusters that points name, in the order of the legend. Points of others are drawn grey.
    pub clusters: Vec<MapCluster>,
    /// The folder that [`MapPoint::source`] starts from when it is a relative path; may be empty.
    pub base: String,
}

/// A text as a point.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapPoint {
    /// From left to right, in any unit.
    pub x: f32,
    /// From below upward, in the same unit.
    pub y: f32,
    /// The cluster; -1 for none.
    pub cluster: i32,
    /// One line.
    pub title: String,
    /// What is shown beside it, some hundred characters at most.
    pub text: String,
    /// What a click opens: a path, or an http(s) address. Others are not opened.
    pub source: Option<String>,
}

/// A cluster in the legend.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MapCluster {
    /// What points name it by, from 0.
    pub id: i32,
    /// Its words.
    pub label: String,
}

impl Map {
    /// An interactive page: zoom, pan, texts on hover, search, a legend that hides and shows clusters, light and dark.
    /// It opens from disk and asks no host for anything. About 400 bytes a point of 200 characters of Korean.
    ///
    /// # Errors
    /// [`PictureError`] when a coordinate is not finite, or there are more than five million points.
    pub fn html(&self) -> Result<String, PictureError> {
        self.check()?;
        Ok(html::page(self))
    }

    /// A picture of 1,200 x 800 with title and legend. A hundred thousand points take some 7 MB: prefer
    /// [`Map::png`] for so many.
    ///
    /// # Errors
    /// As [`Map::html`].
    pub fn svg(&self) -> Result<String, PictureError> {
        self.check()?;
        plot::svg(self)
    }

    /// A picture of `width x height` pixels with title and legend, each from 200 to 16,000.
    ///
    /// # Errors
    /// As [`Map::html`], and [`PictureError::Size`].
    pub fn png(&self, width: u32, height: u32) -> Result<Vec<u8>, PictureError> {
        self.check()?;
        plot::png(self, width, height)
    }

    fn check(&self) -> Result<(), PictureError> {
        if self.points.len() > MOST_POINTS {
            return Err(PictureError::TooManyPoints { points: self.points.len(), limit: MOST_POINTS });
        }
        match self.points.iter().position(|p| !(p.x.is_finite() && p.y.is_finite())) {
            Some(point) => Err(PictureError::NotFinite { point }),
            None => Ok(()),
        }
    }

    /// How many points each cluster has, and how many are in none.
    fn sizes(&self) -> (Vec<usize>, usize) {
        let place: std::collections::HashMap<i32, usize> =
            self.clusters.iter().enumerate().map(|(place, cluster)| (cluster.id, place)).collect();
        let mut sizes = vec![0; self.clusters.len()];
        let mut none = 0;
        for point in &self.points {
            match place.get(&point.cluster) {
                Some(&place) => sizes[place] += 1,
                None => none += 1,
            }
        }
        (sizes, none)
    }
}
