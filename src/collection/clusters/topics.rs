//! What a cluster is about.

use crate::cluster::{ClusterWord, cluster_words};
use crate::metric::{Kernels, Metric};
use crate::text::topic_words;
use crate::vectors::normalize;

use super::corpus::Corpus;

/// Documents that stand for a cluster, and those least like it.
const SHOWN: usize = 3;
/// A document is an outlier when it is this many standard deviations less like its cluster than the others.
const DEVIATIONS: f64 = 2.5;

/// A cluster of documents.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Topic {
    /// Its number.
    pub id: i32,
    /// How many documents it has.
    pub size: usize,
    /// Words that tell it from the others, the best first; see [`cluster_words`].
    pub words: Vec<ClusterWord>,
    /// The mean score (for cosine the cosine) of its documents with its centre: the higher, the more alike.
    pub cohesion: f64,
    /// The places of the documents nearest to its centre, the nearest first, with their scores.
    pub representatives: Vec<(usize, f32)>,
    /// The places of documents far less like its centre than the others, the least like it first.
    pub outliers: Vec<(usize, f32)>,
}

impl Topic {
    /// Its first three words, as a title.
    pub fn label(&self) -> String {
        let words: Vec<&str> = self.words.iter().take(3).map(|w| w.word.as_str()).collect();
        words.join(", ")
    }
}

pub(super) fn topics(corpus: &Corpus, labels: &[i32], words: usize, metric: Metric) -> Vec<Topic> {
    let count = labels.iter().map(|&label| label + 1).max().unwrap_or(0).max(0) as usize;
    let of_text = topic_words(corpus.documents.iter().map(|d| d.text.as_str()));
    let documents = labels
        .iter()
        .zip(&of_text.of_text)
        .map(|(&label, words)| (label, words.iter().map(|&word| of_text.words[word as usize].as_str())));
    let mut all_words = cluster_words(documents, count, words);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (place, &label) in labels.iter().enumerate().filter(|l| *l.1 >= 0) {
        members[label as usize].push(place);
    }
    (0..count).map(|id| topic(corpus, id, &members[id], std::mem::take(&mut all_words[id]), metric)).collect()
}

fn topic(corpus: &Corpus, id: usize, members: &[usize], words: Vec<ClusterWord>, metric: Metric) -> Topic {
    let kernels = Kernels::detect();
    let mut centre = vec![0.0f64; corpus.vectors.dim()];
    for &place in members {
        centre.iter_mut().zip(corpus.vectors.row(place)).for_each(|(c, &x)| *c += f64::from(x));
    }
    let mut centre: Vec<f32> = centre.iter().map(|c| (c / members.len().max(1) as f64) as f32).collect();
    if metric == Metric::Cosine {
        normalize(&mut centre);
    }
    let score = |place: usize| {
        let distance = metric.public_distance(kernels.rank(metric, &centre, corpus.vectors.row(place)));
        metric.score(distance)
    };
    let mut scored: Vec<(usize, f32)> = members.iter().map(|&place| (place, score(place))).collect();
    scored.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let n = scored.len().max(1) as f64;
    let cohesion = scored.iter().map(|s| f64::from(s.1)).sum::<f64>() / n;
    let variance = scored.iter().map(|s| (f64::from(s.1) - cohesion).powi(2)).sum::<f64>() / n;
    let floor = cohesion - DEVIATIONS * variance.sqrt();
    let far = scored.iter().rev().take_while(|s| f64::from(s.1) < floor).copied();
    Topic {
        id: id as i32,
        size: members.len(),
        words,
        cohesion,
        outliers: far.take(SHOWN).collect(),
        representatives: scored.iter().take(SHOWN).copied().collect(),
    }
}
