//! How well clusters are told apart: the silhouette (Rousseeuw, "Silhouettes: a graphical aid to the
//! interpretation and validation of cluster analysis", 1987).

use rayon::prelude::*;

use super::kmeans::sample_of;
use crate::error::ClusterError;
use crate::metric::Kernels;
use crate::vectors::VectorsView;

/// The mean silhouette of rows with these labels, from -1 to 1: how much nearer a row is to its own cluster
/// than to the next one, by Euclidean distance. Larger is better.
///
/// Of more than `sample_size` rows about so many are drawn by what they hold, and compared among each other: the
/// work grows with its square. Rows of label -1 are left out; a cluster of one row in the sample counts 0.
/// With fewer than two clusters the answer is 0.
///
/// # Errors
/// [`ClusterError::Parameter`] when there is not a label for each row, [`ClusterError::Vectors`] for NaN or infinity.
pub fn silhouette(rows: VectorsView<'_>, labels: &[i32], sample_size: usize, seed: u64) -> Result<f64, ClusterError> {
    if labels.len() != rows.len() {
        let value = format!("{} labels for {} rows", labels.len(), rows.len());
        return Err(ClusterError::Parameter { name: "labels", value, expected: "one for each row" });
    }
    rows.check_finite()?;
    let sample: Vec<(usize, i32)> = sample_of(rows, sample_size, seed)
        .into_iter()
        .map(|row| (row as usize, labels[row as usize]))
        .filter(|r| r.1 >= 0)
        .collect();
    let count = sample.iter().map(|r| r.1 as usize + 1).max().unwrap_or(0);
    let mut sizes = vec![0usize; count];
    sample.iter().for_each(|r| sizes[r.1 as usize] += 1);
    if sizes.iter().filter(|&&size| size > 0).count() < 2 {
        return Ok(0.0);
    }
    let kernels = Kernels::detect();
    let values = sample.par_iter().map(|&(row, label)| {
        let mut sums = vec![0.0f64; count];
        for &(other, of) in &sample {
            sums[of as usize] += f64::from(kernels.l2_squared(rows.row(row), rows.row(other))).sqrt();
        }
        let own = sizes[label as usize];
        if own < 2 {
            return 0.0;
        }
        let within = sums[label as usize] / (own - 1) as f64;
        let others = (0..count).filter(|&c| c != label as usize && sizes[c] > 0).map(|c| sums[c] / sizes[c] as f64);
        let next = others.fold(f64::INFINITY, f64::min);
        if within.max(next) > 0.0 { (next - within) / within.max(next) } else { 0.0 }
    });
    let values: Vec<f64> = values.collect();
    Ok(values.iter().sum::<f64>() / values.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::Vectors;

    #[test]
    fn it_is_that_of_the_definition() {
        // Two pairs on a line: within 1, to the others 9 and 10 or 10 and 11.
        let rows = Vectors::new(vec![0.0, 1.0, 10.0, 11.0], 1).unwrap();
        let value = silhouette(rows.view(), &[0, 0, 1, 1], 100, 0).unwrap();
        let want = (9.5 / 10.5 + 8.5 / 9.5) / 2.0;
        assert!((value - want).abs() < 1e-6, "{value} {want}");
        assert!(silhouette(rows.view(), &[0, 1, 0, 1], 100, 0).unwrap() < 0.0);
        assert_eq!(silhouette(rows.view(), &[0; 4], 100, 0).unwrap(), 0.0);
        assert_eq!(silhouette(rows.view(), &[-1; 4], 100, 0).unwrap(), 0.0);
        // Noise and single rows count nothing.
        let value = silhouette(rows.view(), &[0, 0, 1, -1], 100, 0).unwrap();
        assert!((value - (9.0 / 10.0 + 8.0 / 9.0) / 3.0).abs() < 1e-6, "{value}");
        assert!(matches!(silhouette(rows.view(), &[0], 100, 0), Err(ClusterError::Parameter { .. })));
        let equal = Vectors::new(vec![1.0; 4], 1).unwrap();
        assert_eq!(silhouette(equal.view(), &[0, 0, 1, 1], 100, 0).unwrap(), 0.0);
    }
}
