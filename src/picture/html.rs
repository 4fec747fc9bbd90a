//! The interactive page.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use twox_hash::XxHash3_64;

use super::Map;
use super::palette::{NONE, color, hex};

const PAGE: &str = include_str!("page/map.html");
const STYLE: &str = include_str!("page/map.css");
const SCRIPT: &str = include_str!("page/map.js");
/// Characters of a text that go into the page.
const TEXT: usize = 300;

pub(super) fn page(map: &Map) -> String {
    let data = script_safe(&data(map).to_string());
    // Only the page's own script may run: one that carries this word, which its content makes.
    let nonce = format!("{:016x}", XxHash3_64::oneshot(data.as_bytes()));
    let mut out = String::with_capacity(PAGE.len() + STYLE.len() + SCRIPT.len() + data.len());
    for part in PAGE.split_inclusive("}}") {
        let Some((before, name)) = part.strip_suffix("}}").and_then(|part| part.rsplit_once("{{")) else {
            out.push_str(part);
            continue;
        };
        out.push_str(before);
        match name {
            "title" => out.push_str(&escaped(&map.title)),
            "nonce" => out.push_str(&nonce),
            "style" => out.push_str(STYLE),
            "script" => out.push_str(SCRIPT),
            _ => out.push_str(&data),
        }
    }
    out
}

fn data(map: &Map) -> Value {
    let (sizes, none) = map.sizes();
    let clusters = map.clusters.iter().zip(&sizes).enumerate();
    let clusters: Vec<Value> = clusters
        .map(|(place, (c, size))| json!({"id": c.id, "label": c.label, "size": size, "color": hex(color(place))}))
        .collect();
    let strings = |of: &dyn Fn(&super::MapPoint) -> String| map.points.iter().map(of).collect::<Vec<String>>();
    json!({
        "title": map.title,
        "subtitle": map.subtitle,
        "base": map.base,
        "clusters": clusters,
        "none": {"size": none, "color": hex(NONE)},
        "x": STANDARD.encode(map.points.iter().flat_map(|p| p.x.to_le_bytes()).collect::<Vec<u8>>()),
        "y": STANDARD.encode(map.points.iter().flat_map(|p| p.y.to_le_bytes()).collect::<Vec<u8>>()),
        "cluster": STANDARD.encode(map.points.iter().flat_map(|p| p.cluster.to_le_bytes()).collect::<Vec<u8>>()),
        "titles": strings(&|p| p.title.clone()),
        "texts": strings(&|p| p.text.chars().take(TEXT).collect()),
        "sources": strings(&|p| p.source.clone().unwrap_or_default()),
    })
}

/// JSON that ends no script element and starts no comment in one, and no line where scripts see an end of line.
fn script_safe(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

/// Text as HTML and SVG take it; characters that XML cannot hold become U+FFFD.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}
