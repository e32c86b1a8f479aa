//! Where a model's files are: a directory, a hub, bytes in memory. The engine asks by name and reads ranges.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// A folder of files, as a hub repository is one.
#[expect(async_fn_in_trait, reason = "a browser has one thread; nobody needs these futures to be Send")]
pub trait Folder {
    /// The kind of file that it opens.
    type File: File;
    /// How the user calls it; goes into error messages.
    fn name(&self) -> &str;
    /// Opens a file, or says that there is none of this name.
    async fn open(&self, file: &str) -> Result<Option<Self::File>>;
}

/// A file that can be read in pieces.
#[expect(async_fn_in_trait, reason = "a browser has one thread; nobody needs these futures to be Send")]
pub trait File {
    /// Length in bytes.
    fn size(&self) -> u64;
    /// Reads the bytes of a range that lies within the file.
    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>>;
}

/// A whole file, or none.
pub(crate) async fn read_file(folder: &impl Folder, file: &str) -> Result<Option<Vec<u8>>> {
    match folder.open(file).await? {
        Some(open) => open.read(0..open.size()).await.map(Some),
        None => Ok(None),
    }
}

/// A JSON file, or none.
pub(crate) async fn read_json<T: DeserializeOwned>(folder: &impl Folder, file: &str) -> Result<Option<T>> {
    let Some(bytes) = read_file(folder, file).await? else { return Ok(None) };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|error| Error::corrupt(format!("{}/{file}", folder.name()), error.to_string()))
}

/// Files held in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryFolder {
    name: String,
    files: BTreeMap<String, Rc<[u8]>>,
}

impl MemoryFolder {
    /// A folder of this name with these files.
    pub fn new(name: impl Into<String>, files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files = files.into_iter().map(|(file, bytes)| (file, bytes.into())).collect();
        Self { name: name.into(), files }
    }

    /// Adds a file, or replaces it.
    pub fn insert(&mut self, file: impl Into<String>, bytes: impl Into<Rc<[u8]>>) {
        self.files.insert(file.into(), bytes.into());
    }

    /// The bytes of a file.
    #[must_use]
    pub fn get(&self, file: &str) -> Option<&[u8]> {
        self.files.get(file).map(AsRef::as_ref)
    }

    /// Takes a file away.
    pub fn remove(&mut self, file: &str) {
        self.files.remove(file);
    }
}

impl Folder for MemoryFolder {
    type File = Rc<[u8]>;

    fn name(&self) -> &str {
        &self.name
    }

    async fn open(&self, file: &str) -> Result<Option<Rc<[u8]>>> {
        Ok(self.files.get(file).cloned())
    }
}

impl File for Rc<[u8]> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
        let bytes = usize::try_from(range.start).ok().zip(usize::try_from(range.end).ok());
        bytes
            .and_then(|(start, end)| self.get(start..end))
            .map(<[u8]>::to_vec)
            .ok_or_else(|| Error::internal(format!("bytes {range:?} of a file of {}", self.len())))
    }
}

#[cfg(not(target_arch = "wasm32"))]
pub use directory::{Directory, DirectoryFile};

#[cfg(not(target_arch = "wasm32"))]
mod directory {
    use std::fs;
    use std::io::{ErrorKind, Read, Seek, SeekFrom};
    use std::ops::Range;
    use std::path::{Component, Path, PathBuf};

    use super::{File, Folder};
    use crate::error::{Error, Result};

    /// A directory on this machine.
    #[derive(Clone, Debug)]
    pub struct Directory {
        path: PathBuf,
        name: String,
    }

    /// A file in a [`Directory`].
    #[derive(Debug)]
    pub struct DirectoryFile {
        path: PathBuf,
        size: u64,
    }

    impl Directory {
        /// The directory at a path, which must exist.
        pub fn new(path: impl AsRef<Path>) -> Result<Self> {
            let path = path.as_ref().to_path_buf();
            let name = path.display().to_string();
            if path.is_dir() {
                Ok(Self { path, name })
            } else {
                Err(Error::FileMissing {
                    file: name.clone(),
                    folder: "this machine".to_owned(),
                    hint: "Name a directory that holds a model's files.".to_owned(),
                })
            }
        }
    }

    fn unreadable(path: &Path, error: &std::io::Error) -> Error {
        Error::Source {
            code: "model-not-found".to_owned(),
            message: format!(
                "{} cannot be read: {error}. Check the path and its permissions.",
                path.display()
            ),
            file: Some(path.display().to_string()),
        }
    }

    impl Folder for Directory {
        type File = DirectoryFile;

        fn name(&self) -> &str {
            &self.name
        }

        async fn open(&self, file: &str) -> Result<Option<DirectoryFile>> {
            // Some names come out of files; none may lead elsewhere.
            if Path::new(file).components().any(|part| !matches!(part, Component::Normal(_))) {
                return Ok(None);
            }
            let path = self.path.join(file);
            match fs::metadata(&path) {
                Ok(metadata) => Ok(Some(DirectoryFile { size: metadata.len(), path })),
                Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
                Err(error) => Err(unreadable(&path, &error)),
            }
        }
    }

    impl File for DirectoryFile {
        fn size(&self) -> u64 {
            self.size
        }

        async fn read(&self, range: Range<u64>) -> Result<Vec<u8>> {
            let read = || {
                let mut file = fs::File::open(&self.path)?;
                file.seek(SeekFrom::Start(range.start))?;
                let mut bytes = vec![0; (range.end - range.start) as usize];
                file.read_exact(&mut bytes)?;
                Ok(bytes)
            };
            read().map_err(|error| unreadable(&self.path, &error))
        }
    }
}
