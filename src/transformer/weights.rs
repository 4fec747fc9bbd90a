//! `model.safetensors`: tensors by name, read one at a time, checked and widened to f32.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::error::ModelError;

/// A table of some hundred tensors takes some ten KiB.
const LONGEST_TABLE: u64 = 16 << 20;

/// An open file of weights. Only its table is in memory: a model of 2 GiB is not held twice while
/// it is read.
pub(crate) struct Weights {
    path: PathBuf,
    file: File,
    table: Metadata,
    /// Where the tensors begin.
    start: u64,
}

impl Weights {
    /// Opens a file, and compares its table with its length.
    pub fn open(path: &Path) -> Result<Weights, ModelError> {
        let io = |source| ModelError::Io { path: path.into(), source };
        let broken = |reason: String| ModelError::file(path, format!("not a whole safetensors file: {reason}"));
        let mut file = File::open(path).map_err(io)?;
        let length = file.metadata().map_err(io)?.len();
        let mut size = [0; 8];
        if length < size.len() as u64 {
            return Err(broken(format!("{length} bytes")));
        }
        file.read_exact(&mut size).map_err(io)?;
        let size = u64::from_le_bytes(size);
        if size > LONGEST_TABLE.min(length - 8) {
            return Err(broken(format!("a table of {size} bytes in a file of {length}")));
        }
        let mut table = vec![0; size as usize];
        file.read_exact(&mut table).map_err(io)?;
        let table: Metadata = serde_json::from_slice(&table).map_err(|e| broken(e.to_string()))?;
        let start = 8 + size;
        let tensors = table.data_len() as u64;
        if start.checked_add(tensors) != Some(length) {
            return Err(broken(format!("{} bytes of tensors where its table has {tensors}", length - start)));
        }
        Ok(Weights { path: path.into(), file, table, start })
    }

    /// The file's path, for errors.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A tensor's shape, if there is one of that name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.table.info(name).map(|info| info.shape.as_slice())
    }

    /// Reads a tensor of exactly this shape, row after row.
    pub fn read(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let info = self.table.info(name).cloned();
        let Some(info) =
            info.filter(|info| info.shape == shape && matches!(info.dtype, Dtype::F32 | Dtype::F16 | Dtype::BF16))
        else {
            let found = self.table.info(name).map(|info| format!("{} {:?}", info.dtype, info.shape));
            return Err(ModelError::Tensor {
                path: self.path.clone(),
                name: name.to_owned(),
                expected: format!("F32, F16 or BF16 {shape:?}"),
                found: found.unwrap_or_else(|| "missing".to_owned()),
            });
        };
        // The table was checked against the length of the file, and shapes against its offsets.
        let (from, to) = info.data_offsets;
        let mut bytes = vec![0; to - from];
        let read =
            self.file.seek(SeekFrom::Start(self.start + from as u64)).and_then(|_| self.file.read_exact(&mut bytes));
        read.map_err(|source| ModelError::Io { path: self.path.clone(), source })?;
        let pairs = || bytes.as_chunks::<2>().0.iter();
        Ok(match info.dtype {
            Dtype::F16 => pairs().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
            Dtype::BF16 => pairs().map(|b| bf16::from_le_bytes(*b).to_f32()).collect(),
            _ => bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        })
    }
}
