//! Pages from the API: the request of one page, its answer sliced into records and refined on a blocking thread.

use super::cpu::Cpu;
use super::cursor_sight::CursorSight;
use super::hint_sight::HintSight;
use super::memory::Estimate;
use super::page::{Ask, Fetched, Page, PageBody, PageRest, PageSource, ReadError};
use super::seam::Origin;
use super::shown_size::ShownSize;
use super::slice::Slice;
use super::tally::PageProof;
use crate::components::datetime_based_cursor::DatetimeBasedCursor;
use crate::components::declarative_stream::DeclarativeStream;
use crate::components::expression::Scope;
use crate::components::request_option::{Injection, Place};
use crate::components::windows::Window;
use crate::http::account::Account;
use crate::http::buffers::Buffer;
use crate::http::client::{Answer, Outgoing};
use crate::http::response_cache::{Asker, KeptAnswers};
use crate::http::send::{Call, Sent, Undecoded, headers_value};
use crate::record::extract::{BodyError, Extracted, extract, key_print};
use crate::record::redaction::Redaction;
use crate::record::verdict::Verdict;
use crate::record_slicer::Keep;
use crate::template::{Names, Shared};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use contract::unit::Unit;
use futures::FutureExt;
use reqwest::header::HeaderMap;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

mod proof;
mod refining;

use proof::Proof;
use refining::Rest;

/// What all slices of one stream of one account share.
pub(crate) struct StreamPages {
    account: Arc<Account>,
    stream: Arc<DeclarativeStream>,
    unit: Unit,
    scope: Scope,
    path: Vec<String>,
    cursor_field: Option<String>,
    redaction: Option<Arc<Redaction>>,
    cpu: Cpu,
    /// What is kept for others that ask for the same. From its first slice on a reading has it or does without.
    kept: OnceLock<Option<Arc<KeptAnswers>>>,
    /// Slices that begin from now on do without.
    asks_anew: AtomicBool,
    /// What slices have learned of the size of pages: in bytes, and in records.
    estimate: Mutex<Estimate>,
    size: Arc<ShownSize>,
    /// Shapes of answers that tell nothing, and did so twice.
    vague: Mutex<HashSet<String>>,
    warnings: Mutex<BTreeSet<String>>,
    cursor_sight: CursorSight,
    hints: Option<Arc<HintSight>>,
    /// Records that are later are left out, though the API has no way to be told so.
    until: Option<DateTime<Utc>>,
}

/// The pages of one slice.
pub(crate) struct HttpPages {
    shared: Arc<StreamPages>,
    /// Settings and slice.
    scope: Scope,
    partition_and_window: Vec<Injection>,
    bounds: Option<Window>,
    /// Statuses that say that what is asked for is gone.
    gone: Vec<u16>,
    /// An answer may be a record itself.
    is_single: bool,
    /// Whether answers are kept for others is decided for all pages of a slice.
    asker: Option<Asker>,
}

impl StreamPages {
    /// `scope` holds the account's settings.
    ///
    /// # Errors
    /// A template of the extractor or the cursor that cannot be evaluated.
    pub(crate) fn new(
        account: Arc<Account>,
        stream: Arc<DeclarativeStream>,
        unit: Unit,
        scope: Scope,
        redaction: Option<Arc<Redaction>>,
        cpu: Cpu,
    ) -> Result<Self, ReadError> {
        let path = stream.retriever.selector.extractor.path().path(&scope);
        let path = path.map_err(|error| ReadError(format!("`field_path`: {error}")))?;
        let cursor_field = stream.cursor.as_ref().map(|cursor| cursor.field(&scope)).transpose().map_err(ReadError)?;
        Ok(Self {
            account,
            stream,
            unit,
            scope,
            path,
            cursor_field,
            redaction,
            cpu,
            kept: OnceLock::new(),
            asks_anew: AtomicBool::new(false),
            estimate: Mutex::default(),
            size: Arc::default(),
            vague: Mutex::default(),
            warnings: Mutex::default(),
            cursor_sight: CursorSight::default(),
            hints: None,
            until: None,
        })
    }

    /// Leaves out what is later than this.
    #[must_use]
    pub(crate) fn ending_at(mut self, until: Option<DateTime<Utc>>) -> Self {
        self.until = until;
        self
    }

