//! A bucket that speaks S3, by the crate `object_store`.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::Write;
use std::str::FromStr;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey, Checksum};
use object_store::path::Path as ObjectPath;
use object_store::{Error as RequestError, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload, RetryConfig};

use super::fault::StoreError;
use super::objects::{PutAnswer, SourceFile, Store};

/// Largest object that one request may put, in bytes: several requests cannot be made on the condition that there is none.
const MOST_BYTES: u64 = 5 * 1024 * 1024 * 1024;
/// How long a request that fails is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many times a request is made again before its failure counts.
const TRIES: usize = 6;

/// A bucket.
#[derive(Debug)]
pub(super) struct S3Store {
    runtime: tokio::runtime::Runtime,
    client: AmazonS3,
    bucket: String,
    prefix: String,
}

impl S3Store {
    /// Prepares requests; none is made yet.
    pub(super) fn open(bucket: &str, prefix: &str, settings: &[(String, String)]) -> Result<Self, StoreError> {
        let failed = |source: Box<dyn Error + Send + Sync>| StoreError::Request {
            action: "be prepared for",
            object: format!("s3://{bucket}"),
            source,
        };
        // Whoever was first has settled the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let retry = RetryConfig { max_retries: TRIES, retry_timeout: PATIENCE, ..RetryConfig::default() };
        let mut builder =
            AmazonS3Builder::new().with_bucket_name(bucket).with_checksum_algorithm(Checksum::SHA256).with_retry(retry);
        for (name, value) in settings {
            // Others of these variables are for other programs.
            if let Ok(key) = AmazonS3ConfigKey::from_str(&name.to_ascii_lowercase()) {
                builder = builder.with_config(key, value);
            }
        }
        let client = builder.build().map_err(|error| failed(error.into()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| failed(error.into()))?;
        Ok(Self { runtime, client, bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }

    fn path(&self, name: &str) -> ObjectPath {
        let parts = [self.prefix.as_str(), name];
        ObjectPath::from_iter(parts.iter().flat_map(|part| part.split('/')).filter(|part| !part.is_empty()))
    }

    fn failed(&self, action: &'static str, name: &str) -> impl FnOnce(RequestError) -> StoreError {
        let object = self.shown(name);
        move |error| StoreError::Request { action, object, source: error.into() }
    }
}

impl Store for S3Store {
    fn list(&self, below: &str) -> Result<BTreeMap<String, u64>, StoreError> {
        let prefix = self.path(below);
        let found = self.runtime.block_on(self.client.list(Some(&prefix)).try_collect::<Vec<_>>());
        let found = found.map_err(self.failed("list", below))?;
        let start = format!("{prefix}/");
        let name = |path: &ObjectPath| path.as_ref().strip_prefix(&start).unwrap_or(path.as_ref()).to_owned();
        Ok(found.iter().map(|object| (name(&object.location), object.size)).collect())
    }

    fn put_new(&self, name: &str, content: &SourceFile) -> Result<PutAnswer, StoreError> {
        if content.size > MOST_BYTES {
            let source = format!("it has {} bytes, and one request puts {MOST_BYTES} at most", content.size);
            return Err(StoreError::Request { action: "put", object: self.shown(name), source: source.into() });
        }
        let mut bytes = Vec::with_capacity(content.size as usize);
        content.copy(&mut bytes)?;
        // `If-None-Match: *`: the store itself sees to it that nothing is overwritten.
        let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
        let path = self.path(name);
        let put = self.client.put_opts(&path, PutPayload::from(bytes), options);
        match self.runtime.block_on(put) {
            Ok(_) => Ok(PutAnswer::Stored),
            Err(RequestError::AlreadyExists { .. }) => Ok(PutAnswer::WasThere),
            Err(error) => Err(self.failed("put", name)(error)),
        }
    }

    fn read(&self, name: &str, sink: &mut dyn Write) -> Result<bool, StoreError> {
        let failed = |source: Box<dyn Error + Send + Sync>| StoreError::Request {
            action: "read",
            object: self.shown(name),
            source,
        };
        self.runtime.block_on(async {
            let mut stream = match self.client.get(&self.path(name)).await {
                Err(RequestError::NotFound { .. }) => return Ok(false),
                got => got.map_err(|error| failed(error.into()))?.into_stream(),
            };
            while let Some(bytes) = stream.next().await {
                let bytes = bytes.map_err(|error| failed(error.into()))?;
                sink.write_all(&bytes).map_err(|error| failed(error.into()))?;
            }
            Ok(true)
        })
    }

    fn sweep(&self, _below: &str) -> Result<(), StoreError> {
        // An object is there whole or not at all.
        Ok(())
    }

    fn shown(&self, name: &str) -> String {
        format!("s3://{}/{}", self.bucket, self.path(name))
    }
}
