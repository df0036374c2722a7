//! The rules of the store: preconditions, generations, whole writes, and at most one change at a time.
//! The files are the truth: a sidecar that does not fit its file is made anew, so anybody may put files there.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::checksum::Expected;
use super::layout::{Layout, is_bucket_name};
use super::precondition::Preconditions;
use super::reply::Refusal;
use super::spool::{Spool, modified_nanos};
use super::stored::{Settings, Stored};

#[derive(Debug)]
pub(crate) struct Store {
    layout: Layout,
    write_interval: Option<Duration>,
    /// Held while a change is checked and made, so that nobody sees half of one.
    changes: Mutex<Changes>,
}

#[derive(Debug, Default)]
struct Changes {
    last_generation: i64,
    last_change: HashMap<(String, String), Instant>,
}

/// What an upload, a composition or a copy is to become.
#[derive(Debug)]
pub(crate) struct Write {
    pub(crate) bucket: String,
    pub(crate) name: String,
    pub(crate) settings: Settings,
    pub(crate) preconditions: Preconditions,
    pub(crate) expected: Expected,
    /// So many uploads are in it, when it is composed.
    pub(crate) components: Option<u64>,
}

impl Store {
    pub(crate) fn open(root: PathBuf, buckets: &[String], write_interval: Option<Duration>) -> io::Result<Self> {
        let layout = Layout::new(root)?;
        for bucket in buckets {
            if !is_bucket_name(bucket) {
                let message = format!("'{bucket}' is no name for a bucket");
                return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
            }
            fs::create_dir_all(layout.bucket(bucket))?;
        }
        Ok(Self { layout, write_interval, changes: Mutex::default() })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(crate) fn spool(&self) -> Result<Spool, Refusal> {
        Ok(Spool::new(&self.layout.uploads())?)
    }

    /// 404 where the bucket does not exist.
    pub(crate) fn has_bucket(&self, bucket: &str) -> Result<(), Refusal> {
        let exists = is_bucket_name(bucket) && self.layout.bucket(bucket).is_dir();
        if exists { Ok(()) } else { Err(Refusal::no_bucket()) }
    }

    pub(crate) fn create_bucket(&self, bucket: &str) -> Result<(), Refusal> {
        if !is_bucket_name(bucket) {
            return Err(Refusal::bad(format!("Invalid bucket name: '{bucket}'")));
        }
        match fs::create_dir(self.layout.bucket(bucket)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let message = "Your previous request to create the named bucket succeeded and you already own it.";
                Err(Refusal::new(409, "conflict", message))
            }
            other => Ok(other?),
        }
    }

    /// What is there under this name; `None` where nothing is. 404 where the bucket does not exist.
    pub(crate) fn find(&self, bucket: &str, name: &str) -> Result<Option<Stored>, Refusal> {
        self.live(&mut self.changes(), bucket, name)
    }

    /// 404, 412 or 304 unless a write with these preconditions could be done now.
    pub(crate) fn could_write(&self, bucket: &str, name: &str, preconditions: &Preconditions) -> Result<(), Refusal> {
        preconditions.check(self.find(bucket, name)?.as_ref())
    }

    /// The object that is there, of this generation if one is given.
    pub(crate) fn get(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        preconditions: &Preconditions,
    ) -> Result<Stored, Refusal> {
        self.present(&mut self.changes(), bucket, name, generation, preconditions)
    }

    /// The same with its file, which stays readable when the object is replaced.
    pub(crate) fn read(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        preconditions: &Preconditions,
    ) -> Result<(Stored, File), Refusal> {
        let mut changes = self.changes();
        let stored = self.present(&mut changes, bucket, name, generation, preconditions)?;
        Ok((stored, File::open(self.layout.object(bucket, name)?.0)?))
    }

    /// Makes the spool's bytes the object, if hashes and preconditions allow it.
    pub(crate) fn put(&self, write: &Write, spool: &mut Spool) -> Result<Stored, Refusal> {
        write.expected.check(spool.hashes())?;
        let (bucket, name) = (write.bucket.as_str(), write.name.as_str());
        let mut changes = self.changes();
        let live = self.live(&mut changes, bucket, name)?;
        write.preconditions.check(live.as_ref())?;
        self.in_time(&mut changes, bucket, name)?;
        let (file, sidecar) = self.layout.object(bucket, name)?;
        make_room(&file, name)?;
        let now = Utc::now();
        let stored = Stored {
            generation: changes.next_generation(now, live.as_ref()),
            metageneration: 1,
            size: spool.size(),
            modified_nanos: spool.keep(&file)?,
            crc32c: spool.hashes().crc32c(),
            md5: write.components.is_none().then(|| spool.hashes().md5()),
            components: write.components,
            created: now,
            updated: now,
            settings: write.settings.clone(),
        };
        self.save(&sidecar, &stored)?;
        Ok(stored)
    }

