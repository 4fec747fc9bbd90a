//! Words that tell clusters apart: class-based TF-IDF (Grootendorst, "BERTopic", 2022, arXiv:2203.05794).

use std::collections::HashMap;

/// A word of a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterWord {
    /// The word, as it was given.
    pub word: String,
    /// Its c-TF-IDF: above 0, larger tells more.
    pub weight: f64,
}

/// For each of `n_clusters` clusters the `count` words that tell most of it, the best first.
///
/// A cluster's documents are taken as one: a word counts for `frequency * ln(1 + A / total)`, with its part of
/// the cluster's words, the mean number of words of a cluster `A`, and how often all clusters have the word.
/// Documents of label -1 are left out. A word that is used once only tells nothing where others are used more.
///
/// ```
/// use gyeol::cluster::cluster_words;
/// let documents = [(0, vec!["tide", "moon"]), (0, vec!["tide", "sea"]), (1, vec!["rust", "moon"])];
/// let words = cluster_words(documents, 2, 1);
/// assert_eq!((words[0][0].word.as_str(), words[1][0].word.as_str()), ("tide", "rust"));
/// ```
pub fn cluster_words<'a, W: IntoIterator<Item = &'a str>>(
    documents: impl IntoIterator<Item = (i32, W)>,
    n_clusters: usize,
    count: usize,
) -> Vec<Vec<ClusterWord>> {
    let mut of_cluster: Vec<HashMap<&str, u64>> = vec![HashMap::new(); n_clusters];
    let mut total: HashMap<&str, u64> = HashMap::new();
    for (label, words) in documents {
        let Some(own) = usize::try_from(label).ok().and_then(|label| of_cluster.get_mut(label)) else { continue };
        for word in words {
            *own.entry(word).or_default() += 1;
            *total.entry(word).or_default() += 1;
        }
    }
    let mean = total.values().sum::<u64>() as f64 / n_clusters.max(1) as f64;
    let best = |own: &HashMap<&str, u64>| {
        let all = own.values().sum::<u64>().max(1) as f64;
        let weight = |word: &str, n: u64| n as f64 / all * (1.0 + mean / total[word] as f64).ln();
        let mut words: Vec<(f64, &str)> = own.iter().map(|(&word, &n)| (weight(word, n), word)).collect();
        words.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
        words.truncate(count);
        words.into_iter().map(|(weight, word)| ClusterWord { word: word.to_owned(), weight }).collect()
    };
    of_cluster.iter().map(best).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_clusters_tell_nothing() {
        let documents = [
            (0, "바다 물결 조수 사람".split(' ')),
            (0, "바다 조수 사람".split(' ')),
            (1, "숲 나무 사람 사람".split(' ')),
            (-1, "숲 숲 숲 바다".split(' ')),
        ];
        let words = cluster_words(documents, 3, 2);
        let of = |c: usize| words[c].iter().map(|w| w.word.as_str()).collect::<Vec<_>>();
        assert_eq!((of(0), of(1), of(2)), (vec!["바다", "조수"], vec!["나무", "숲"], vec![]));
        // Two of seven words, of which all clusters have 11 / 3 on average.
        assert!((words[0][0].weight - 2.0 / 7.0 * (1.0 + 11.0 / 3.0 / 2.0f64).ln()).abs() < 1e-12);
    }
}
