//! Single records asked for by their keys: what the API says of rows that a reading lacked.

use super::http_pages::StreamPages;
use super::page::{Ask, Fetched, Page, PageSource, ReadError};
use super::read_ahead::PageReader;
use super::slice::{Slice, SliceNumber, SliceOutcome};
use super::stream_reader::{Opened, Plan, RecordSink, StreamReader};
use crate::components::confirm::Confirm;
use crate::components::partition_router::Partition;
use crate::record::tree::Tree;
use contract::evidence::Evidence;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::sync::Arc;

/// A key: the texts of its fields.
pub(crate) type Key = Vec<String>;

/// What the API says of the records that it was asked for.
#[derive(Debug)]
pub(crate) enum Answers {
    /// It does not have these; those that it has went into the sink.
    Gone(Vec<Key>),
    /// It gave records that it was not asked for: it pays no heed to the keys.
    Unheeded,
}

/// One request's keys that the API does not have; none if it gave something else.
type Missing = Option<Vec<Key>>;

impl StreamReader {
    /// Asks for the records of these keys, and puts what the API has into the sink.
    ///
    /// # Errors
    /// A request that fails for good, or an answer that is no proof.
    pub(crate) async fn ask(
        &self,
        confirm: &Confirm,
        keys: &[Key],
        sink: &dyn RecordSink,
    ) -> Result<Answers, ReadError> {
        let pages = self.pages(&Plan::default())?;
        let chunks = keys.chunks(confirm.at_once()).enumerate();
        let asked = chunks.map(|(number, keys)| self.ask_for(confirm, number, keys, &pages, sink));
        let all: Vec<Missing> = futures::stream::iter(asked).buffer_unordered(self.at_once()).try_collect().await?;
        let gone: Option<Vec<Vec<Key>>> = all.into_iter().collect();
        Ok(gone.map_or(Answers::Unheeded, |gone| Answers::Gone(gone.concat())))
    }

    async fn ask_for(
        &self,
        confirm: &Confirm,
        number: usize,
        keys: &[Key],
        pages: &Arc<StreamPages>,
        sink: &dyn RecordSink,
    ) -> Result<Missing, ReadError> {
        let primary_key = self.primary_key();
        let injection = confirm.injection(pages.scope(), primary_key, keys).map_err(|e| ReadError(e.to_string()))?;
        let name = Value::String(format!("{injection:?}"));
        let partition = Partition { keys: Map::from_iter([("x-confirm".to_owned(), name)]), extra: Map::new() };
        let number = SliceNumber { partition: number, window: 0 };
        let slice = Slice { number, partition: Arc::new(partition), window: None, token: None };
        let Opened::Sink(mut into) = sink.open(&slice).await? else {
            return Err(ReadError("what was asked for before cannot be told any more".into()));
        };
        let mut left: HashSet<&Key> = keys.iter().collect();
        let mut heeded = true;
        let mut records = 0;
        let mut evidence = Evidence::default();
        match confirm {
            Confirm::Ids { .. } => {
                let asking = Arc::new(pages.asking(injection, confirm.gone()));
                let (scope, memory) = (asking.scope(), self.memory());
                let mut reader = PageReader::new(asking, self.paginator(), scope, memory, None)?;
                while let Some(page) = reader.next().await? {
                    let mut next = Some(page);
                    while let Some(mut page) = next {
                        let rest = page.rest.take();
                        heeded &= note(&page, primary_key, &mut left, keys)?;
                        records += page.count();
                        into.page(page, None).await?;
                        next = Page::after(rest).await?;
                    }
                }
                evidence = reader.evidence();
            }
            Confirm::Path { gone, .. } => {
                let asking = pages.asking(injection, confirm.gone());
                let memory = self.memory();
                let reservation = memory.reserve(super::memory::Estimate::default().bytes()).await;
                match asking.fetch(&Ask { index: 0, token: None, is_probe: false }, 0).await? {
                    Fetched::Ignored(status) if gone.contains(&status) => {}
                    Fetched::Page(page, _) => {
                        let mut next = Some(*page);
                        while let Some(mut page) = next {
                            let rest = page.rest.take();
                            if !note(&page, primary_key, &mut left, keys)? {
                                left.extend(keys);
                                break;
                            }
                            records += page.count();
                            into.page(page, None).await?;
                            next = Page::after(rest).await?;
                        }
                        if !left.is_empty() {
                            return Err(ReadError(format!("asked for {}, the API gave no such record", shown(keys))));
                        }
                    }
                    _ => {
                        return Err(ReadError(format!("asked for {}, the API gave no answer that tells", shown(keys))));
                    }
                }
                drop(reservation);
            }
        }
        if let Some(reasons) = evidence.reasons(|_| true) {
            return Err(ReadError(format!("asked for {}, the API gave no proof: {reasons}", shown(keys))));
        }
        if !heeded {
            into.restart().await?;
        }
        into.keep().await?;
        let outcome = SliceOutcome { records, highest: None, last_token: None, evidence };
        into.finish(&outcome).await?;
        Ok(heeded.then(|| keys.iter().filter(|key| left.contains(key)).cloned().collect()))
    }
}

/// Strikes out the keys of a page's records; false if one was not asked for.
fn note(page: &Page, primary_key: &[String], left: &mut HashSet<&Key>, asked: &[Key]) -> Result<bool, ReadError> {
    for range in &page.records {
        let record = Tree::parse(page.body.bytes.get(range.clone()).unwrap_or_default());
        let record = record.map_err(|error| ReadError(format!("a record cannot be read: {error}")))?;
        let key: Option<Key> = primary_key.iter().map(|field| record.get(field)?.as_text()).collect();
        let Some(key) = key.filter(|key| asked.contains(key)) else { return Ok(false) };
        left.remove(&key);
    }
    Ok(true)
}

fn shown(keys: &[Key]) -> String {
    let first = keys.first().map(|key| key.join(", ")).unwrap_or_default();
    if keys.len() > 1 {
        format!("the record {first} and {} others", keys.len() - 1)
    } else {
        format!("the record {first}")
    }
}
