//! k-means beside a plain Lloyd in `f64`, and what must not matter: order, threads, instruction sets.

use super::rows::{Rows, largest};
use super::*;
use proptest::prelude::*;

/// Rows around some centres, from a seed.
fn blobs(n: usize, dim: usize, centers: usize, spread: f32, seed: u64) -> Vectors {
    let mut state = seed | 1;
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        ((state >> 40) as f32) / (1u32 << 23) as f32 - 1.0
    };
    let middles: Vec<f32> = (0..centers * dim).map(|_| next()).collect();
    let value = |i: usize, noise: f32| middles[i / dim % centers * dim + i % dim] + spread * noise;
    Vectors::new((0..n * dim).map(|i| value(i, next())).collect(), dim).unwrap()
}

/// Lloyd's rounds in `f64`, comparing everything.
fn plain(rows: &Vectors, init: &[f32], rounds: usize) -> (Vec<u32>, Vec<f64>) {
    let dim = rows.dim();
    let mut centroids: Vec<f64> = init.iter().map(|&x| f64::from(x)).collect();
    let nearest = |centroids: &[f64]| -> Vec<u32> {
        let near = |row: &[f32]| {
            let squared = |c: &[f64]| row.iter().zip(c).map(|(x, c)| (f64::from(*x) - c).powi(2)).sum::<f64>();
            let distances = centroids.chunks_exact(dim).map(squared).enumerate();
            distances.min_by(|a, b| a.1.total_cmp(&b.1)).unwrap().0 as u32
        };
        rows.rows().map(near).collect()
    };
    for _ in 0..rounds {
        let labels = nearest(&centroids);
        for (c, centroid) in centroids.chunks_exact_mut(dim).enumerate() {
            let own: Vec<&[f32]> = rows.rows().zip(&labels).filter(|r| *r.1 == c as u32).map(|r| r.0).collect();
            for (j, x) in centroid.iter_mut().enumerate().filter(|_| !own.is_empty()) {
                *x = own.iter().map(|row| f64::from(row[j])).sum::<f64>() / own.len() as f64;
            }
        }
    }
    (nearest(&centroids), centroids)
}

#[test]
fn rounds_are_those_of_comparing_everything() {
    for (n, dim, k, spread) in [(700, 5, 7, 0.4), (900, 33, 70, 1.0), (1500, 130, 40, 0.7), (400, 1, 9, 1.0)] {
        let rows = blobs(n, dim, 12, spread, 3);
        let init: Vec<f32> = rows.rows().step_by(n / k).take(k).flatten().copied().collect();
        let (want, centroids) = plain(&rows, &init, 6);
        for kernels in Kernels::available() {
            for codes in [false, true] {
                let whole = Rows::new(rows.view(), largest(rows.view(), kernels).unwrap(), kernels);
                let read = Rows::with_mean(rows.view(), whole.mean.clone(), whole.grid, kernels, codes);
                let until = Until { max_iters: 6, shift: -1.0, spherical: false };
                let run = lloyd::run(&read, init.clone(), until, &mut |_| ControlFlow::Continue(())).unwrap();
                let name = format!("{n} x {dim}, {k}, {}, codes {codes}", kernels.name());
                assert_eq!(run.labels, want, "{name}");
                let off = run.centroids.iter().zip(&centroids).map(|(a, b)| (f64::from(*a) - b).abs());
                assert!(off.fold(0.0, f64::max) < 1e-6, "{name}");
            }
        }
    }
}

/// linfa's k-means from the same centroids comes to the same end.
#[cfg(feature = "cluster")]
#[test]
fn clusters_are_those_of_linfa() {
    use linfa::traits::{Fit, Predict};
    use linfa_clustering::{KMeans as Linfa, KMeansInit};

    let rows = blobs(900, 6, 9, 0.5, 11);
    let init = Vectors::new(rows.as_slice()[..9 * 6].to_vec(), 6).unwrap();
    let ours = KMeans::new(9).init(init.clone()).tolerance(0.0).max_iters(300).fit(rows.view()).unwrap();
    let wide = |vectors: &Vectors| {
        let values = vectors.as_slice().iter().map(|&x| f64::from(x)).collect();
        ndarray::Array2::from_shape_vec((vectors.len(), vectors.dim()), values).unwrap()
    };
    let data = linfa::DatasetBase::from(wide(&rows));
    let params = Linfa::params(9).init_method(KMeansInit::Precomputed(wide(&init)));
    let theirs = params.n_runs(1).max_n_iterations(300).tolerance(1e-12).fit(&data).unwrap();
    let labels: Vec<i32> = theirs.predict(&data).iter().map(|&label| label as i32).collect();
    assert_eq!(labels, ours.labels);
    assert!((theirs.inertia() * 900.0 - ours.inertia).abs() < 1e-3 * ours.inertia);
}

