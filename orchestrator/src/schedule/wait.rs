//! Waiting for a due time by the wall clock, which may jump: it is looked at again every minute.
//! A machine that slept over the due time runs late, once.

use chrono::{DateTime, TimeDelta, Utc};
use contract::shutdown::Shutdown;
use std::time::Duration;

/// Sleeping machines do not count time, so no wait is longer.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// Clocks are corrected by less than this all the time.
const SET_BACK: TimeDelta = TimeDelta::minutes(1);

/// How a wait ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Waited {
    /// It is so late.
    Due(DateTime<Utc>),
    /// The clock was set back to this: what was due next may not be it any more.
    SetBack(DateTime<Utc>),
    /// Told to stop.
    Stopped,
}

/// Waits until a due time that was looked for at `since`.
pub(super) async fn wait(
    since: DateTime<Utc>,
    due: DateTime<Utc>,
    shutdown: &Shutdown,
    clock: impl Fn() -> DateTime<Utc>,
) -> Waited {
    loop {
        if shutdown.is_requested() {
            return Waited::Stopped;
        }
        let now = clock();
        let pause = match step(now, since, due) {
            Ok(pause) => pause,
            Err(waited) => return waited,
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = shutdown.requested() => {}
        }
    }
}

/// How long to sleep now, or why not.
fn step(now: DateTime<Utc>, since: DateTime<Utc>, due: DateTime<Utc>) -> Result<Duration, Waited> {
    if now >= due {
        Err(Waited::Due(now))
    } else if since - now > SET_BACK {
        Err(Waited::SetBack(now))
    } else {
        Ok((due - now).to_std().unwrap_or_default().min(LOOK_AGAIN))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-01-30T{text}Z").parse().unwrap()
    }

    #[test]
    fn the_clock_decides() {
        let (since, due) = (at("05:00:00"), at("06:00:00"));
        let cases = [
            ("05:00:00", Ok(LOOK_AGAIN)),
            ("05:59:50", Ok(Duration::from_secs(10))),
            ("06:00:00", Err(Waited::Due(at("06:00:00")))),
            // A laptop that was shut.
            ("17:00:00", Err(Waited::Due(at("17:00:00")))),
            // A clock that is corrected a little, and one that was wrong.
            ("04:59:30", Ok(LOOK_AGAIN)),
            ("03:00:00", Err(Waited::SetBack(at("03:00:00")))),
        ];
        for (now, expected) in cases {
            assert_eq!(step(at(now), since, due), expected, "{now}");
        }
    }

    #[tokio::test]
    async fn waits_end() {
        let due = at("06:00:00");
        // Each look at the clock is some milliseconds before the due time, then after it.
        let looks = Mutex::new(vec![at("06:00:00.001"), at("05:59:59.999"), at("05:59:59.990")]);
        let clock = || looks.lock().unwrap().pop().unwrap();
        let waited = wait(at("05:00:00"), due, &Shutdown::new(), clock).await;
        assert_eq!(waited, Waited::Due(at("06:00:00.001")));

        let shutdown = Shutdown::new();
        let stop = async { shutdown.request("SIGTERM") };
        let (waited, ()) = tokio::join!(wait(at("05:00:00"), due, &shutdown, || at("05:00:00")), stop);
        assert_eq!(waited, Waited::Stopped);
    }
}
