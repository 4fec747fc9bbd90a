//! Colours that can be told apart, also by colour-blind eyes.

/// Okabe and Ito's colours (2008) without black and yellow, which vanish on one of the grounds; orange first.
const FIRST: [[u8; 3]; 7] =
    [[0, 114, 178], [230, 159, 0], [0, 158, 115], [204, 121, 167], [213, 94, 0], [86, 180, 233], [148, 103, 59]];
/// Of what is in no cluster.
pub(super) const NONE: [u8; 3] = [150, 150, 150];
/// Turn between hues: the golden angle, so that any number of them stays apart.
const TURN: f64 = 137.508;
/// Where turning starts: between the hues of the first colours.
const HUE: f64 = 115.0;
/// Lightness takes turns, since it is what every eye tells apart.
const LIGHTNESS: [f64; 3] = [0.62, 0.78, 0.48];

/// The colour of the cluster at a place of the legend.
pub(super) fn color(place: usize) -> [u8; 3] {
    match FIRST.get(place) {
        Some(&color) => color,
        None => oklch(LIGHTNESS[place % 3], 0.13, ((place - FIRST.len()) as f64 * TURN + HUE) % 360.0),
    }
}

/// `#rrggbb`.
pub(super) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A colour of Ottosson's OKLCH (2020) as sRGB.
fn oklch(lightness: f64, chroma: f64, hue: f64) -> [u8; 3] {
    let (a, b) = (chroma * hue.to_radians().cos(), chroma * hue.to_radians().sin());
    let cube = |x: f64| x * x * x;
    let l = cube(lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b);
    let m = cube(lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b);
    let s = cube(lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701_0 * s,
    ];
    linear.map(|x| {
        let x = x.clamp(0.0, 1.0);
        let gamma = if x <= 0.003_130_8 { 12.92 * x } else { 1.055 * x.powf(1.0 / 2.4) - 0.055 };
        (gamma * 255.0).round() as u8
    })
}
