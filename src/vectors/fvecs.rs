//! The `.fvecs` and `.ivecs` files of the TEXMEX corpora (<http://corpus-texmex.irisa.fr>): each
//! row is a little-endian `i32` dimension and then that many `f32` or `i32` values.

use std::fs;
use std::io::Read;
use std::path::Path;

use super::{Vectors, VectorsView};
use crate::error::VectorsError;

/// Reads an `.fvecs` file.
///
/// # Errors
/// [`VectorsError::Io`] when the file cannot be read, [`VectorsError::File`] when a row is cut
/// short or has another dimension than the first.
pub fn read(path: impl AsRef<Path>) -> Result<Vectors, VectorsError> {
    let (words, dim) = rows(path.as_ref())?;
    Vectors::new(words.into_iter().map(f32::from_le_bytes).collect(), dim)
}

/// The shape `(n, dim)` that the length and the first row of an `.fvecs` file make; nothing else is read.
///
/// # Errors
/// As [`read`], as far as these tell.
pub fn shape(path: impl AsRef<Path>) -> Result<(usize, usize), VectorsError> {
    let path = path.as_ref();
    let io = |source| VectorsError::Io { path: path.to_owned(), source };
    let mut file = fs::File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut first = [0; 4];
    let dim = match file.read_exact(&mut first) {
        Ok(()) => usize::try_from(i32::from_le_bytes(first)).unwrap_or(0),
        Err(_) => 0,
    };
    let row = 4 * (dim as u64 + 1);
    if dim == 0 || length % row != 0 {
        let reason = format!("{length} bytes are not whole rows of {dim} values");
        return Err(VectorsError::File { path: path.to_owned(), reason });
    }
    Ok(((length / row) as usize, dim))
}

/// Reads an `.ivecs` file: `(values, columns)`.
///
/// # Errors
/// As [`read`].
pub fn read_ids(path: impl AsRef<Path>) -> Result<(Vec<i64>, usize), VectorsError> {
    let (words, dim) = rows(path.as_ref())?;
    Ok((words.into_iter().map(|w| i64::from(i32::from_le_bytes(w))).collect(), dim))
}

/// Writes an `.fvecs` file.
///
/// # Errors
/// [`VectorsError::Io`].
pub fn write(path: impl AsRef<Path>, vectors: VectorsView<'_>) -> Result<(), VectorsError> {
    let path = path.as_ref();
    let mut out = Vec::with_capacity(vectors.len() * (vectors.dim() + 1) * 4);
    for row in vectors.rows() {
        out.extend((vectors.dim() as u32).to_le_bytes());
        row.iter().for_each(|x| out.extend(x.to_le_bytes()));
    }
    fs::write(path, out).map_err(|source| VectorsError::Io { path: path.to_owned(), source })
}

fn rows(path: &Path) -> Result<(Vec<[u8; 4]>, usize), VectorsError> {
    let bad = |reason: String| VectorsError::File { path: path.to_owned(), reason };
    let bytes = fs::read(path).map_err(|source| VectorsError::Io { path: path.to_owned(), source })?;
    let (words, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(bad(format!("{} bytes, which is not a multiple of 4", bytes.len())));
    }
    let dim = words.first().map_or(0, |w| i32::from_le_bytes(*w));
    let dim = usize::try_from(dim).ok().filter(|&d| d > 0).ok_or_else(|| bad(format!("dimension {dim}")))?;
    let mut out = Vec::with_capacity(words.len());
    for (row, values) in words.chunks(dim + 1).enumerate() {
        let found = i32::from_le_bytes(values[0]);
        if found as usize != dim || values.len() != dim + 1 {
            return Err(bad(format!(
                "row {row} states {found} values and holds {}; the first row has {dim}",
                values.len() - 1
            )));
        }
        out.extend_from_slice(&values[1..]);
    }
    Ok((out, dim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matrix_comes_back_and_a_cut_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.fvecs");
        let v = Vectors::new((0..12).map(|x| x as f32).collect(), 4).unwrap();
        write(&path, v.view()).unwrap();
        assert_eq!(read(&path).unwrap(), v);
        assert_eq!(shape(&path).unwrap(), (3, 4));
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 4]).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("row 2"));
        assert!(shape(&path).unwrap_err().to_string().contains("56 bytes"));
        fs::write(&path, &bytes[..3]).unwrap();
        assert!(read(&path).is_err());
        fs::write(&path, 0u32.to_le_bytes()).unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("dimension 0"));
    }
}