fn shuffled(n: usize, seed: u64) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    order.sort_by_key(|&i| seeding::hash(&[i as f32], seed));
    order
}

#[test]
fn neither_order_nor_threads_matter() {
    // With equal rows among them, clusters that would be empty, and several starts.
    let mut rows = blobs(2000, 24, 30, 0.5, 9);
    for row in 0..300 {
        let copy = rows.row(row % 40).to_vec();
        rows.row_mut(row + 600).copy_from_slice(&copy);
    }
    for (k, spherical) in [(3, false), (40, true), (150, false)] {
        let kmeans = KMeans::new(k).seed(5).n_init(2).spherical(spherical);
        let fit = kmeans.fit(rows.view()).unwrap();
        for seed in 0..3 {
            let order = shuffled(rows.len(), seed);
            let other = rows.permuted(&order);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(1 + seed as usize).build().unwrap();
            let again = pool.install(|| kmeans.fit(other.view()).unwrap());
            let moved: Vec<i32> = order.iter().map(|&i| fit.labels[i as usize]).collect();
            assert_eq!(again.labels, moved, "{k}");
            assert_eq!(again.model, fit.model);
            assert_eq!((again.inertia, again.iterations), (fit.inertia, fit.iterations));
        }
        let sizes = fit.model.sizes();
        assert!(sizes.is_sorted_by(|a, b| a >= b) && sizes.iter().sum::<u64>() == 2000, "{sizes:?}");
    }
}

#[test]
fn training_rows_are_predicted_as_they_were_fitted() {
    let rows = blobs(1200, 48, 20, 0.8, 4);
    for spherical in [false, true] {
        let fit = KMeans::new(35).spherical(spherical).max_iters(7).fit(rows.view()).unwrap();
        assert_eq!(fit.model.predict(rows.view()).unwrap(), fit.labels);
        let distances = fit.model.transform(rows.view()).unwrap();
        assert_eq!((distances.len(), distances.dim()), (1200, 35));
        for (distances, &label) in distances.rows().zip(&fit.labels) {
            let least = distances.iter().fold(f32::INFINITY, |a, &b| a.min(b));
            assert!(distances[label as usize] <= least + 1e-5);
        }
        let squares: f64 = distances
            .rows()
            .zip(&fit.labels)
            .map(|(d, &label)| {
                f64::from(d[label as usize]) * if spherical { 2.0 } else { f64::from(d[label as usize]) }
            })
            .sum();
        assert!((squares - fit.inertia).abs() < 1e-3 * fit.inertia, "{squares} {}", fit.inertia);
    }
}

#[test]
fn a_cluster_without_rows_takes_the_farthest() {
    let rows = Vectors::new(vec![0.0, 1.0, 2.0, 100.0, 200.0, 300.0], 1).unwrap();
    let init = Vectors::new(vec![1.0, 1.0, 1.0, 1.0], 1).unwrap();
    let fit = KMeans::new(4).init(init).tolerance(0.0).fit(rows.view()).unwrap();
    assert!(fit.model.sizes().iter().all(|&size| size > 0), "{:?}", fit.model);
    assert_eq!(fit.labels[..3], [fit.labels[0]; 3]);
    assert!((fit.inertia - 2.0).abs() < 1e-6 && fit.converged, "{fit:?}");
}

#[test]
fn fewer_rows_that_differ_than_clusters() {
    let rows = Vectors::new(vec![1.0, 2.0, 1.0, 2.0, 5.0, 6.0, 1.0, 2.0], 2).unwrap();
    let fit = KMeans::new(3).fit(rows.view()).unwrap();
    assert_eq!((fit.model.n_clusters(), fit.inertia), (2, 0.0));
    assert_eq!(fit.labels, [0, 0, 1, 0]);
    // Given centroids stay, also those that nothing is near.
    let init = Vectors::new(vec![1.0, 2.0, 9.0, 9.0, 5.0, 5.0], 2).unwrap();
    let fit = KMeans::new(3).init(init).fit(rows.view()).unwrap();
    assert_eq!(fit.labels, [0, 0, 2, 0]);
    assert_eq!(fit.model.sizes(), [3, 0, 1]);
    let equal = Vectors::new(vec![3.0; 10], 2).unwrap();
    let fit = KMeans::new(5).fit(equal.view()).unwrap();
    assert_eq!((fit.labels, fit.model.n_clusters()), (vec![0; 5], 1));
}