    /// Looks for the fields that the pipeline file gives types.
    #[must_use]
    pub(crate) fn hinting(mut self, hints: Option<Arc<HintSight>>) -> Self {
        self.hints = hints;
        self
    }

    fn warn(&self, text: String) {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).insert(text);
    }

    /// What people should know of the answers.
    pub(crate) fn warnings(&self) -> Vec<String> {
        self.warnings.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// That the cursor is none, by what the records have shown.
    pub(crate) fn cursor_warning(&self) -> Option<String> {
        self.cursor_sight.warning(self.stream.cursor.as_ref()?, self.cursor_field.as_deref()?)
    }

    /// Slices that begin from now on ask the API itself: what is kept is not whole.
    pub(crate) fn ask_anew(&self) {
        self.asks_anew.store(true, Ordering::Relaxed);
    }

    /// Nobody goes on with what is kept: readings that begin later share answers of their own.
    pub(crate) fn leave_kept(&self) {
        self.kept.get().into_iter().flatten().for_each(|kept| kept.close());
    }

    fn asker(&self) -> Option<Asker> {
        let uses_cache = self.stream.retriever.requester.uses_cache;
        let join = || if uses_cache { self.account.kept_answers(&self.stream.name) } else { None };
        let kept = self.kept.get_or_init(join);
        kept.as_ref().filter(|_| !self.asks_anew.load(Ordering::Relaxed)).map(|kept| kept.asker())
    }

    pub(crate) fn estimate(&self) -> Estimate {
        *self.estimate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What pages have shown of how many records they hold.
    pub(crate) fn size(&self) -> Arc<ShownSize> {
        self.size.clone()
    }

    /// The next slice uses what this one has learned.
    pub(crate) fn learn(&self, estimate: Estimate) {
        *self.estimate.lock().unwrap_or_else(PoisonError::into_inner) = estimate;
    }

    /// The pages of a slice.
    ///
    /// # Errors
    /// A request option that cannot be evaluated.
    pub(crate) fn slice(self: &Arc<Self>, slice: &Slice) -> Result<HttpPages, ReadError> {
        let cursor = self.stream.cursor.as_ref().zip(slice.window.as_ref());
        let window = cursor.map_or_else(Map::new, |(cursor, window)| cursor.slice(window));
        let scope = self.scope.clone().with(Names::STREAM_SLICE, slice.partition.slice(window));
        let mut injections = Vec::new();
        if let Some(router) = &self.stream.retriever.router {
            injections.extend(router.injections(&slice.partition, &scope).map_err(ReadError)?);
        }
        if let Some((cursor, window)) = cursor {
            injections.extend(cursor.injections(window, &scope).map_err(ReadError)?);
        }
        let is_bounded = |cursor: &DatetimeBasedCursor| cursor.is_data_feed() || cursor.is_client_side();
        let bounds = slice.window.filter(|_| self.stream.cursor.as_ref().is_some_and(is_bounded));
        let open = DateTime::<Utc>::MIN_UTC.fixed_offset();
        let bounds = bounds.or(self.until.map(|until| Window { start: open, end: until.fixed_offset() }));
        let (gone, is_single, asker) = (Vec::new(), false, self.asker());
        Ok(HttpPages { shared: self.clone(), scope, partition_and_window: injections, bounds, gone, is_single, asker })
    }

    /// The pages that an addition to the requests asks for, of no slice; where it is the path, the record itself.
    pub(crate) fn asking(self: &Arc<Self>, injection: Injection, gone: &[u16]) -> HttpPages {
        HttpPages {
            shared: self.clone(),
            scope: self.scope.clone(),
            is_single: injection.place == Place::Path,
            partition_and_window: vec![injection],
            bounds: None,
            gone: gone.to_vec(),
            asker: None,
        }
    }

    /// What templates see of no slice.
    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    /// What paging needs of an answer: mostly all but the records.
    fn keep(&self) -> Keep {
        let first = self.path.first().map(String::as_str).filter(|segment| *segment != "*");
        let paginator = self.stream.retriever.paginator.as_ref();
        if paginator.is_some_and(|paginator| paginator.may_read_records(first)) { Keep::Whole } else { Keep::Rest }
    }
}

impl HttpPages {
    /// What templates see in the slice.
    pub(crate) fn scope(&self) -> Scope {
        self.scope.clone()
    }

    fn page_scope(&self, ask: &Ask) -> Scope {
        match &ask.token {
            Some(token) => self.scope.clone().with(Names::NEXT_PAGE_TOKEN, json!({ "next_page_token": token })),
            None => self.scope.clone(),
        }
    }

    fn injections(&self, ask: &Ask, scope: &Scope) -> Result<Vec<Injection>, String> {
        let retriever = &self.shared.stream.retriever;
        let mut injections = match &retriever.paginator {
            Some(paginator) => paginator.injections(ask.token.as_ref(), scope)?,
            None => Vec::new(),
        };
        if ask.index == 0 || !retriever.slice_on_first_page_only {
            injections.extend(self.partition_and_window.iter().cloned());
        }
        Ok(injections)
    }

    /// The request of a page as it would be sent, without its login.
    pub(crate) fn preview(&self, ask: &Ask) -> Result<Outgoing, ReadError> {
        let scope = self.page_scope(ask);
        let requester = &self.shared.stream.retriever.requester;
        let built =
            self.injections(ask, &scope).and_then(|list| requester.build(&scope, &list, &self.shared.account.homes));
        built.map_err(|why| ReadError(self.shared.account.redactor.clean(&why)))
    }
}

#[async_trait]
impl PageSource for HttpPages {
    async fn fetch(&self, ask: &Ask, expected: usize) -> Result<Fetched, ReadError> {
        let scope = self.page_scope(ask);
        let shared = &self.shared;
        let injections = self.injections(ask, &scope).map_err(|why| ReadError(shared.account.redactor.clean(&why)))?;
        let call = Call {
            account: &shared.account,
            requester: &shared.stream.retriever.requester,
            unit: &shared.unit,
            scope: &scope,
            injections: &injections,
            expected,
            cached: self.asker.as_ref(),
            is_probe: ask.is_probe,
            gone: &self.gone,
        };
        let (was_vague, asked) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let (is_probe, is_single) = (ask.is_probe, self.is_single);
        let decode = |answer: Answer| {
            let (pages, scope, bounds, was_vague) = (shared.clone(), scope.clone(), self.bounds, was_vague.clone());
            async move {
                let origin = answer.kept.clone().map_or(Origin::Asked(asked), Origin::Kept);
                let cpu = pages.cpu.clone();
                let page = move || pages.page(answer, &scope, bounds, (!is_probe).then_some(&*was_vague), is_single);
                Ok((cpu.run(page).await??, origin))
            }
            .boxed()
        };
        match call.send(&decode).await.map_err(|error| ReadError(error.to_string()))? {
            Sent::Decoded((page, origin)) => Ok(Fetched::Page(Box::new(page?), origin)),
            Sent::Ignored(status) => Ok(Fetched::Ignored(status)),
            Sent::Paging(action, why) => Ok(Fetched::Paging(action, why)),
        }
    }

    fn warn(&self, text: String) {
        self.shared.warn(text);
    }
}

impl StreamPages {
    /// Makes a page of an answer; the whole body must be well-formed. `was_vague` tells whether the answer before, to the same request, told
    /// nothing; none for a page that need not be there, of which such an answer says enough.
    fn page(
        self: &Arc<Self>,
        answer: Answer,
        scope: &Scope,
        bounds: Option<Window>,
        was_vague: Option<&AtomicBool>,
        is_single: bool,
    ) -> Result<Result<Page, ReadError>, Undecoded> {
        let headers = Shared::from(page_headers(&answer.headers));
        let mut body = answer.body;
        let says_nothing = answer.status == 204;
        if says_nothing && body.is_empty() {
            body = Buffer::from(b"{}".to_vec());
        }
        let retriever = &self.stream.retriever;
        let body = retriever.decoder.decode(body)?;
        let place = self.place(&body, is_single).to_vec();
        let extracted = extract(&retriever.selector.extractor, &place, self.keep(), body, scope);
        let extracted = extracted.map_err(|error| match error {
            BodyError::Malformed(why) => Undecoded::Malformed(self.for_people(&why)),
            BodyError::Unreadable(why) => Undecoded::Unreadable(self.for_people(&why)),
        })?;
        if let Some(why) = self.error_in_record(&extracted, &place).filter(|_| !answer.named) {
            return Err(Undecoded::Malformed(self.for_people(&why)));
        }
        let Extracted { body, records, rest, received, fingerprint, verdict, more } = extracted;
        let response = Shared::from(first_of_list(rest));
        let proof = match &verdict {
            Verdict::Records | Verdict::Empty => Proof::Of(PageProof::Whole),
            _ if says_nothing => Proof::Of(PageProof::Whole),
            other => {
                let seen = scope.clone().with(Names::RESPONSE, &response).with(Names::HEADERS, &headers);
                match retriever.selector.extractor.path().is_empty_when(&seen) {
                    Ok(true) => Proof::Of(PageProof::Whole),
                    Ok(false) => self.proof(other, answer.named, answer.kept.is_some(), was_vague)?,
                    Err(error) => return Ok(Err(ReadError(format!("`x-empty-when`: {error}")))),
                }
            }
        };
        let proof = match proof {
            Proof::Of(proof) => proof,
            Proof::Mistaken(why) => return Ok(Err(ReadError(why))),
        };
        // Of a page that is made in pieces the answer itself tells enough.
        let keys = match &retriever.paginator {
            Some(_) if more.is_none() => key_print(&body, &records, &self.stream.key_paths),
            _ => None,
        };
        // Not the answer's fault: asking for it once more would not help.
        let mut refined = match self.refine(body, records, scope, bounds) {
            Ok(refined) => refined,
            Err(why) => return Ok(Err(ReadError(why))),
        };
        if let Some(making) = &more
            && let Err(why) = self.foresee(making.clone(), scope, bounds, &mut refined)
        {
            return Ok(Err(ReadError(why)));
        }
        let rest = more.map(|making| PageRest {
            bytes: making.body().capacity(),
            remainder: Box::new(Rest { shared: self.clone(), scope: scope.clone(), bounds, making }),
            reservation: None,
        });
        Ok(Ok(Page {
            body: Arc::new(PageBody { bytes: refined.body, reservation: None }),
            records: refined.records,
            rest,
            received,
            filtered: refined.filtered,
            proof,
            came_out: refined.came_out,
            last: refined.last,
            is_past: refined.is_past,
            response,
            headers,
            highest: refined.highest,
            fingerprint,
            keys,
        }))
    }
}

/// Templates see the first element of a body that is a list.
fn first_of_list(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().next().unwrap_or_else(|| json!({})),
        other => other,
    }
}

