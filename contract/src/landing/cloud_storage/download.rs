//! A large object read as a stream of chunks. Google's client goes on where a connection broke and compares the crc32c at the end.

use super::client::{Client, bucket_resource};
use super::failure::Failure;
use super::location::ObjectName;
use super::small::REPEAT_FOR;
use crate::google::retry::{Backoff, scaled};
use crate::landing::LandingError;
use bytes::Bytes;
use futures::stream::BoxStream;
use google_cloud_gax::backoff_policy::BackoffPolicy;
use google_cloud_gax::error::Error;
use google_cloud_gax::retry_policy::{RetryPolicy, RetryPolicyExt};
use google_cloud_gax::retry_result::RetryResult;
use google_cloud_gax::retry_state::RetryState;
use google_cloud_storage::read_object::ReadObjectResponse;
use google_cloud_storage::read_resume_policy::{ReadResumePolicyExt, Recommended};
use google_cloud_storage::retry_policy::RetryableErrors;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often one reading goes on after a break.
const RESUMES: u32 = 20;
/// How long a chunk may take, the tries of going on among it.
const STALLED: Duration = Duration::from_secs(240);
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Opens an object; the chunks are as the connection gives them, some hundred KiB at most.
pub(super) async fn read(
    client: &Client,
    object: ObjectName,
) -> Result<BoxStream<'static, Result<Bytes, LandingError>>, LandingError> {
    let opened = tokio::time::timeout(STALLED, open(client, &object)).await;
    let answer = opened.unwrap_or_else(|_| Err(Failure::stalled(STALLED)));
    let answer = answer.map_err(|failure| failure.into_error("read", &object))?;
    let chunks = futures::stream::unfold(Some((answer, object)), |state| async {
        let (mut answer, object) = state?;
        let next = match tokio::time::timeout(STALLED, answer.next()).await {
            Ok(next) => next?.map_err(Failure::from),
            Err(_) => Err(Failure::stalled(STALLED)),
        };
        match next {
            Ok(chunk) => Some((Ok(chunk), Some((answer, object)))),
            Err(failure) => Some((Err(failure.into_error("read", &object)), None)),
        }
    });
    Ok(Box::pin(chunks))
}

async fn open(client: &Client, object: &ObjectName) -> Result<ReadObjectResponse, Failure> {
    let policy = Repeating::default();
    let request = client
        .storage()
        .await?
        .read_object(bucket_resource(&object.bucket), object.name.as_str())
        .with_retry_policy(policy.clone())
        .with_backoff_policy(policy)
        .with_read_resume_policy(Recommended.with_attempt_limit(RESUMES));
    Ok(request.send().await?)
}

/// How the client repeats: within the budget of one opening or going on, and never sooner than the server asks for.
#[derive(Debug, Clone, Default)]
struct Repeating {
    asked: Arc<Mutex<Option<Duration>>>,
}

impl RetryPolicy for Repeating {
    fn on_error(&self, state: &RetryState, error: Error) -> RetryResult {
        let asked = Failure::asked_wait(error.http_headers());
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = asked;
        RetryableErrors.with_time_limit(budget()).on_error(state, error)
    }

    fn remaining_time(&self, state: &RetryState) -> Option<Duration> {
        RetryableErrors.with_time_limit(budget()).remaining_time(state)
    }
}

impl BackoffPolicy for Repeating {
    fn on_failure(&self, state: &RetryState) -> Duration {
        let doublings = state.attempt_count.saturating_sub(1).min(10);
        let asked = *self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        Backoff::new(FIRST_WAIT * 2u32.pow(doublings), LONGEST_WAIT).next(asked)
    }
}

fn budget() -> Duration {
    scaled(REPEAT_FOR).max(Duration::from_secs(5))
}
