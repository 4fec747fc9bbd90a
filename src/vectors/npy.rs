//! NumPy's `.npy` files: two-dimensional, C order, little-endian `f4`, `f2`, `f8` in; `f4` out;
//! one- or two-dimensional `i4`, `i8`, `u4` for neighbour lists and labels.
//!
//! Format: NEP 1 ("A Simple File Format for NumPy Arrays"), versions 1.0 to 3.0 in, 1.0 out.
//! The header is a small fixed form of a Python dictionary, read here by its three keys; a
//! general reader costs some thirty more crates.

mod file;

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

pub use file::NpyFile;

use super::{Vectors, VectorsView};
use crate::error::VectorsError;

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Headers of real files take about 100 bytes; more than this is not one.
const MAX_HEADER: usize = 64 * 1024;

/// The type and shape that a header states.
struct Header {
    descr: String,
    shape: Vec<usize>,
}

impl Header {
    /// The shape for a message, however long it is.
    fn shown_shape(&self) -> String {
        let more = if self.shape.len() > 8 { ", ..." } else { "" };
        let first: Vec<String> = self.shape.iter().take(8).map(ToString::to_string).collect();
        format!("shape ({}{more})", first.join(", "))
    }
}

/// A type of numbers that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Element {
    Half,
    Single,
    Double,
}

impl Element {
    fn of(path: &Path, header: &Header) -> Result<Self, VectorsError> {
        match header.descr.as_str() {
            "<f4" | "|f4" => Ok(Element::Single),
            "<f2" => Ok(Element::Half),
            "<f8" => Ok(Element::Double),
            other => Err(bad(path, format!("type {other}; '<f4', '<f2' and '<f8' are supported"))),
        }
    }

    fn bytes(self) -> usize {
        match self {
            Element::Half => 2,
            Element::Single => 4,
            Element::Double => 8,
        }
    }

    /// Appends the numbers that some bytes hold.
    fn append(self, bytes: &[u8], out: &mut Vec<f32>) {
        match self {
            Element::Half => out.extend(bytes.as_chunks::<2>().0.iter().map(|b| half::f16::from_le_bytes(*b).to_f32())),
            Element::Single => out.extend(bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b))),
            Element::Double => out.extend(bytes.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b) as f32)),
        }
    }
}

/// Reads a two-dimensional array of floats as `f32`.
///
/// # Errors
/// [`VectorsError::Io`] when the file cannot be read, [`VectorsError::File`] when it is not a
/// two-dimensional C-order array of `f2`, `f4` or `f8`, or is shorter than its header says.
pub fn read(path: impl AsRef<Path>) -> Result<Vectors, VectorsError> {
    let path = path.as_ref();
    let (header, body) = open(path)?;
    let (n, dim) = matrix(path, &header)?;
    let mut data = Vec::new();
    Element::of(path, &header)?.append(&body, &mut data);
    let want = n.checked_mul(dim).ok_or_else(|| bad(path, "shape overflows"))?;
    if data.len() < want {
        return Err(bad(path, format!("{} values where the shape {n} x {dim} needs {want}", data.len())));
    }
    data.truncate(want);
    Vectors::new(data, dim)
}

/// The shape `(n, dim)` of a matrix; only the header is read.
///
/// # Errors
/// As [`read`], as far as the header tells.
pub fn shape(path: impl AsRef<Path>) -> Result<(usize, usize), VectorsError> {
    let path = path.as_ref();
    matrix(path, &open_header(path)?.0)
}

fn matrix(path: &Path, header: &Header) -> Result<(usize, usize), VectorsError> {
    match header.shape[..] {
        [n, dim] => Ok((n, dim)),
        _ => Err(bad(path, format!("{}; a matrix n x dim is expected", header.shown_shape()))),
    }
}

/// Reads an array of integers: `(values, columns)`, where a one-dimensional array has one column.
///
/// # Errors
/// As [`read`]; the types are `i4`, `u4` and `i8`.
pub fn read_ids(path: impl AsRef<Path>) -> Result<(Vec<i64>, usize), VectorsError> {
    let path = path.as_ref();
    let (header, body) = open(path)?;
    let columns = match header.shape[..] {
        [_] => 1,
        [_, columns] if columns > 0 => columns,
        _ => return Err(bad(path, format!("{}; one or two dimensions are expected", header.shown_shape()))),
    };
    let values: Vec<i64> = match header.descr.as_str() {
        "<i4" => body.as_chunks::<4>().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect(),
        "<u4" => body.as_chunks::<4>().0.iter().map(|b| i64::from(u32::from_le_bytes(*b))).collect(),
        "<i8" => body.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b)).collect(),
        other => return Err(bad(path, format!("type {other}; '<i4', '<u4' and '<i8' are supported"))),
    };
    let want = header.shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
    if want != Some(values.len()) {
        return Err(bad(path, format!("{} values do not fill the {}", values.len(), header.shown_shape())));
    }
    Ok((values, columns))
}

