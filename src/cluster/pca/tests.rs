//! Principal components beside scikit-learn's numbers (data/golden/pca), and what must not matter.

use super::*;
use serde_json::Value;

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../data/golden/pca/pca.json")).unwrap()
}

fn numbers(golden: &Value, name: &str) -> Vec<f64> {
    golden[name].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn near(name: &str, found: impl IntoIterator<Item = f64>, want: &[f64], tolerance: f64) {
    let found: Vec<f64> = found.into_iter().collect();
    assert_eq!(found.len(), want.len(), "{name}");
    for (i, (a, b)) in found.iter().zip(want).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{name} {i}: {a} {b}");
    }
}

fn wide(values: &[f32]) -> impl Iterator<Item = f64> + '_ {
    values.iter().map(|&x| f64::from(x))
}

#[test]
fn components_are_those_of_scikit_learn() {
    let golden = golden();
    let values = numbers(&golden, "rows").iter().map(|&x| x as f32).collect();
    let rows = Vectors::new(values, 12).unwrap();
    for solver in [PcaSolver::Auto, PcaSolver::Covariance, PcaSolver::Randomized] {
        let params = PcaParams::new(5).solver(solver);
        let pca = params.fit(rows.view()).unwrap();
        let name = |what: &str| format!("{solver:?} {what}");
        near(&name("mean"), wide(pca.mean()), &numbers(&golden, "mean"), 1e-5);
        near(&name("components"), wide(pca.components().as_slice()), &numbers(&golden, "components"), 1e-4);
        let variance = pca.explained_variance().iter().copied();
        near(&name("variance"), variance, &numbers(&golden, "explained_variance"), 1e-5);
        near(&name("ratio"), pca.explained_variance_ratio(), &numbers(&golden, "explained_variance_ratio"), 1e-5);
        near(&name("singular values"), pca.singular_values(), &numbers(&golden, "singular_values"), 1e-5);
        let transformed = pca.transform(rows.view()).unwrap();
        near(&name("transform"), wide(transformed.as_slice()), &numbers(&golden, "transformed"), 1e-3);
        let restored = pca.inverse_transform(transformed.view()).unwrap();
        near(&name("inverse"), wide(restored.as_slice()), &numbers(&golden, "restored"), 1e-4);
        let whitening = params.whiten(true).fit(rows.view()).unwrap();
        let whitened = whitening.transform(rows.view()).unwrap();
        near(&name("whitened"), wide(whitened.as_slice()), &numbers(&golden, "whitened"), 1e-3);
        let restored = whitening.inverse_transform(whitened.view()).unwrap();
        near(&name("inverse of whitened"), wide(restored.as_slice()), &numbers(&golden, "restored"), 1e-4);
    }
}

fn rows(n: usize, dim: usize) -> Vectors {
    let value = |i: usize| {
        let (row, column) = (i / dim, i % dim);
        let wave = |k: usize| ((row * (2 * k + 1)) as f32 * 0.37).sin() * ((column * (k + 1)) as f32 * 0.11).cos();
        100.0 + wave(0) * 3.0 + wave(1) * 2.0 + wave(2) + ((i * i * 31 + i * 7) % 101) as f32 / 400.0
    };
    Vectors::new((0..n * dim).map(value).collect(), dim).unwrap()
}

#[test]
fn neither_blocks_nor_threads_matter() {
    let rows = rows(5000, 70);
    let params = PcaParams::new(6);
    let whole = params.fit(rows.view()).unwrap();
    for size in [1, 999, 2048, 4096, 5000] {
        let mut fitter = PcaFitter::new(params.clone(), 70);
        for block in rows.as_slice().chunks(size * 70) {
            fitter.add(VectorsView::new(block, 70).unwrap()).unwrap();
        }
        assert_eq!(fitter.finish().unwrap(), whole, "{size}");
    }
    for solver in [PcaSolver::Covariance, PcaSolver::Randomized] {
        let params = params.clone().solver(solver);
        let fit = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| params.fit(rows.view()).unwrap())
        };
        assert_eq!(fit(1), fit(3));
    }
}

#[test]
fn the_random_way_finds_nearly_what_the_exact_one_does() {
    let rows = rows(400, 1500);
    let exact = PcaParams::new(4).solver(PcaSolver::Covariance).fit(rows.view()).unwrap();
    let random = PcaParams::new(4).fit(rows.view()).unwrap();
    near("ratio", random.explained_variance_ratio(), &exact.explained_variance_ratio(), 1e-4);
    for (a, b) in random.components().rows().zip(exact.components().rows()).take(3) {
        let along: f64 = a.iter().zip(b).map(|(x, y)| f64::from(x * y)).sum();
        assert!(along > 0.999, "{along}");
    }
}

#[test]
fn rows_that_do_not_vary_explain_nothing() {
    let equal = Vectors::new(vec![3.0; 40], 4).unwrap();
    for solver in [PcaSolver::Covariance, PcaSolver::Randomized] {
        for whiten in [false, true] {
            let pca = PcaParams::new(2).solver(solver).whiten(whiten).fit(equal.view()).unwrap();
            assert_eq!(pca.explained_variance_ratio(), [0.0, 0.0], "{solver:?}");
            let reduced = pca.transform(equal.view()).unwrap();
            assert!(reduced.as_slice().iter().all(|x| x.abs() < 1e-4), "{solver:?} {reduced:?}");
            assert_eq!(pca.inverse_transform(reduced.view()).unwrap(), equal);
        }
    }
    let one = Vectors::new(vec![1.0, 2.0], 2).unwrap();
    assert_eq!(PcaParams::new(1).fit(one.view()).unwrap().explained_variance(), [0.0]);
}

#[test]
fn what_cannot_be_reduced_is_said() {
    let rows = rows(3, 5);
    for wrong in [0, 4, 6] {
        let error = PcaParams::new(wrong).fit(rows.view()).unwrap_err();
        assert!(matches!(error, ClusterError::Components { .. }), "{error}");
    }
    assert!(matches!(PcaParams::new(1).fit(Vectors::zeros(0, 5).unwrap().view()), Err(ClusterError::NoRows)));
    let mut bad = rows.clone();
    bad.row_mut(2)[1] = f32::NAN;
    let error = PcaParams::new(1).fit(bad.view()).unwrap_err();
    assert!(matches!(error, ClusterError::Vectors(VectorsError::NotFinite { row: 2, column: 1, .. })), "{error}");
    let mut fitter = PcaFitter::new(PcaParams::new(1), 5);
    fitter.add(rows.view()).unwrap();
    let error = fitter.add(bad.view()).unwrap_err();
    assert!(matches!(error, ClusterError::Vectors(VectorsError::NotFinite { row: 5, .. })), "{error}");
    assert!(fitter.finish().is_ok());
    let pca = PcaParams::new(1).fit(rows.view()).unwrap();
    let thin = Vectors::zeros(1, 4).unwrap();
    assert!(matches!(pca.transform(thin.view()), Err(ClusterError::Vectors(VectorsError::Dimension { .. }))));
    assert!(pca.inverse_transform(thin.view()).is_err() && pca.transform(bad.view()).is_err());
    let huge = Vectors::new(vec![1e38, -1e38, 3e38, 0.0], 2).unwrap();
    let error = PcaParams::new(1).fit(huge.view()).unwrap_err();
    assert!(matches!(error, ClusterError::Failed { .. }), "{error}");
}