#[test]
fn what_cannot_be_clustered_is_said() {
    let rows = Vectors::new(vec![1.0, 2.0, 3.0, 4.0], 2).unwrap();
    let fails = |kmeans: KMeans, rows: &Vectors| kmeans.fit(rows.view()).unwrap_err();
    assert!(matches!(fails(KMeans::new(1), &Vectors::zeros(0, 2).unwrap()), ClusterError::NoRows));
    assert!(matches!(fails(KMeans::new(0), &rows), ClusterError::NoClusters));
    assert!(matches!(fails(KMeans::new(3), &rows), ClusterError::TooManyClusters { n_clusters: 3, n: 2 }));
    for (kmeans, parameter) in [
        (KMeans::new(1).max_iters(0), "max_iters"),
        (KMeans::new(1).n_init(0), "n_init"),
        (KMeans::new(1).tolerance(f64::NAN), "tolerance"),
        (KMeans::new(1).tolerance(-1.0), "tolerance"),
        (KMeans::new(1).init(rows.clone()), "init"),
    ] {
        let error = fails(kmeans, &rows);
        assert!(matches!(error, ClusterError::Parameter { name, .. } if name == parameter), "{error}");
    }
    let thin = Vectors::new(vec![1.0, 2.0], 1).unwrap();
    assert!(matches!(fails(KMeans::new(2).init(thin), &rows), ClusterError::Vectors(VectorsError::Dimension { .. })));
    let bad = Vectors::new(vec![1.0, 2.0, 3.0, f32::NAN], 2).unwrap();
    assert!(matches!(fails(KMeans::new(1), &bad), ClusterError::Vectors(VectorsError::NotFinite { row: 1, .. })));
    let error = fails(KMeans::new(1).init(bad.clone()), &bad);
    assert!(error.to_string().contains("init") || matches!(error, ClusterError::Vectors(_)), "{error}");
    let zero = Vectors::new(vec![1.0, 2.0, 0.0, 0.0], 2).unwrap();
    let error = fails(KMeans::new(1).spherical(true), &zero);
    assert!(matches!(error, ClusterError::Vectors(VectorsError::ZeroNorm { row: 1 })), "{error}");
    let stopped = KMeans::new(2).fit_with(rows.view(), |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(ClusterError::Cancelled)));
    let model = KMeans::new(1).fit(rows.view()).unwrap().model;
    assert!(matches!(model.predict(bad.view()), Err(ClusterError::Vectors(VectorsError::NotFinite { .. }))));
    assert!(matches!(model.predict(Vectors::zeros(1, 3).unwrap().view()), Err(ClusterError::Vectors(_))));
    assert!(model.predict(Vectors::zeros(0, 2).unwrap().view()).unwrap().is_empty());
}

#[test]
fn values_of_any_size_are_clustered_alike() {
    let rows = blobs(300, 9, 6, 0.2, 8);
    let want = KMeans::new(6).fit(rows.view()).unwrap();
    for power in [-120, -60, 40, 60, 120] {
        let factor = 2f32.powi(power);
        let scaled: Vec<f32> = rows.as_slice().iter().map(|x| x * factor).collect();
        let scaled = Vectors::new(scaled, 9).unwrap();
        let fit = KMeans::new(6).fit(scaled.view()).unwrap();
        // What is drawn is drawn by the bits of rows, so only the partition is compared.
        let pairs: std::collections::BTreeSet<(i32, i32)> =
            want.labels.iter().copied().zip(fit.labels.clone()).collect();
        assert_eq!(pairs.len(), 6, "2^{power}");
        assert_eq!(fit.model.predict(scaled.view()).unwrap(), fit.labels, "2^{power}");
        assert!(fit.model.transform(scaled.view()).unwrap().as_slice().iter().all(|d| d.is_finite()));
    }
    let far: Vec<f32> = rows.as_slice().iter().map(|x| x + 4096.0).collect();
    let far = KMeans::new(6).fit(Vectors::new(far, 9).unwrap().view()).unwrap();
    let pairs: std::collections::BTreeSet<(i32, i32)> = want.labels.iter().copied().zip(far.labels).collect();
    assert_eq!(pairs.len(), 6);
}

#[test]
fn a_model_comes_back_and_a_damaged_one_is_refused() {
    let rows = blobs(200, 7, 5, 0.2, 2);
    let model = KMeans::new(5).spherical(true).fit(rows.view()).unwrap().model;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("clusters.model");
    model.save(&path).unwrap();
    assert_eq!(KMeansModel::load(&path).unwrap(), model);
    assert!(matches!(KMeansModel::load(dir.path().join("none")), Err(ClusterError::Vectors(VectorsError::Io { .. }))));
    let bytes = model.to_bytes();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 4;
        assert!(KMeansModel::from_bytes(&damaged).is_err(), "byte {at}");
        assert!(KMeansModel::from_bytes(&bytes[..at]).is_err(), "{at} bytes");
    }
}

