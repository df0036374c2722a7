//! An API whose lists change between any two requests: rows go and come, so that pages shift while totals stay, and move between partitions.
//! It knows at every moment which rows there are.

use axum::extract::{Path, Query, State};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

/// Rows in one page.
const PAGE: usize = 7;
/// Rows in one list: so many that a run cannot take half of them.
const ROWS: u32 = 45;

/// How a stream is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Pages by number, without a total.
    Pages,
    /// Offsets, with the total.
    Total,
    /// Two partitions, between which rows move.
    Groups,
    /// Rows that are missing are asked for by their ids.
    Ids,
}

pub(crate) const SHAPES: [Shape; 4] = [Shape::Pages, Shape::Total, Shape::Groups, Shape::Ids];

struct Row {
    id: u32,
    group: char,
}

/// One stream's list.
pub(crate) struct List {
    pub(crate) shape: Shape,
    rows: Vec<Row>,
    next: u32,
    random: u64,
}

/// All lists, by the streams' names.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) lists: BTreeMap<String, List>,
    pub(crate) moves: bool,
    pub(crate) requests: usize,
}

impl List {
    pub(crate) fn new(shape: Shape, seed: u64) -> Self {
        let mut list = Self { shape, rows: Vec::new(), next: 0, random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1 };
        (0..ROWS).for_each(|at| list.insert(at as usize));
        list
    }

    /// A small generator of its own (xorshift64*), so that a seed stays the same test.
    fn next_below(&mut self, bound: usize) -> usize {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let high = self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33;
        usize::try_from(high).unwrap() % bound
    }

    fn insert(&mut self, at: usize) {
        let group = if self.next_below(2) == 0 { 'a' } else { 'b' };
        self.rows.insert(at, Row { id: self.next, group });
        self.next += 1;
    }

    /// One row goes, and one comes: at the end, at the front, or anywhere. Or a row moves to the other partition.
    fn change(&mut self) {
        let changes = [1, 1, 2, 0, 0, 0, 0, 0][self.next_below(8)];
        for _ in 0..changes {
            if self.shape == Shape::Groups && self.next_below(2) == 0 {
                let at = self.next_below(self.rows.len());
                self.rows[at].group = if self.rows[at].group == 'a' { 'b' } else { 'a' };
                continue;
            }
            let gone = self.next_below(self.rows.len());
            self.rows.remove(gone);
            let length = self.rows.len();
            let at = match self.next_below(3) {
                0 => length,
                1 => 0,
                _ => self.next_below(length),
            };
            self.insert(at);
        }
    }

    pub(crate) fn ids(&self) -> BTreeSet<u32> {
        self.rows.iter().map(|row| row.id).collect()
    }

    fn answer(&self, query: &HashMap<String, String>) -> Value {
        let asked: Option<Vec<u32>> =
            query.get("ids").map(|ids| ids.split(',').filter_map(|id| id.parse().ok()).collect());
        let group = query.get("group").and_then(|group| group.chars().next());
        let is_meant = |row: &&Row| {
            group.is_none_or(|group| row.group == group) && asked.as_ref().is_none_or(|asked| asked.contains(&row.id))
        };
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let start = number("offset").or(number("page").map(|page| page * PAGE)).unwrap_or(0);
        let rows: Vec<&Row> = self.rows.iter().filter(is_meant).collect();
        let page: Vec<Value> = rows.iter().skip(start).take(PAGE).map(|row| json!({"id": row.id, "v": "x"})).collect();
        json!({"data": page, "total": rows.len()})
    }
}

/// Serves the lists; the address.
pub(crate) async fn serve(world: Arc<Mutex<World>>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = |State(world): State<Arc<Mutex<World>>>,
                  Path(stream): Path<String>,
                  Query(query): Query<HashMap<String, String>>| async move {
        let mut world = world.lock().unwrap();
        world.requests += 1;
        let moves = world.moves;
        let list = world.lists.get_mut(&stream).unwrap();
        if moves {
            list.change();
        }
        axum::Json(list.answer(&query))
    };
    let router = axum::Router::new().route("/{stream}", axum::routing::get(answer)).with_state(world);
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The manifest's stream of a list.
pub(crate) fn stream(name: &str, shape: Shape, url: &str) -> Value {
    let option =
        |field: &str| json!({"type": "RequestOption", "inject_into": "request_parameter", "field_name": field});
    let mut paginator = json!({
        "type": "DefaultPaginator", "page_token_option": option("page"),
        "pagination_strategy": {"type": "PageIncrement", "page_size": PAGE, "inject_on_first_request": true},
    });
    if shape == Shape::Total {
        paginator["page_token_option"] = option("offset");
        paginator["pagination_strategy"] = json!({"type": "OffsetIncrement", "page_size": PAGE});
        paginator["x-total"] = json!("{{ response.total }}");
    }
    let mut stream = json!({
        "type": "DeclarativeStream", "name": name, "primary_key": "id",
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {"type": "HttpRequester", "url_base": url, "path": name},
            "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["data"]}},
            "paginator": paginator,
        },
    });
    match shape {
        Shape::Groups => {
            stream["retriever"]["partition_router"] = json!({
                "type": "ListPartitionRouter", "values": ["a", "b"], "cursor_field": "group",
                "request_option": option("group"),
            });
        }
        Shape::Ids => stream["x-confirm"] = json!({"ids": {"field_name": "ids", "at_most": 5}}),
        Shape::Pages | Shape::Total => {}
    }
    stream
}