/// Writes a matrix as `'<f4'`, shape `(n, dim)`.
///
/// # Errors
/// [`VectorsError::Io`].
pub fn write(path: impl AsRef<Path>, vectors: VectorsView<'_>) -> Result<(), VectorsError> {
    let path = path.as_ref();
    let io = |source| VectorsError::Io { path: path.to_owned(), source };
    let mut writer = NpyWriter::new(File::create(path).map_err(io)?, vectors.dim()).map_err(io)?;
    writer.write_rows(vectors.as_slice()).map_err(io)?;
    writer.finish().map_err(io)?;
    Ok(())
}

/// Writes a matrix of `'<f4'` rows as they come, and states the number of rows at the end.
pub struct NpyWriter<W: Write + Seek> {
    out: BufWriter<W>,
    dim: usize,
    values: usize,
}

impl<W: Write + Seek> NpyWriter<W> {
    /// Starts a file of rows of `dim` values.
    ///
    /// # Errors
    /// What the writer answers.
    pub fn new(out: W, dim: usize) -> io::Result<Self> {
        let mut out = BufWriter::new(out);
        out.write_all(&header(0, dim))?;
        Ok(NpyWriter { out, dim, values: 0 })
    }

    /// The number of values in a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Adds whole rows.
    ///
    /// # Errors
    /// What the writer answers.
    pub fn write_rows(&mut self, values: &[f32]) -> io::Result<()> {
        for value in values {
            self.out.write_all(&value.to_le_bytes())?;
        }
        self.values += values.len();
        Ok(())
    }

    /// Writes the number of rows into the header and gives the writer back.
    ///
    /// # Errors
    /// What the writer answers.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        let mut out = self.out.into_inner().map_err(|e| e.into_error())?;
        out.seek(SeekFrom::Start(0))?;
        out.write_all(&header(self.values / self.dim.max(1), self.dim))?;
        out.seek(SeekFrom::End(0))?;
        out.flush()?;
        Ok(out)
    }
}

/// Writes labels as `'<i4'`, shape `(n,)`.
///
/// # Errors
/// [`VectorsError::Io`].
pub fn write_labels(path: impl AsRef<Path>, labels: &[i32]) -> Result<(), VectorsError> {
    let path = path.as_ref();
    let write = || {
        let mut out = BufWriter::new(File::create(path)?);
        out.write_all(&header_of("<i4", &format!("({},)", labels.len())))?;
        for label in labels {
            out.write_all(&label.to_le_bytes())?;
        }
        out.flush()
    };
    write().map_err(|source| VectorsError::Io { path: path.to_owned(), source })
}

/// A version 1.0 header for a `'<f4'` matrix, of the same length for any `n`.
pub fn header(n: usize, dim: usize) -> Vec<u8> {
    header_of("<f4", &format!("({n}, {dim})"))
}

fn header_of(descr: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while text.len() < 117 {
        text.push(' ');
    }
    text.push('\n');
    let mut out = MAGIC.to_vec();
    out.extend([1, 0]);
    out.extend((text.len() as u16).to_le_bytes());
    out.extend(text.as_bytes());
    out
}

fn bad(path: &Path, reason: impl Into<String>) -> VectorsError {
    VectorsError::File { path: path.to_owned(), reason: reason.into() }
}

fn open(path: &Path) -> Result<(Header, Vec<u8>), VectorsError> {
    let (header, mut input, left) = open_header(path)?;
    let io = |source| VectorsError::Io { path: path.to_owned(), source };
    let mut body = Vec::new();
    // A length that memory has no room for (a file with holes states any) is an error, not the end.
    body.try_reserve_exact(left).map_err(|_| io(io::ErrorKind::OutOfMemory.into()))?;
    input.read_to_end(&mut body).map_err(io)?;
    Ok((header, body))
}

/// The header, the file at what follows it, and how many bytes that is.
fn open_header(path: &Path) -> Result<(Header, BufReader<File>, usize), VectorsError> {
    let io = |source| VectorsError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let length = file.metadata().map_err(io)?.len();
    let mut input = BufReader::new(file);
    let mut start = [0u8; 10];
    input.read_exact(&mut start).map_err(|_| bad(path, "too short for an npy file"))?;
    if &start[..6] != MAGIC {
        return Err(bad(path, "not an npy file (numpy.save writes one)"));
    }
    let short = usize::from(u16::from_le_bytes([start[8], start[9]]));
    let (header_len, prefix) = if start[6] == 1 {
        (short, 10)
    } else {
        let mut more = [0u8; 2];
        input.read_exact(&mut more).map_err(|_| bad(path, "the header is cut short"))?;
        (u32::from_le_bytes([start[8], start[9], more[0], more[1]]) as usize, 12)
    };
    if header_len > MAX_HEADER {
        return Err(bad(path, format!("a header of {header_len} bytes")));
    }
    let mut text = vec![0u8; header_len];
    input.read_exact(&mut text).map_err(|_| bad(path, "the header is cut short"))?;
    let header = parse(&String::from_utf8_lossy(&text)).ok_or_else(|| bad(path, "the header cannot be parsed"))?;
    let header = header.map_err(|reason| bad(path, reason))?;
    Ok((header, input, length.saturating_sub((prefix + header_len) as u64) as usize))
}

