//! `gyeol cluster`.

mod titles;
mod vectors;

use std::io::{self, Write};

use gyeol::Collection;
use gyeol::cluster::{ChosenK, KMeansModel};
use gyeol::collection::{ClusterProgress, Clusters, Corpus, Topic};
use gyeol::vectors::npy;
use serde_json::{Value, json};

use self::titles::Title;
use super::args::ClusterArgs;
use super::failure::{Failure, USAGE};
use super::stop::Stop;
use super::{Outcome, locate, model, print};

/// The field of the payload that --write sets.
const FIELD: &str = "cluster";

pub fn run(args: &ClusterArgs) -> Result<Outcome, Failure> {
    if args.vectors.is_some() {
        return with_threads(args.threads, || vectors::run(args));
    }
    with_threads(args.threads, || of_collection(args))
}

/// Runs on so many threads.
pub fn with_threads<T: Send>(
    threads: Option<usize>,
    run: impl FnOnce() -> Result<T, Failure> + Send,
) -> Result<T, Failure> {
    match threads {
        None => run(),
        Some(0) => Err(Failure::new(USAGE, "--threads 0 can do nothing; give at least 1")),
        Some(threads) => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.map_err(|e| Failure::new(USAGE, format!("--threads {threads}: {e}")))?.install(run)
        }
    }
}

