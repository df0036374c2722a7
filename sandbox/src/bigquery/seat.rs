//! A few emulators for all tests of a program. One is a single busy thread, which tests that run side by side would wait for; one for each test
//! would start more often than it is needed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::emulator::{Emulator, EmulatorError};

/// How many emulators run side by side. More than there are test threads help nobody.
const EMULATORS: usize = 2;

/// A test's place at the emulator that fewest others were using when it came. The emulators are never dropped: they end with the program.
#[derive(Debug)]
pub struct Seat {
    number: usize,
    emulator: Arc<Emulator>,
}

static TAKEN: Mutex<[usize; EMULATORS]> = Mutex::new([0; EMULATORS]);
static RUNNING: [tokio::sync::OnceCell<Arc<Emulator>>; EMULATORS] =
    [const { tokio::sync::OnceCell::const_new() }; EMULATORS];

impl Seat {
    /// Takes a seat; starts the emulator, with its buckets in its own folder, if nobody has sat there yet.
    ///
    /// # Errors
    /// The emulator does not start.
    pub async fn take() -> Result<Self, EmulatorError> {
        let number = {
            let mut taken = taken();
            let least = taken.iter().enumerate().min_by_key(|(_, sitting)| **sitting).map(|(number, _)| number);
            let number = least.unwrap_or_default();
            taken[number] += 1;
            number
        };
        let start = || async { Emulator::with_own_buckets().await.map(Arc::new) };
        match RUNNING[number].get_or_try_init(start).await {
            Ok(emulator) => Ok(Self { number, emulator: Arc::clone(emulator) }),
            Err(error) => {
                taken()[number] -= 1;
                Err(error)
            }
        }
    }

    /// The emulator, from 0; the same for all who sit there.
    pub fn number(&self) -> usize {
        self.number
    }

    pub fn emulator(&self) -> &Arc<Emulator> {
        &self.emulator
    }

    /// How many emulators there can be.
    pub const fn count() -> usize {
        EMULATORS
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        taken()[self.number] -= 1;
    }
}

fn taken() -> MutexGuard<'static, [usize; EMULATORS]> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}
