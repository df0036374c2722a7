//! Cloud Storage and BigQuery for the worlds that live in a cloud: a few emulators for the whole test program, and a seat at one of them for
//! each world.

use sandbox::bigquery::{BigQuery, Emulator};
use sandbox::cloud_storage::CloudStorage;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The bucket of the landing zones; each world has a folder of its own in it.
pub(super) const BUCKET: &str = "landing";

/// How many emulators run side by side. One is a single busy thread; more than there are test threads help nobody.
const CLOUDS: usize = 2;

/// A world's place in the cloud that fewest others were using when it came.
pub(super) struct Seat(usize);

static TAKEN: Mutex<[usize; CLOUDS]> = Mutex::new([0; CLOUDS]);

impl Seat {
    pub(super) fn take() -> Self {
        let mut taken = TAKEN.lock().unwrap();
        let cloud = (0..CLOUDS).min_by_key(|cloud| taken[*cloud]).unwrap();
        taken[cloud] += 1;
        Self(cloud)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        TAKEN.lock().unwrap_or_else(PoisonError::into_inner)[self.0] -= 1;
    }
}

/// Cloud Storage and BigQuery, a few for all worlds of this process; each world has its own project.
pub(crate) struct Cloud {
    pub(crate) storage: CloudStorage,
    pub(crate) bigquery: BigQuery,
}

impl Cloud {
    pub(super) fn get(seat: &Seat) -> &'static Self {
        static ALL: [OnceLock<Cloud>; CLOUDS] = [const { OnceLock::new() }; CLOUDS];
        ALL[seat.0].get_or_init(|| {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            let emulator = runtime.block_on(Emulator::with_own_buckets()).unwrap();
            let options = sandbox::cloud_storage::Options {
                root: emulator.gcs_root().to_owned(),
                buckets: vec![BUCKET.into()],
                ..Default::default()
            };
            let storage = runtime.block_on(CloudStorage::start(options)).unwrap();
            // Polling has tests of its own; here it would only take time.
            let options = sandbox::bigquery::Options { polls_until_done: 1, ..Default::default() };
            let bigquery = BigQuery::over(Arc::new(emulator), options).unwrap();
            Self { storage, bigquery }
        })
    }
}
