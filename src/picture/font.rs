//! The font of pictures, which is compiled in: ASCII, Latin-1 and Korean.

use std::sync::OnceLock;

use plotters::style::{FontStyle, register_font};

use crate::error::PictureError;

const FONT: &[u8] = include_bytes!("../../data/font/gyeol-sans.otf");
/// What plotters knows it by.
pub(super) const FAMILY: &str = "sans-serif";
/// What SVG names: fonts with Hangul, first those that are often there.
pub(super) const FAMILIES: &str =
    "Pretendard, 'Noto Sans KR', 'Noto Sans CJK KR', 'Apple SD Gothic Neo', 'Malgun Gothic', sans-serif";

/// Makes the font known to plotters, once.
pub(super) fn register() -> Result<(), PictureError> {
    static DONE: OnceLock<bool> = OnceLock::new();
    let done = DONE.get_or_init(|| {
        [FontStyle::Normal, FontStyle::Bold].into_iter().all(|style| register_font(FAMILY, style, FONT).is_ok())
    });
    if *done { Ok(()) } else { Err(PictureError::Drawing { reason: "the font was not taken".to_owned() }) }
}