fn of_collection(args: &ClusterArgs) -> Result<Outcome, Failure> {
    let path = locate::collection(args.collection.as_deref())?;
    let mut collection = Collection::open(&path, model::of_collection(&args.model, &path)?)?;
    if args.corpus.assign {
        return assign(&mut collection, args);
    }
    // A model that cannot be asked is told of before the work is done.
    let llm = args.titles.titles.then(|| titles::llm(args)).transpose()?;
    let stop = Stop::on_ctrl_c()?;
    let before = collection.saved_clusters()?;
    let mut clustering = collection.clustering().algorithm(args.algorithm()).count(args.k.0).seed(args.seed);
    clustering = clustering.words(args.corpus.words);
    if let Some(filter) = &args.corpus.filter {
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
    if let Some(path) = &args.labels {
        npy::write_labels(path, &clusters.labels)?;
    }
    if args.corpus.write {
        write(&mut collection, &clusters)?;
    }
    let titles = llm.map(|llm| titles::of(&llm, &clusters)).unwrap_or_default();
    if args.json {
        print::json(&as_json(args, &clusters, &titles))?;
    } else {
        print::out(|out| show(out, &clusters, &titles))?;
    }
    titles::outcome(&titles)
}

/// Sets every document's cluster, and keeps the centroids.
fn write(collection: &mut Collection, clusters: &Clusters) -> Result<(), Failure> {
    let keys = clusters.corpus.documents.iter().map(|d| d.key.as_str());
    let values: Vec<(&str, Value)> = keys.zip(clusters.labels.iter().map(|&label| json!(label))).collect();
    collection.set_payload(FIELD, &values)?;
    collection.commit()?;
    // Without centroids those of an earlier run would give new documents other clusters.
    collection.save_clusters(clusters.model.as_ref())?;
    print::note(&format!("{} documents have their cluster in the field `{FIELD}` now", values.len()));
    Ok(())
}

/// Gives documents without a cluster the nearest of the centroids that were kept.
fn assign(collection: &mut Collection, args: &ClusterArgs) -> Result<Outcome, Failure> {
    let Some(model) = collection.saved_clusters()? else {
        let hint = "no clusters are kept with this collection; make them with `gyeol cluster --write`";
        return Err(Failure::new(USAGE, hint));
    };
    let new = collection.corpus(Some(&format!("not exists {FIELD}").parse().map_err(gyeol::Error::from)?))?;
    if new.documents.is_empty() {
        print::note("every document has its cluster");
        return Ok(Outcome::NothingFound);
    }
    let labels = assigned(&model, &new)?;
    let keys = new.documents.iter().map(|d| d.key.as_str());
    let values: Vec<(&str, Value)> = keys.zip(labels.iter().map(|&label| json!(label))).collect();
    collection.set_payload(FIELD, &values)?;
    collection.commit()?;
    if let Some(path) = &args.labels {
        npy::write_labels(path, &labels)?;
    }
    if args.json {
        let documents = documents(&new, &labels);
        print::json(&json!({"schema": 1, "k": model.n_clusters(), "documents": documents}))?;
    } else {
        print::out(|out| {
            let mut each = new.documents.iter().zip(&labels);
            each.try_for_each(|(document, label)| writeln!(out, "{label}\t{}", print::shown(&document.key)))
        })?;
    }
    Ok(Outcome::Done)
}

fn assigned(model: &KMeansModel, corpus: &Corpus) -> Result<Vec<i32>, Failure> {
    model.predict(corpus.vectors.view()).map_err(|e| gyeol::Error::from(e).into())
}

fn documents(corpus: &Corpus, labels: &[i32]) -> Vec<Value> {
    let line = |(document, label): (&gyeol::collection::clusters::ClusteredDocument, &i32)| json!({"key": document.key, "path": document.source.path, "cluster": label});
    corpus.documents.iter().zip(labels).map(line).collect()
}

fn as_json(args: &ClusterArgs, clusters: &Clusters, titles: &[Title]) -> Value {
    let shown = |places: &[(usize, f32)]| -> Vec<Value> {
        let line = |&(place, score): &(usize, f32)| {
            let document = &clusters.corpus.documents[place];
            json!({"key": document.key, "path": document.source.path, "title": document.title, "score": score})
        };
        places.iter().map(line).collect()
    };
    let topic = |(at, topic): (usize, &Topic)| {
        let words: Vec<Value> = topic.words.iter().map(|w| json!({"word": w.word, "weight": w.weight})).collect();
        json!({
            "id": topic.id,
            "size": topic.size,
            "label": topic.label(),
            "title": titles.get(at).and_then(|title| title.as_ref().ok()),
            "words": words,
            "cohesion": topic.cohesion,
            "representatives": shown(&topic.representatives),
            "outliers": shown(&topic.outliers),
        })
    };
    json!({
        "schema": 1,
        "k": clusters.topics.len(),
        "algorithm": args.algorithm.name(),
        "seed": args.seed,
        "inertia": clusters.inertia,
        "noise": clusters.labels.iter().filter(|&&label| label < 0).count(),
        "clusters": clusters.topics.iter().enumerate().map(topic).collect::<Vec<_>>(),
        "choice": clusters.chosen.as_ref().map(choice),
        "documents": documents(&clusters.corpus, &clusters.labels),
    })
}

/// What spoke for a number of clusters.
fn choice(chosen: &ChosenK) -> Value {
    let tried = chosen.evidence.iter();
    let tried: Vec<Value> =
        tried.map(|e| json!({"k": e.k, "inertia": e.inertia, "silhouette": e.silhouette})).collect();
    json!({"k": chosen.k, "by": if chosen.by_silhouette { "silhouette" } else { "elbow" }, "elbow": chosen.elbow, "evidence": tried})
}

/// The table of what spoke for a number of clusters.
fn show_choice(out: &mut dyn Write, chosen: &ChosenK) -> io::Result<()> {
    writeln!(out, "     k     inertia  silhouette")?;
    for e in &chosen.evidence {
        let mark = if e.k == chosen.k { "  chosen" } else { "" };
        let elbow = if e.k == chosen.elbow { "  elbow" } else { "" };
        writeln!(out, "{:6} {:11.5e} {:11.4}{mark}{elbow}", e.k, e.inertia, e.silhouette)?;
    }
    writeln!(out)
}

fn show(out: &mut dyn Write, clusters: &Clusters, titles: &[Title]) -> io::Result<()> {
    if let Some(chosen) = &clusters.chosen {
        show_choice(out, chosen)?;
    }
    let noise = clusters.labels.iter().filter(|&&label| label < 0).count();
    let (k, n) = (clusters.topics.len(), clusters.labels.len());
    write!(out, "{k} clusters of {n} documents")?;
    if noise > 0 {
        write!(out, ", {noise} of them noise")?;
    }
    writeln!(out)?;
    for (at, topic) in clusters.topics.iter().enumerate() {
        let words: Vec<_> = topic.words.iter().map(|w| print::shown(&w.word)).collect();
        writeln!(
            out,
            "\n{:3}  {} documents, cohesion {:.3}: {}",
            topic.id,
            topic.size,
            topic.cohesion,
            words.join(", ")
        )?;
        if let Some(Ok(title)) = titles.get(at) {
            writeln!(out, "     “{}”", print::shown(title))?;
        }
        let mut near = topic.representatives.iter().map(|shown| (' ', shown));
        near.try_for_each(|near| show_document(out, clusters, near))?;
        let mut far = topic.outliers.iter().map(|shown| ('!', shown));
        far.try_for_each(|far| show_document(out, clusters, far))?;
    }
    Ok(())
}

fn show_document(out: &mut dyn Write, clusters: &Clusters, (mark, shown): (char, &(usize, f32))) -> io::Result<()> {
    let document = &clusters.corpus.documents[shown.0];
    let title = print::beginning(&document.title, 60);
    writeln!(out, "   {mark} {:.3} {}  {}", shown.1, print::shown(&document.key), print::shown(&title))
}
