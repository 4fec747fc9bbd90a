//! The map as SVG and as PNG, by plotters.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::font::{FAMILIES, FAMILY, register};
use super::palette::{NONE, color};
use super::{Map, MapPoint};
use crate::error::PictureError;

/// The size of an SVG, and what lengths below are for.
const WIDTH: u32 = 1200;
const HEIGHT: u32 = 800;
const SIDES: std::ops::RangeInclusive<u32> = 200..=16_000;
/// How many times larger a PNG is drawn, up to so many pixels.
const FINER: u32 = 3;
const SMOOTHED: u32 = 8_000_000;
const INK: RGBColor = RGBColor(29, 31, 35);
const SOFT: RGBColor = RGBColor(98, 102, 109);
const LINE: RGBColor = RGBColor(226, 228, 231);
const GROUND: RGBColor = RGBColor(255, 255, 255);

pub(super) fn svg(map: &Map) -> Result<String, PictureError> {
    svg_of(WIDTH, HEIGHT, |root| Sheet::new(root, WIDTH, HEIGHT).map(map))
}

pub(super) fn png(map: &Map, width: u32, height: u32) -> Result<Vec<u8>, PictureError> {
    png_of(width, height, |root, (w, h)| Sheet::new(root, w, h).map(map))
}

/// Draws an SVG.
pub(super) fn svg_of(
    width: u32,
    height: u32,
    draw: impl FnOnce(&DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), PictureError>,
) -> Result<String, PictureError> {
    register()?;
    let mut out = String::new();
    {
        let root = SVGBackend::with_string(&mut out, (width, height)).into_drawing_area();
        draw(&root)?;
        root.present().map_err(failed)?;
    }
    Ok(out.replace(&format!("font-family=\"{FAMILY}\""), &format!("font-family=\"{FAMILIES}\"")))
}

/// Draws a PNG.
pub(super) fn png_of(
    width: u32,
    height: u32,
    draw: impl FnOnce(&DrawingArea<BitMapBackend<'_>, Shift>, (u32, u32)) -> Result<(), PictureError>,
) -> Result<Vec<u8>, PictureError> {
    if !SIDES.contains(&width) || !SIDES.contains(&height) {
        return Err(PictureError::Size { width, height });
    }
    register()?;
    // Drawn larger and made smaller, edges are smooth and letters stand where they should.
    let finer = if width * height <= SMOOTHED { FINER } else { 1 };
    let (w, h) = (width * finer, height * finer);
    let mut pixels = vec![255u8; w as usize * h as usize * 3];
    {
        let root = BitMapBackend::with_buffer(&mut pixels, (w, h)).into_drawing_area();
        draw(&root, (w, h))?;
        root.present().map_err(failed)?;
    }
    let pixels = smaller(&pixels, w as usize, finer as usize);
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let written = encoder.write_header().and_then(|mut writer| writer.write_image_data(&pixels));
    written.map_err(failed)?;
    Ok(out)
}

/// Means of squares of `by x by` pixels.
fn smaller(pixels: &[u8], width: usize, by: usize) -> Vec<u8> {
    let row = width * 3;
    let mut out = Vec::with_capacity(pixels.len() / (by * by));
    for rows in pixels.chunks_exact(row * by) {
        for x in (0..row).step_by(3 * by) {
            for channel in 0..3 {
                let at = |i: usize| usize::from(rows[i / by * row + x + i % by * 3 + channel]);
                out.push(((0..by * by).map(at).sum::<usize>() / (by * by)) as u8);
            }
        }
    }
    out
}

pub(super) fn failed(error: impl std::fmt::Display) -> PictureError {
    PictureError::Drawing { reason: error.to_string() }
}

/// What is drawn on, and how large things are on it.
pub(super) struct Sheet<'a, B: DrawingBackend> {
    root: &'a DrawingArea<B, Shift>,
    width: i32,
    height: i32,
    unit: f64,
}

impl<'a, B: DrawingBackend> Sheet<'a, B> {
    pub fn new(root: &'a DrawingArea<B, Shift>, width: u32, height: u32) -> Self {
        let unit = (f64::from(width) / f64::from(WIDTH)).min(f64::from(height) / f64::from(HEIGHT));
        Sheet { root, width: width as i32, height: height as i32, unit }
    }

    /// A length in pixels.
    pub fn px(&self, length: f64) -> i32 {
        (length * self.unit).round() as i32
    }

    pub fn map(&self, map: &Map) -> Result<(), PictureError> {
        self.root.fill(&GROUND).map_err(failed)?;
        let top = self.titles(&map.title, &map.subtitle)?;
        let legend = self.px(300.0);
        self.points(map, (self.px(24.0), top), (self.width - legend - self.px(24.0), self.height - self.px(24.0)))?;
        self.legend(map, self.width - legend, top)
    }

