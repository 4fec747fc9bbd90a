//! Clusters that stay: a model beside the documents, and each document's number in its payload.

use std::io;
use std::path::Path;

use crate::cluster::KMeansModel;
use crate::collection::Collection;
use crate::collection::documents::By;
use crate::collection::folder::hash_of;
use crate::collection::writer::Replaced;
use crate::error::{CollectionError, Result, StoreError};
use crate::store::publish;

/// The file of the model.
pub(in crate::collection) const FILE: &str = "clusters.model";

impl Collection {
    /// Keeps a model with the collection, in place of the one before; with none that one goes.
    ///
    /// # Errors
    /// [`StoreError`], also [`StoreError::Locked`] when another process writes.
    pub fn save_clusters(&mut self, model: Option<&KMeansModel>) -> Result<()> {
        self.writer()?;
        let name = Path::new(FILE);
        if let Some(model) = model {
            return Ok(publish(&*self.storage, name, |out| out.write_all(&model.to_bytes()))?);
        }
        match self.storage.remove(name) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(StoreError::io(self.storage.full_path(name), "remove", e).into())
            }
            _ => Ok(()),
        }
    }

    /// The model that [`Collection::save_clusters`] kept, if any.
    ///
    /// # Errors
    /// [`StoreError`]; [`crate::error::ClusterError::Model`] when its file is damaged.
    pub fn saved_clusters(&self) -> Result<Option<KMeansModel>> {
        match self.storage.open(Path::new(FILE)) {
            Ok(map) => Ok(Some(KMeansModel::from_bytes(&map)?)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(StoreError::io(self.storage.full_path(Path::new(FILE)), "read", e).into()),
        }
    }

    /// Sets a field of the payload of committed documents, by key; a null takes it away. Texts and vectors stay as they
    /// are. It is in force with the next [`Collection::commit`], and lasts until the document is replaced: a file that
    /// changes gets its payload anew. Returns how many documents were changed.
    ///
    /// # Errors
    /// [`CollectionError::Uncommitted`] while other changes wait for a commit; [`StoreError::Locked`].
    pub fn set_payload<K: AsRef<str>>(&mut self, field: &str, values: &[(K, serde_json::Value)]) -> Result<u64> {
        if self.writer()?.is_changed() {
            return Err(CollectionError::Uncommitted { path: self.path.clone() }.into());
        }
        let Some(snapshot) = self.snapshot() else { return Ok(0) };
        let all = snapshot.documents.all_slots().map_err(|e| snapshot.documents_error(e))?;
        let has_vector = |slot: u64| all.binary_search_by_key(&slot, |s| s.0).is_ok_and(|at| all[at].1);
        let mut changed = 0;
        for (key, value) in values {
            let by = By::Key(key.as_ref());
            let slots = snapshot.documents.slots(by).map_err(|e| snapshot.documents_error(e))?;
            let mut chunks = Vec::with_capacity(slots.len());
            for slot in slots {
                let mut chunk = snapshot.chunk(slot)?;
                let payload = std::sync::Arc::make_mut(&mut chunk.payload);
                if value.is_null() {
                    payload.shift_remove(field);
                } else {
                    payload.insert(field.to_owned(), value.clone());
                }
                changed += u64::from(chunk.nth == 0);
                let hash = has_vector(slot).then(|| hash_of(&chunk));
                chunks.push(Replaced { slot, chunk, hash });
            }
            self.writer()?.replace(by, &chunks)?;
        }
        Ok(changed)
    }
}
