//! Where a model's files are: a directory, a hub, bytes in memory. The engine asks by name and reads ranges.

use std::cmp::Ordering;
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
    /// How many bytes from its beginning on can be read: fewer than its length where writing it was interrupted.
    fn available(&self) -> u64 {
        self.size()
    }
    /// Reads the bytes of a range that lies within the file.
    async fn read(&self, range: Range<u64>) -> Result<Vec<u8>>;
}

/// Where a folder is written: one file after the other, each from its first byte to its last.
#[expect(async_fn_in_trait, reason = "a browser has one thread; nobody needs these futures to be Send")]
pub trait Sink {
    /// Begins a file of a length. It is complete when that many bytes were written.
    async fn begin(&mut self, file: &str, size: u64) -> Result<()>;
    /// Adds bytes to the file that was begun.
    async fn write(&mut self, bytes: &[u8]) -> Result<()>;
}

/// Writes a whole file.
pub(crate) async fn write_file(sink: &mut impl Sink, file: &str, bytes: &[u8]) -> Result<()> {
    sink.begin(file, bytes.len() as u64).await?;
    if bytes.is_empty() { Ok(()) } else { sink.write(bytes).await }
}

/// The largest file that is read as a whole: of all but weights, the largest are tokenizers of some megabytes.
const MAX_WHOLE: u64 = 64 << 20;

/// Whether a name, which may come out of a file, leads to a file below a folder and not elsewhere.
fn is_inside(file: &str) -> bool {
    let parts = || file.split('/');
    parts().all(|part| !matches!(part, "" | "." | "..")) && !file.contains(['\\', ':'])
}

/// A whole file, or none. A name that leads out of the folder is that of no file.
pub(crate) async fn read_file(folder: &impl Folder, file: &str) -> Result<Option<Vec<u8>>> {
    if !is_inside(file) {
        return Ok(None);
    }
    let Some(open) = folder.open(file).await? else { return Ok(None) };
    if open.size() > MAX_WHOLE {
        let problem = format!("it has {} bytes; no such file is larger than {MAX_WHOLE}", open.size());
        return Err(Error::corrupt(format!("{}/{file}", folder.name()), problem));
    }
    open.read(0..open.size()).await.map(Some)
}

/// A JSON file, or none.
pub(crate) async fn read_json<T: DeserializeOwned>(folder: &impl Folder, file: &str) -> Result<Option<T>> {
    let Some(bytes) = read_file(folder, file).await? else { return Ok(None) };
    let parsed = serde_json::from_slice(&bytes);
    parsed.map(Some).map_err(|error| Error::corrupt(format!("{}/{file}", folder.name()), error.to_string()))
}

/// Files held in memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryFolder {
    name: String,
    files: BTreeMap<String, Rc<[u8]>>,
    /// The file that is being written: its name, its length, and what there is of it.
    unfinished: Option<(String, u64, Vec<u8>)>,
}

impl MemoryFolder {
    /// A folder of this name with these files.
    pub fn new(name: impl Into<String>, files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let files = files.into_iter().map(|(file, bytes)| (file, bytes.into())).collect();
        Self { name: name.into(), files, unfinished: None }
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

    /// The files by name, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref()))
    }

    /// Takes a file away.
    pub fn remove(&mut self, file: &str) {
        self.files.remove(file);
    }
}

/// A file is there when it is complete, and replaces one of the same name.
impl Sink for MemoryFolder {
    async fn begin(&mut self, file: &str, size: u64) -> Result<()> {
        self.unfinished = Some((file.to_owned(), size, Vec::new()));
        self.write(&[]).await
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let Some((file, size, mut whole)) = self.unfinished.take() else { return Err(no_room()) };
        whole.extend_from_slice(bytes);
        match (whole.len() as u64).cmp(&size) {
            Ordering::Less => self.unfinished = Some((file, size, whole)),
            Ordering::Equal => self.insert(file, whole),
            Ordering::Greater => return Err(no_room()),
        }
        Ok(())
    }
}

fn no_room() -> Error {
    Error::internal("more bytes were written to a file than it was said to have")
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
pub use directory::{Directory, DirectoryFile, DirectorySink};

#[cfg(not(target_arch = "wasm32"))]
mod directory {
    use std::fs;
    use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
    use std::ops::Range;
    use std::path::{Path, PathBuf};

    use super::{File, Folder, Sink, is_inside};
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

    /// A file that is being written to a [`Directory`], under another name until it is complete.
    #[derive(Debug)]
    struct Unfinished {
        file: fs::File,
        path: PathBuf,
        missing: u64,
    }

    /// Writes a folder to this machine.
    #[derive(Debug)]
    pub struct DirectorySink {
        path: PathBuf,
        unfinished: Option<Unfinished>,
    }

    impl DirectorySink {
        /// Writes to the directory at a path, which is made where it does not exist.
        pub fn new(path: impl Into<PathBuf>) -> Self {
            Self { path: path.into(), unfinished: None }
        }

        fn begin_file(&mut self, path: PathBuf, size: u64) -> std::io::Result<()> {
            self.discard();
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = fs::File::create(partial(&path))?;
            self.unfinished = Some(Unfinished { file, path, missing: size });
            self.write_bytes(&[])
        }

        fn discard(&mut self) {
            if let Some(unfinished) = self.unfinished.take() {
                // Where it cannot be removed, its name says what it is.
                let _ = fs::remove_file(partial(&unfinished.path));
            }
        }

        fn write_bytes(&mut self, bytes: &[u8]) -> std::io::Result<()> {
            let Some(unfinished) = &mut self.unfinished else { return Err(ErrorKind::FileTooLarge.into()) };
            unfinished.file.write_all(bytes)?;
            let missing = unfinished.missing.checked_sub(bytes.len() as u64);
            unfinished.missing = missing.ok_or(ErrorKind::FileTooLarge)?;
            if unfinished.missing == 0 {
                unfinished.file.sync_all()?;
                fs::rename(partial(&unfinished.path), &unfinished.path)?;
                self.unfinished = None;
            }
            Ok(())
        }
    }

    /// Leaves nothing half written.
    impl Drop for DirectorySink {
        fn drop(&mut self) {
            self.discard();
        }
    }

    fn partial(path: &Path) -> PathBuf {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        path.with_file_name(name)
    }

    impl Sink for DirectorySink {
        async fn begin(&mut self, file: &str, size: u64) -> Result<()> {
            if !is_inside(file) {
                return Err(Error::internal(format!("{file:?} does not lie in the folder that is written")));
            }
            let path = self.path.join(file);
            self.begin_file(path, size).map_err(|error| unwritable(&self.path, file, &error))
        }

        async fn write(&mut self, bytes: &[u8]) -> Result<()> {
            let written = self.write_bytes(bytes);
            written.map_err(|error| unwritable(&self.path, "what was converted", &error))
        }
    }

    fn unwritable(folder: &Path, file: &str, error: &std::io::Error) -> Error {
        Error::Source {
            code: "not-writable".to_owned(),
            message: format!(
                "{file} cannot be written to {}: {error}. Check its permissions and the room on its disk.",
                folder.display()
            ),
            file: Some(file.to_owned()),
        }
    }

    impl Folder for Directory {
        type File = DirectoryFile;

        fn name(&self) -> &str {
            &self.name
        }

        async fn open(&self, file: &str) -> Result<Option<DirectoryFile>> {
            if !is_inside(file) {
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
