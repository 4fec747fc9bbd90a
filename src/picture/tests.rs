//! Hostile texts, odd points, and that the same map gives the same picture.

use super::*;

fn map(points: Vec<MapPoint>) -> Map {
    let clusters = vec![
        MapCluster { id: 0, label: "바다, 조수".to_owned() },
        MapCluster { id: 1, label: "</script><b>rust".to_owned() },
    ];
    Map { title: "지도 <1>".to_owned(), subtitle: "a & b".to_owned(), points, clusters, base: "/home/a b".to_owned() }
}

fn point(x: f32, y: f32, cluster: i32, title: &str) -> MapPoint {
    MapPoint { x, y, cluster, title: title.to_owned(), text: title.repeat(3), source: Some(title.to_owned()) }
}

const HOSTILE: [&str; 7] = [
    "</script><img src=x onerror=alert(1)>",
    "<!--<script>",
    "javascript:alert(1)",
    "\u{2028}\u{2029}\0\u{7}",
    "{{data}} {{script}}",
    "]]>&quot;'\"",
    "🙂 한글 e\u{301}",
];

#[test]
fn no_text_breaks_out_of_the_page() {
    let points = (0..14).map(|i| point(i as f32, (i * i) as f32, i % 3 - 1, HOSTILE[i as usize % 7])).collect();
    let page = map(points).html().unwrap();
    // The only elements of script are the page's own, and its data hold no letter that starts a tag.
    assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
    assert!(!page.contains("<img") && page.contains("<title>지도 &lt;1&gt;</title>"));
    let start = page.find("id=\"data\">").unwrap() + "id=\"data\">".len();
    let data = &page[start..start + page[start..].find("</script>").unwrap()];
    assert!(!data.contains(['<', '>', '&', '\u{2028}', '\u{2029}']));
    let data: serde_json::Value = serde_json::from_str(data).unwrap();
    for (i, title) in data["titles"].as_array().unwrap().iter().enumerate() {
        assert_eq!(title, HOSTILE[i % 7]);
    }
    assert_eq!(data["clusters"][1]["label"], "</script><b>rust");
    assert_eq!((data["clusters"][0]["size"].as_u64(), data["none"]["size"].as_u64()), (Some(5), Some(5)));
    // Nothing is loaded from anywhere: the only addresses are in the script's own patterns.
    let rest = page.replace(&page[start..start + page[start..].find("</script>").unwrap()], "");
    assert!(!["src=", "@import", "url(", "href=", "fetch("].iter().any(|loads| rest.contains(loads)));
}

#[test]
fn pictures_are_well_formed_and_the_same_each_time() {
    let map = map((0..60).map(|i| point((i % 7) as f32, (i % 5) as f32, i % 3 - 1, HOSTILE[i as usize % 7])).collect());
    let svg = map.svg().unwrap();
    assert_eq!(svg, map.svg().unwrap());
    assert!(svg.contains("바다") && svg.contains("Noto Sans KR") && !svg.contains("<img") && !svg.contains("</script"));
    assert!(svg.matches("<circle").count() >= 60 && svg.trim_end().ends_with("</svg>"));
    assert!(svg.chars().all(|c| !c.is_control() || c.is_whitespace()));
    let png = map.png(600, 400).unwrap();
    assert_eq!(png, map.png(600, 400).unwrap());
    let mut read = png::Decoder::new(std::io::Cursor::new(&png)).read_info().unwrap();
    let mut pixels = vec![0; read.output_buffer_size().unwrap()];
    let info = read.next_frame(&mut pixels).unwrap();
    assert_eq!((info.width, info.height), (600, 400));
    let colours: std::collections::HashSet<&[u8]> = pixels.chunks(3).collect();
    assert!(colours.len() > 50, "{} colours", colours.len());
}

