//! Cloud Storage and BigQuery for the worlds that live in a cloud: one of each for all who sit at the same emulator.

use sandbox::bigquery::{BigQuery, Seat};
use sandbox::cloud_storage::CloudStorage;
use std::sync::{Arc, OnceLock};

/// The bucket of the landing zones; each world has a folder of its own in it.
pub(super) const BUCKET: &str = "landing";

/// Cloud Storage and BigQuery, a few for all worlds of this process; each world has its own project.
pub(crate) struct Cloud {
    pub(crate) storage: CloudStorage,
    pub(crate) bigquery: BigQuery,
}

impl Cloud {
    pub(super) fn get(seat: &Seat) -> &'static Self {
        static ALL: [OnceLock<Cloud>; Seat::count()] = [const { OnceLock::new() }; Seat::count()];
        ALL[seat.number()].get_or_init(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let emulator = Arc::clone(seat.emulator());
            let options = sandbox::cloud_storage::Options {
                root: emulator.gcs_root().to_owned(),
                buckets: vec![BUCKET.into()],
                ..Default::default()
            };
            let storage = runtime.block_on(CloudStorage::start(options)).unwrap();
            // Polling has tests of its own; here it would only take time.
            let options = sandbox::bigquery::Options { polls_until_done: 1, ..Default::default() };
            let bigquery = BigQuery::over(emulator, options).unwrap();
            Self { storage, bigquery }
        })
    }
}