    pub(crate) fn delete(
        &self,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        preconditions: &Preconditions,
    ) -> Result<(), Refusal> {
        let mut changes = self.changes();
        self.present(&mut changes, bucket, name, generation, preconditions)?;
        self.in_time(&mut changes, bucket, name)?;
        let (file, sidecar) = self.layout.object(bucket, name)?;
        fs::remove_file(&file)?;
        fs::remove_file(&sidecar)?;
        self.layout.prune(bucket, &file);
        self.layout.prune(bucket, &sidecar);
        Ok(())
    }

    /// Changes the settings: the bytes and the generation stay, the metageneration goes up.
    pub(crate) fn change(
        &self,
        (bucket, name): (&str, &str),
        generation: Option<i64>,
        preconditions: &Preconditions,
        change: impl FnOnce(&Settings) -> Result<Settings, Refusal>,
    ) -> Result<Stored, Refusal> {
        let mut changes = self.changes();
        let mut stored = self.present(&mut changes, bucket, name, generation, preconditions)?;
        stored.settings = change(&stored.settings)?;
        self.in_time(&mut changes, bucket, name)?;
        stored.metageneration += 1;
        stored.updated = Utc::now();
        self.save(&self.layout.object(bucket, name)?.1, &stored)?;
        Ok(stored)
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn present(
        &self,
        changes: &mut Changes,
        bucket: &str,
        name: &str,
        generation: Option<i64>,
        preconditions: &Preconditions,
    ) -> Result<Stored, Refusal> {
        let live = self.live(changes, bucket, name)?;
        let live = live.filter(|live| generation.is_none_or(|generation| generation == live.generation));
        let live = live.ok_or_else(|| Refusal::no_object(bucket, name))?;
        preconditions.check(Some(&live))?;
        Ok(live)
    }

    fn live(&self, changes: &mut Changes, bucket: &str, name: &str) -> Result<Option<Stored>, Refusal> {
        self.has_bucket(bucket)?;
        let (file, sidecar) = self.layout.object(bucket, name)?;
        let Some(metadata) = fs::metadata(&file).ok().filter(fs::Metadata::is_file) else { return Ok(None) };
        let known: Option<Stored> = fs::read(&sidecar).ok().and_then(|text| serde_json::from_slice(&text).ok());
        let modified_nanos = modified_nanos(&metadata);
        match known {
            Some(known) if known.size == metadata.len() && known.modified_nanos == modified_nanos => Ok(Some(known)),
            // Somebody put the file there.
            other => {
                let mut spool = self.spool()?;
                spool.copy_from(&mut File::open(&file)?)?;
                let created = metadata.modified().map_or_else(|_| Utc::now(), DateTime::<Utc>::from);
                let stored = Stored {
                    generation: changes.next_generation(Utc::now(), other.as_ref()),
                    metageneration: 1,
                    size: spool.size(),
                    modified_nanos,
                    crc32c: spool.hashes().crc32c(),
                    md5: Some(spool.hashes().md5()),
                    components: None,
                    created,
                    updated: created,
                    settings: Settings::default(),
                };
                self.save(&sidecar, &stored)?;
                Ok(Some(stored))
            }
        }
    }

    /// 429 where the last change of this object is too fresh; else the change counts as made now.
    fn in_time(&self, changes: &mut Changes, bucket: &str, name: &str) -> Result<(), Refusal> {
        let Some(interval) = self.write_interval else { return Ok(()) };
        let now = Instant::now();
        let key = (bucket.to_owned(), name.to_owned());
        if changes.last_change.get(&key).is_some_and(|last| now.duration_since(*last) < interval) {
            let message = format!(
                "The object {bucket}/{name} exceeded the rate limit for object mutation operations (create, update, and \
                 delete). Please reduce your request rate."
            );
            return Err(Refusal::new(429, "rateLimitExceeded", message));
        }
        changes.last_change.insert(key, now);
        Ok(())
    }

    fn save(&self, sidecar: &Path, stored: &Stored) -> Result<(), Refusal> {
        let text = serde_json::to_vec(stored).map_err(|error| Refusal::internal(error.to_string()))?;
        if let Some(folder) = sidecar.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut spool = self.spool()?;
        spool.write(&text)?;
        spool.keep(sidecar)?;
        Ok(())
    }
}

impl Changes {
    /// Microseconds since 1970, or more: never one that was there before.
    fn next_generation(&mut self, now: DateTime<Utc>, before: Option<&Stored>) -> i64 {
        let before = before.map_or(0, |before| before.generation);
        self.last_generation = now.timestamp_micros().max(self.last_generation + 1).max(before + 1);
        self.last_generation
    }
}

/// Makes the folders above an object's file. 400 where a folder would have to be a file too, or a file a folder.
fn make_room(file: &Path, name: &str) -> Result<(), Refusal> {
    let above_is_folder = file.parent().is_none_or(|folder| fs::create_dir_all(folder).is_ok());
    if above_is_folder && !file.is_dir() {
        return Ok(());
    }
    let name = name.escape_default();
    Err(Refusal::bad(format!("This stand-in keeps objects as files; '{name}' would be a file and a folder at once.")))
}
