//! `gyeol map`.

use std::path::Path;

use gyeol::Collection;
use gyeol::cluster::{ChosenK, Tsne, pca_layout};
use gyeol::collection::{ClusterProgress, Clusters};
use gyeol::picture::{ChoicePlot, Map, MapCluster, MapPoint, Tried};

use super::args::{MapArgs, MapLayoutArg as LayoutArg};
use super::cluster::with_threads;
use super::failure::{Failure, IO, USAGE};
use super::stop::Stop;
use super::{Outcome, locate, model, print};

/// Characters of a text that a point shows.
const TEXT: usize = 240;

pub fn run(args: &MapArgs) -> Result<Outcome, Failure> {
    with_threads(args.threads, || draw(args))
}

fn draw(args: &MapArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let collection = Collection::open(&path, model::of_collection(&args.model, &path)?)?;
    let stop = Stop::on_ctrl_c()?;
    let before = collection.saved_clusters()?;
    let algorithm = args.algorithm.with(args.min_points, None);
    let mut clustering = collection.clustering().algorithm(algorithm).count(args.k.0).seed(args.seed);
    if let Some(filter) = &args.filter {
        clustering = clustering.filter(filter);
    }
    if let Some(before) = &before {
        clustering = clustering.like(before);
    }
    let clusters = clustering.run_with(&mut |progress| {
        if let ClusterProgress::Tried(tried) = progress {
            print::note(&format!("tried {} clusters: silhouette {:.4}", tried.k, tried.silhouette));
        }
        stop.flow()
    })?;
    let folder = path.parent().unwrap_or(&path);
    let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    let name = folder.file_name().map_or_else(|| "gyeol".to_owned(), |name| name.to_string_lossy().into_owned());
    let title = args.title.clone().unwrap_or(name);
    if args.html.is_some() || args.svg.is_some() || args.png.is_some() {
        write_maps(args, &map(args, &clusters, &title, &folder)?)?;
    }
    if let Some(file) = &args.choice {
        let Some(chosen) = &clusters.chosen else {
            return Err(Failure::new(USAGE, "--choice shows what spoke for a number that was chosen; leave --k out"));
        };
        write_choice(file, chosen, &title, args)?;
    }
    Ok(Outcome::Done)
}

fn map(args: &MapArgs, clusters: &Clusters, title: &str, folder: &Path) -> Result<Map, Failure> {
    let corpus = &clusters.corpus;
    let places = match args.layout {
        LayoutArg::Pca => pca_layout(corpus.vectors.view()).map_err(gyeol::Error::from)?,
        LayoutArg::Tsne => corpus.layout(&Tsne::new().seed(args.seed))?,
    };
    let point =
        |((document, label), place): ((&gyeol::collection::clusters::ClusteredDocument, &i32), [f32; 2])| MapPoint {
            x: place[0],
            y: place[1],
            cluster: *label,
            title: document.title.clone(),
            text: print::beginning(&document.text, TEXT),
            source: document.source.path.clone(),
        };
    Ok(Map {
        title: title.to_owned(),
        subtitle: format!("{} documents in {} clusters", corpus.documents.len(), clusters.topics.len()),
        points: corpus.documents.iter().zip(&clusters.labels).zip(places).map(point).collect(),
        clusters: clusters.topics.iter().map(|t| MapCluster { id: t.id, label: t.label() }).collect(),
        base: folder.to_string_lossy().into_owned(),
    })
}

fn write_maps(args: &MapArgs, map: &Map) -> Result<(), Failure> {
    if let Some(file) = &args.html {
        write(file, map.html().map_err(gyeol::Error::from)?.as_bytes())?;
    }
    if let Some(file) = &args.svg {
        write(file, map.svg().map_err(gyeol::Error::from)?.as_bytes())?;
    }
    if let Some(file) = &args.png {
        write(file, &map.png(args.size.0, args.size.1).map_err(gyeol::Error::from)?)?;
    }
    Ok(())
}

fn write_choice(file: &Path, chosen: &ChosenK, title: &str, args: &MapArgs) -> Result<(), Failure> {
    let tried = chosen.evidence.iter();
    let tried = tried.map(|e| Tried { k: e.k, inertia: e.inertia, silhouette: e.silhouette }).collect();
    let plot = ChoicePlot { title: title.to_owned(), tried, chosen: chosen.k };
    let ending = file.extension().map(|e| e.to_string_lossy().to_lowercase());
    match ending.as_deref() {
        Some("svg") => write(file, plot.svg().map_err(gyeol::Error::from)?.as_bytes()),
        Some("png") => write(file, &plot.png(args.size.0, args.size.1).map_err(gyeol::Error::from)?),
        _ => Err(Failure::new(USAGE, format!("{}: --choice writes .svg or .png", file.display()))),
    }
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    std::fs::write(file, bytes).map_err(|e| Failure::new(IO, format!("{}: {e}", file.display())))?;
    print::note(&format!("wrote {}", file.display()));
    Ok(())
}
