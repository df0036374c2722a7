//! One page of a stream: its body, where the records are in it, and what the templates of the paginator see of it.

use super::memory::Reservation;
use super::seam::Origin;
use super::tally::PageProof;
use crate::components::expression::Scope;
use crate::components::http_response_filter::PagingAction;
use crate::http::buffers::Buffer;
use crate::template::{Names, Shared};
use async_trait::async_trait;
use chrono::{DateTime, FixedOffset};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// Why a stream cannot be read.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ReadError(pub(crate) String);

/// Which page is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ask {
    /// From 0 within its slice.
    pub(crate) index: u64,
    pub(crate) token: Option<Value>,
    /// Whether there is such a page is not known; that there is none is no error.
    pub(crate) is_probe: bool,
}

/// The bytes of a page, and the memory that was reserved for them.
#[derive(Debug)]
pub(crate) struct PageBody {
    pub(crate) bytes: Buffer,
    pub(crate) reservation: Option<Reservation>,
}

/// Records of a page that are made when those before them have been taken: together they would take far more memory than the answer.
#[async_trait]
pub(crate) trait Remainder: Send + Sync {
    /// The next of them; nothing after the last.
    async fn next(&mut self) -> Result<Option<(Buffer, Vec<Range<usize>>)>, ReadError>;
}

/// The rest of a page, and the memory that was reserved for what it is made of.
pub(crate) struct PageRest {
    pub(crate) remainder: Box<dyn Remainder>,
    /// The bytes of the answer.
    pub(crate) bytes: usize,
    pub(crate) reservation: Option<Reservation>,
}

/// A page that has come.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) body: Arc<PageBody>,
    /// Where its records are, in order, after filter and transformations.
    pub(crate) records: Vec<Range<usize>>,
    /// More of them, which every reader takes after these ([`Page::after`]). All else that the page tells is told of all.
    pub(crate) rest: Option<PageRest>,
    /// How many the answer held before them: what page numbers and offsets go by.
    pub(crate) received: u64,
    /// How many came out of the filter.
    pub(crate) came_out: u64,
    /// The last of those, where paging looks at it.
    pub(crate) last: Option<Value>,
    /// The page ends before the start of the window: in a newest-first feed nothing follows that is wanted.
    pub(crate) is_past: bool,
    /// How many a filter left out.
    pub(crate) filtered: u64,
    /// Whether the answer shows that these are all.
    pub(crate) proof: PageProof,
    /// The body without the records.
    pub(crate) response: Shared,
    pub(crate) headers: Shared,
    /// The highest cursor value among its records.
    pub(crate) highest: Option<DateTime<FixedOffset>>,
    /// Tells apart pages of different records.
    pub(crate) fingerprint: u64,
    /// The same for pages of records with the same keys, whatever else differs in them; nothing where keys do not tell records apart.
    pub(crate) keys: Option<u64>,
}

/// What came of asking for a page.
#[derive(Debug)]
pub(crate) enum Fetched {
    Page(Box<Page>, Origin),
    /// An error answer that the manifest says to pass over: it ends the slice.
    Ignored(u16),
    /// The answer says that the slice has to be paged in another way; with its message.
    Paging(PagingAction, String),
}

/// Where pages come from: the API, or a fake in tests.
#[async_trait]
pub(crate) trait PageSource: Send + Sync + 'static {
    /// Gets one page, with all tries. `expected` is the size that it will probably have.
    async fn fetch(&self, ask: &Ask, expected: usize) -> Result<Fetched, ReadError>;

    /// Takes what people should know of the pages.
    fn warn(&self, _text: String) {}
}

impl std::fmt::Debug for PageRest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PageRest").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl PageRest {
    /// The page of the records that follow.
    ///
    /// # Errors
    /// They cannot be made.
    async fn page(mut self) -> Result<Option<Page>, ReadError> {
        let Some((bytes, records)) = self.remainder.next().await? else { return Ok(None) };
        let nothing = Shared::from(&Value::Null);
        Ok(Some(Page {
            body: Arc::new(PageBody { bytes, reservation: None }),
            records,
            rest: Some(self),
            received: 0,
            came_out: 0,
            last: None,
            is_past: false,
            filtered: 0,
            proof: PageProof::Whole,
            response: nothing.clone(),
            headers: nothing,
            highest: None,
            fingerprint: 0,
            keys: None,
        }))
    }
}

impl Page {
    /// The records that follow those of a page, from what it was told apart from (`rest`); nothing after the last.
    ///
    /// # Errors
    /// They cannot be made.
    pub(crate) async fn after(rest: Option<PageRest>) -> Result<Option<Self>, ReadError> {
        match rest {
            Some(rest) => rest.page().await,
            None => Ok(None),
        }
    }

    pub(crate) fn count(&self) -> u64 {
        self.records.len() as u64
    }

    /// What the paginator's templates see after this page.
    pub(crate) fn scope(&self, scope: &Scope) -> Scope {
        let mut scope = scope.clone().with(Names::RESPONSE, &self.response).with(Names::HEADERS, &self.headers);
        scope.set(Names::LAST_PAGE_SIZE, self.came_out);
        if let Some(last) = &self.last {
            scope.set(Names::LAST_RECORD, last);
        }
        scope
    }

    /// Keeps the first records alone.
    pub(crate) fn truncate(&mut self, records: u64) {
        self.records.truncate(usize::try_from(records).unwrap_or(usize::MAX));
    }
}