#[test]
fn odd_maps_are_drawn_and_wrong_ones_refused() {
    for points in [
        vec![],
        vec![point(1.0, 2.0, 0, "a")],
        vec![point(3.0, 3.0, 5, "b"); 4],
        vec![point(f32::MAX, -f32::MAX, 0, "c"), point(-f32::MAX, f32::MAX, 0, "d")],
    ] {
        let map = map(points);
        assert!(map.html().is_ok() && map.svg().is_ok() && map.png(200, 300).is_ok());
    }
    let many = Map {
        clusters: (0..400).map(|id| MapCluster { id, label: format!("무리 {id}") }).collect(),
        ..map(vec![point(0.0, 0.0, 7, "x")])
    };
    assert!(many.svg().unwrap().contains("+ "));
    for bad in [f32::NAN, f32::INFINITY] {
        let map = map(vec![point(0.0, 0.0, 0, "a"), point(0.0, bad, 0, "a")]);
        assert!(matches!(map.html(), Err(PictureError::NotFinite { point: 1 })));
        assert!(map.svg().is_err() && map.png(200, 200).is_err());
    }
    assert!(matches!(map(vec![]).png(100, 300), Err(PictureError::Size { .. })));
    assert!(matches!(map(vec![]).png(300, 20_000), Err(PictureError::Size { .. })));
}

#[test]
fn what_spoke_for_a_number_is_plotted() {
    let tried = |k: usize| Tried { k, inertia: 1000.0 / k as f64, silhouette: 0.1 + 0.01 * (k % 5) as f64 };
    let plot = ChoicePlot { title: "몇 개?".to_owned(), tried: (2..12).map(tried).collect(), chosen: 4 };
    let svg = plot.svg().unwrap();
    assert!(svg.contains("몇 개?") && svg.contains("silhouette") && svg.contains("inertia"));
    assert!(!plot.png(900, 600).unwrap().is_empty());
    let one = ChoicePlot { tried: vec![tried(3)], chosen: 3, ..plot.clone() };
    assert!(one.svg().is_ok());
    let odd = ChoicePlot { tried: vec![Tried { k: 2, inertia: f64::NAN, silhouette: 0.0 }], ..plot.clone() };
    assert!(odd.svg().is_ok());
    assert!(matches!(ChoicePlot { tried: vec![], ..plot }.svg(), Err(PictureError::Empty)));
}

#[test]
fn colours_of_the_legend_differ() {
    let colours: Vec<[u8; 3]> = (0..60).map(palette::color).collect();
    let apart = |a: [u8; 3], b: [u8; 3]| (0..3).map(|i| (i32::from(a[i]) - i32::from(b[i])).pow(2)).sum::<i32>();
    for i in 0..12 {
        for j in 0..i {
            assert!(apart(colours[i], colours[j]) > 1000, "{i} {j}");
        }
    }
    let distinct: std::collections::HashSet<&[u8; 3]> = colours.iter().collect();
    assert_eq!(distinct.len(), 60);
}

#[test]
fn a_hundred_thousand_points_make_a_page_of_bounded_size() {
    let n = 100_000;
    let place = |i: usize| {
        let (blob, angle) = (i % 24, i as f32 * 0.618);
        let spread = ((i * 7919) % 1000) as f32 / 1000.0;
        (blob as f32 % 6.0 * 9.0 + 4.0 * spread * angle.cos(), (blob / 6) as f32 * 9.0 + 4.0 * spread * angle.sin())
    };
    let points = (0..n).map(|i| MapPoint {
        x: place(i).0,
        y: place(i).1,
        cluster: (i % 24) as i32,
        title: format!("글 {i}"),
        text: "가나다라마바사아자차 ".repeat(6),
        source: Some(format!("notes/{i}.md")),
    });
    let clusters = (0..24).map(|id| MapCluster { id, label: format!("무리 {id}") }).collect();
    let map = Map { title: "100,000".to_owned(), points: points.collect(), clusters, ..Map::default() };
    let page = map.html().unwrap();
    assert!(page.len() < 400 * n, "{} bytes a point", page.len() / n);
}