/// Headers with `link` parsed into its relations, as pagination templates see them.
fn page_headers(headers: &HeaderMap) -> Value {
    let mut value = headers_value(headers);
    let link = headers.get("link").and_then(|link| link.to_str().ok()).unwrap_or_default();
    if let Some(map) = value.as_object_mut() {
        map.insert("link".into(), parse_link(link));
    }
    value
}

/// `<url>; rel="next", …` → {next: {url, rel}}.
fn parse_link(text: &str) -> Value {
    let mut links = Map::new();
    let mut rest = text;
    while let Some((url, after)) = rest.split_once('<').and_then(|(_, after)| after.split_once('>')) {
        let parameters = after.split_once('<').map_or(after, |(before, _)| before);
        let mut link = Map::from_iter([("url".to_owned(), Value::from(url))]);
        for parameter in parameters.trim_end_matches([',', ' ']).split(';') {
            if let Some((name, value)) = parameter.split_once('=') {
                let value = value.trim().trim_end_matches(',').trim_matches('"');
                link.insert(name.trim().to_owned(), Value::from(value));
            }
        }
        let name = link.get("rel").and_then(Value::as_str).unwrap_or(url).to_owned();
        links.insert(name, Value::Object(link));
        rest = after;
    }
    Value::Object(links)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn link_headers_are_parsed() {
        let links =
            parse_link("<https://a.io/x?page=2>; rel=\"next\", <https://a.io/x?page=9>; rel=\"last\"; title=\"t\"");
        assert_eq!(links["next"]["url"], "https://a.io/x?page=2");
        assert_eq!(links["last"], json!({"url": "https://a.io/x?page=9", "rel": "last", "title": "t"}));
    }
}