fn parse(text: &str) -> Option<Result<Header, String>> {
    let descr = text.split("'descr':").nth(1)?.trim_start();
    // A type's name has a few characters; what is longer is repeated in no message.
    let descr = descr.strip_prefix('\'')?.split('\'').next()?.chars().take(16).collect();
    if text.split("'fortran_order':").nth(1)?.trim_start().starts_with("True") {
        return Some(Err("Fortran order; save it with numpy.ascontiguousarray".to_owned()));
    }
    let shape = text.split("'shape':").nth(1)?.trim_start().strip_prefix('(')?.split(')').next()?;
    let shape = shape.split(',').map(str::trim).filter(|s| !s.is_empty()).map(|s| s.parse().ok());
    let shape = shape.collect::<Option<Vec<usize>>>()?;
    Some(Ok(Header { descr, shape }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::RowSource;

    #[test]
    fn a_matrix_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.npy");
        let v = Vectors::new((0..12).map(|x| x as f32 / 3.0).collect(), 4).unwrap();
        write(&path, v.view()).unwrap();
        assert_eq!(read(&path).unwrap(), v);
        assert_eq!(shape(&path).unwrap(), (3, 4));
        assert_eq!(header(3, 4).len() % 64, 0);
        assert_eq!(header(0, 4).len(), header(1_000_000_000, 4096).len());
    }

    #[test]
    fn labels_and_blocks_of_rows_come_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("labels.npy");
        write_labels(&path, &[3, -1, 0]).unwrap();
        assert_eq!(read_ids(&path).unwrap(), (vec![3, -1, 0], 1));
        let v = Vectors::new((0..21).map(|x| x as f32 / 3.0).collect(), 3).unwrap();
        write(&path, v.view()).unwrap();
        let file = NpyFile::open(&path).unwrap();
        assert_eq!((file.len(), file.dim()), (7, 3));
        let mut rows = vec![9.0];
        for (first, count) in [(0, 7), (2, 3), (6, 1), (3, 0)] {
            file.read(first, count, &mut rows).unwrap();
            assert_eq!(rows, v.as_slice()[first * 3..(first + count) * 3]);
        }
        File::options().write(true).open(&path).unwrap().set_len(140).unwrap();
        assert!(matches!(file.read(0, 7, &mut rows), Err(VectorsError::Io { .. })));
        assert!(NpyFile::open(&path).unwrap_err().to_string().contains("fewer than the shape 7 x 3"));
    }

    #[test]
    fn wrong_files_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("m.npy");
        let write_bytes = |bytes: &[u8]| std::fs::write(&path, bytes).unwrap();
        write_bytes(b"");
        assert!(read(&path).unwrap_err().to_string().contains("too short"));
        write_bytes(b"plain text, not an array");
        assert!(read(&path).unwrap_err().to_string().contains("not an npy file"));
        let mut cut = header(3, 4);
        cut.extend([0; 8]);
        write_bytes(&cut);
        assert!(read(&path).unwrap_err().to_string().contains("needs 12"));
        let ids = |descr: &str, shape: &str| {
            let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
            [MAGIC, &[1, 0][..], &(text.len() as u16).to_le_bytes(), text.as_bytes()].concat()
        };
        write_bytes(&ids("<i4", "3, 0"));
        assert!(read_ids(&path).unwrap_err().to_string().contains("shape (3, 0)"));
        write_bytes(&ids("<i4", &"7, ".repeat(9_000)));
        assert!(read_ids(&path).unwrap_err().to_string().len() < 300, "a long shape is not repeated");
        write_bytes(&ids(&"x".repeat(9_000), "3, 4"));
        assert!(read(&path).unwrap_err().to_string().len() < 300, "a long type is not repeated");
        write_bytes(&ids("<f4", "18446744073709551615, 18446744073709551615"));
        assert!(read(&path).unwrap_err().to_string().contains("overflows"));
        // A file of holes: its length is more than any memory.
        let holes = header(1, 1);
        write_bytes(&holes);
        if File::options().write(true).open(&path).and_then(|file| file.set_len(1 << 45)).is_ok() {
            assert!(matches!(read(&path), Err(VectorsError::Io { .. })));
        }
        let fortran = String::from_utf8_lossy(&header(1, 1)[6..]).replace("False", "True ");
        let mut bytes = MAGIC.to_vec();
        bytes.extend(fortran.as_bytes());
        write_bytes(&bytes);
        assert!(read(&path).unwrap_err().to_string().contains("Fortran"));
        assert!(matches!(read(dir.path().join("absent.npy")), Err(VectorsError::Io { .. })));
    }
}