#[test]
fn clusters_keep_their_numbers_when_rows_are_added() {
    let all = blobs(2200, 16, 11, 0.15, 12);
    let some = Vectors::new(all.as_slice()[..2000 * 16].to_vec(), 16).unwrap();
    for spherical in [false, true] {
        let before = KMeans::new(11).seed(1).n_init(4).spherical(spherical).fit(some.view()).unwrap();
        let mut after = KMeans::new(11).seed(2).n_init(4).spherical(spherical).fit(all.view()).unwrap();
        after.match_to(&before.model).unwrap();
        assert_eq!(after.labels[..2000], before.labels[..]);
        assert_eq!(after.model.predict(all.view()).unwrap(), after.labels);
        let mut sizes = vec![0; 11];
        after.labels.iter().for_each(|&label| sizes[label as usize] += 1);
        assert_eq!(after.model.sizes(), sizes);
        let other = KMeans::new(10).fit(all.view()).unwrap();
        assert!(matches!(after.match_to(&other.model), Err(ClusterError::Parameter { .. })));
    }
}

#[test]
fn rows_that_stay_in_a_file_are_clustered_as_those_in_memory() {
    let rows = blobs(6000, 20, 15, 0.4, 6);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("rows.npy");
    crate::vectors::npy::write(&path, rows.view()).unwrap();
    let file = crate::vectors::npy::NpyFile::open(&path).unwrap();
    for spherical in [false, true] {
        let kmeans = MiniBatchKMeans::new(15).batch_size(800).spherical(spherical);
        let fit = kmeans.fit(&file).unwrap();
        let order = shuffled(rows.len(), 1);
        let again = kmeans.fit(&rows.permuted(&order).view()).unwrap();
        let moved: Vec<i32> = order.iter().map(|&i| fit.labels[i as usize]).collect();
        assert_eq!((again.labels, again.inertia, again.model), (moved, fit.inertia, fit.model.clone()));
        assert_eq!(fit.model.predict(rows.view()).unwrap(), fit.labels);
        let full = KMeans::new(15).spherical(spherical).n_init(3).fit(rows.view()).unwrap();
        assert!(fit.inertia <= 1.02 * full.inertia, "{} of {}", fit.inertia, full.inertia);
    }
    assert!(matches!(MiniBatchKMeans::new(0).fit(&file), Err(ClusterError::NoClusters)));
    assert!(matches!(MiniBatchKMeans::new(6001).fit(&file), Err(ClusterError::TooManyClusters { .. })));
    let stopped = MiniBatchKMeans::new(2).fit_with(&file, |_| ControlFlow::Break(()));
    assert!(matches!(stopped, Err(ClusterError::Cancelled)));
    let huge = Vectors::new(vec![1e30, 2e30], 1).unwrap();
    let error = MiniBatchKMeans::new(1).fit(&huge.view()).unwrap_err();
    assert!(matches!(error, ClusterError::Parameter { .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_rows_are_clustered(n in 1usize..80, dim in 1usize..12, k in 1usize..40, levels in 1u32..6, seed in any::<u64>()) {
        // Values from a few levels: many rows are equal or equally far from centroids.
        let noise = blobs(n, dim, 1, 1.0, seed);
        let values = noise.as_slice().iter().map(|x| (x * levels as f32).round()).collect();
        let rows = Vectors::new(values, dim).unwrap();
        let k = k.min(n);
        let fit = KMeans::new(k).seed(seed).fit(rows.view()).unwrap();
        let distinct: std::collections::BTreeSet<Vec<u32>> = rows.rows().map(|r| r.iter().map(|x| (x + 0.0).to_bits()).collect()).collect();
        prop_assert!(fit.model.n_clusters() <= distinct.len().max(1));
        prop_assert!(fit.model.sizes().iter().all(|&size| size > 0), "{:?}", fit.model.sizes());
        prop_assert_eq!(fit.model.predict(rows.view()).unwrap(), fit.labels.clone());
        let order = shuffled(n, seed);
        let again = KMeans::new(k).seed(seed).fit(rows.permuted(&order).view()).unwrap();
        let moved: Vec<i32> = order.iter().map(|&i| fit.labels[i as usize]).collect();
        prop_assert_eq!(again.labels, moved);
    }
}