    /// Title and subtitle; gives where they end.
    pub fn titles(&self, title: &str, subtitle: &str) -> Result<i32, PictureError> {
        let room = f64::from(self.width) / self.unit - 56.0;
        self.text(title, (28.0, 20.0), 24.0, &INK, room)?;
        self.text(subtitle, (28.0, 54.0), 14.0, &SOFT, room)?;
        Ok(self.px(if subtitle.is_empty() { 66.0 } else { 86.0 }))
    }

    /// A line of text from a corner on, cut where there is no more room.
    pub fn text(&self, text: &str, at: (f64, f64), size: f64, ink: &RGBColor, room: f64) -> Result<(), PictureError> {
        let style = (FAMILY, size * self.unit).into_font().color(ink).pos(Pos::new(HPos::Left, VPos::Top));
        let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let fits = |text: &str| {
            let width = self.root.estimate_text_size(text, &style).map_or(0, |size| size.0);
            f64::from(width) <= room * self.unit
        };
        let mut shown = clean.clone();
        let mut left = clean.chars().count();
        while left > 0 && !fits(&shown) {
            left -= (left / 12).max(1);
            shown = clean.chars().take(left).collect::<String>() + "…";
        }
        if shown.trim().is_empty() {
            return Ok(());
        }
        self.root.draw_text(&shown, &style, (self.px(at.0), self.px(at.1))).map_err(failed)
    }

    fn points(&self, map: &Map, from: (i32, i32), to: (i32, i32)) -> Result<(), PictureError> {
        let place: std::collections::HashMap<i32, usize> =
            map.clusters.iter().enumerate().map(|(place, cluster)| (cluster.id, place)).collect();
        let range = |of: fn(&MapPoint) -> f32| {
            let fold = |(low, high): (f32, f32), x: f32| (low.min(x), high.max(x));
            let (low, high) = map.points.iter().map(of).fold((f32::INFINITY, f32::NEG_INFINITY), fold);
            if low <= high { (f64::from(low), f64::from(high)) } else { (0.0, 0.0) }
        };
        let ((left, right), (bottom, top)) = (range(|p| p.x), range(|p| p.y));
        let (wide, high) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let per = |room: f64, extent: f64| if extent > 0.0 { room / extent } else { f64::INFINITY };
        let scale = per(wide, right - left).min(per(high, top - bottom));
        let scale = if scale.is_finite() { scale } else { 0.0 };
        let middle = (f64::from(from.0) + wide / 2.0, f64::from(from.1) + high / 2.0);
        let radius = self.px(if map.points.len() > 20_000 {
            1.6
        } else if map.points.len() > 2_000 {
            2.4
        } else {
            4.0
        });
        let alpha = if map.points.len() > 20_000 { 0.55 } else { 0.8 };
        for point in &map.points {
            let [r, g, b] = place.get(&point.cluster).map_or(NONE, |&place| color(place));
            let x = middle.0 + (f64::from(point.x) - (left + right) / 2.0) * scale;
            let y = middle.1 - (f64::from(point.y) - (bottom + top) / 2.0) * scale;
            let style = RGBColor(r, g, b).mix(alpha).filled();
            let circle = Circle::new((x.round() as i32, y.round() as i32), radius.max(1), style);
            self.root.draw(&circle).map_err(failed)?;
        }
        Ok(())
    }

    fn legend(&self, map: &Map, left: i32, top: i32) -> Result<(), PictureError> {
        let (sizes, none) = map.sizes();
        let line = self.px(24.0).max(1);
        let room = ((self.height - top - self.px(24.0)) / line).max(1) as usize;
        let mut entries: Vec<(RGBColor, &str, usize)> = Vec::new();
        for (at, (cluster, &size)) in map.clusters.iter().zip(&sizes).enumerate() {
            let [r, g, b] = color(at);
            entries.push((RGBColor(r, g, b), &cluster.label, size));
        }
        if none > 0 {
            entries.push((RGBColor(NONE[0], NONE[1], NONE[2]), "–", none));
        }
        let shown = if entries.len() > room { room - 1 } else { entries.len() };
        let x = f64::from(left) / self.unit;
        let rule =
            PathElement::new([(left - self.px(12.0), top), (left - self.px(12.0), self.height - self.px(24.0))], LINE);
        self.root.draw(&rule).map_err(failed)?;
        for (i, (ink, label, size)) in entries.iter().take(shown).enumerate() {
            let y = f64::from(top + i as i32 * line) / self.unit;
            let dot = Circle::new((self.px(x + 8.0), self.px(y + 7.0)), self.px(5.0).max(1), ink.filled());
            self.root.draw(&dot).map_err(failed)?;
            self.text(label, (x + 22.0, y), 14.0, &INK, 205.0)?;
            self.text(&size.to_string(), (x + 236.0, y + 1.0), 12.0, &SOFT, 56.0)?;
        }
        if shown < entries.len() {
            let y = f64::from(top + shown as i32 * line) / self.unit;
            self.text(&format!("+ {}", entries.len() - shown), (x + 22.0, y), 14.0, &SOFT, 205.0)?;
        }
        Ok(())
    }
}
