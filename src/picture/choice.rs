//! What spoke for a number of clusters, as a plot.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::font::FAMILY;
use super::plot::{Sheet, failed, png_of, svg_of};
use crate::error::PictureError;

const WIDTH: u32 = 900;
const HEIGHT: u32 = 600;
const INERTIA: RGBColor = RGBColor(0, 114, 178);
const SILHOUETTE: RGBColor = RGBColor(213, 94, 0);
const SOFT: RGBColor = RGBColor(98, 102, 109);
const LINE: RGBColor = RGBColor(226, 228, 231);

/// Inertia and silhouette by the number of clusters, with the number that was chosen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChoicePlot {
    /// Stands above it.
    pub title: String,
    /// What was tried, by ascending k.
    pub tried: Vec<Tried>,
    /// The number that was chosen.
    pub chosen: usize,
}

/// A number of clusters that was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tried {
    /// The number.
    pub k: usize,
    /// The inertia with it.
    pub inertia: f64,
    /// The mean silhouette with it.
    pub silhouette: f64,
}

impl ChoicePlot {
    /// As SVG, 900 x 600.
    ///
    /// # Errors
    /// [`PictureError::Empty`] when nothing was tried.
    pub fn svg(&self) -> Result<String, PictureError> {
        svg_of(WIDTH, HEIGHT, |root| self.draw(root, WIDTH, HEIGHT))
    }

    /// As PNG of `width x height` pixels, each from 200 to 16,000.
    ///
    /// # Errors
    /// [`PictureError::Empty`], [`PictureError::Size`].
    pub fn png(&self, width: u32, height: u32) -> Result<Vec<u8>, PictureError> {
        png_of(width, height, |root, (w, h)| self.draw(root, w, h))
    }

    fn draw<B: DrawingBackend>(
        &self,
        root: &DrawingArea<B, Shift>,
        width: u32,
        height: u32,
    ) -> Result<(), PictureError> {
        if self.tried.is_empty() {
            return Err(PictureError::Empty);
        }
        root.fill(&WHITE).map_err(failed)?;
        let sheet = Sheet::new(root, width, height);
        let top = sheet.titles(&self.title, "")?;
        let (_, below) = root.split_vertically(top);
        let (upper, lower) = below.split_vertically((height as i32 - top) / 2);
        self.panel(&upper, &sheet, ("inertia", INERTIA), |t| t.inertia)?;
        self.panel(&lower, &sheet, ("silhouette", SILHOUETTE), |t| t.silhouette)
    }

    /// One curve.
    fn panel<B: DrawingBackend>(
        &self,
        area: &DrawingArea<B, Shift>,
        sheet: &Sheet<'_, B>,
        (name, ink): (&str, RGBColor),
        value: impl Fn(&Tried) -> f64,
    ) -> Result<(), PictureError> {
        let finite = |t: &&Tried| value(t).is_finite();
        let points: Vec<(f64, f64)> = self.tried.iter().filter(finite).map(|t| (t.k as f64, value(t))).collect();
        let fold = |(low, high): (f64, f64), &(_, y): &(f64, f64)| (low.min(y), high.max(y));
        let (low, high) = points.iter().fold((f64::INFINITY, f64::NEG_INFINITY), fold);
        let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
        let margin = ((high - low) * 0.12).max(high.abs() * 1e-3).max(1e-9);
        let (first, last) = (self.tried[0].k as f64, self.tried[self.tried.len() - 1].k as f64);
        let side = ((last - first) * 0.04).max(0.5);
        let mut chart = ChartBuilder::on(area)
            .margin(sheet.px(14.0))
            .margin_left(sheet.px(28.0))
            .x_label_area_size(sheet.px(44.0))
            .y_label_area_size(sheet.px(100.0))
            .build_cartesian_2d(first - side..last + side, low - margin..high + margin)
            .map_err(failed)?;
        let font = |size: f64| (FAMILY, f64::from(sheet.px(size).max(8))).into_font().color(&SOFT);
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(WHITE)
            .bold_line_style(LINE)
            .axis_style(LINE)
            .x_labels(10)
            .y_labels(5)
            .x_label_formatter(&|k| if (k - k.round()).abs() < 1e-6 { format!("{k:.0}") } else { String::new() })
            .y_label_formatter(&|&y| shown(y))
            .x_desc("k")
            .y_desc(name)
            .label_style(font(14.0))
            .axis_desc_style(font(15.0))
            .draw()
            .map_err(failed)?;
        let chosen = self.chosen as f64;
        let line = [(chosen, low - margin), (chosen, high + margin)];
        chart.draw_series(std::iter::once(PathElement::new(line, SOFT.mix(0.5)))).map_err(failed)?;
        let width = sheet.px(2.4).max(1) as u32;
        chart.draw_series(LineSeries::new(points.iter().copied(), ink.stroke_width(width))).map_err(failed)?;
        let dot = |&(k, y): &(f64, f64)| {
            let radius = if k == chosen { 8.0 } else { 4.0 };
            Circle::new((k, y), sheet.px(radius).max(2), ink.filled())
        };
        chart.draw_series(points.iter().map(dot)).map_err(failed)?;
        Ok(())
    }
}

/// A number of an axis.
fn shown(y: f64) -> String {
    match y.abs() {
        large if large >= 1e5 => format!("{y:.2e}"),
        large if large >= 10.0 => format!("{y:.0}"),
        _ => format!("{y:.3}"),
    }
}
