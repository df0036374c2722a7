//! The benchmark: extract and load of the sandbox's records, each beside a floor that is measured in the same run.
//! `cargo build --release --features sandbox/bench && target/release/bench`; nothing here is asserted, it only prints.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may stop where it fails")]

mod floors;
mod measure;
mod report;
mod scene;

use clap::{Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    floor: Option<Floor>,
    /// Records of the main measurement, about 1 KB each.
    #[arg(long, default_value_t = 200_000)]
    records: usize,
    /// Also extract this many, to show that memory does not grow; 0 leaves it out.
    #[arg(long, default_value_t = 2_000_000)]
    large: usize,
    /// Rounds of each measurement; the fastest counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// The floors run as processes of their own, so that their memory can be measured too.
#[derive(Subcommand)]
enum Floor {
    /// Downloads the pages and compresses them at level 1 on two threads.
    Download { url: String, pages: usize, page_size: usize, file: PathBuf },
    /// Loads NDJSON files with DuckDB's own reader, hash and MERGE.
    Duckdb { database: PathBuf, files: Vec<String> },
}

fn main() {
    let cli = Cli::parse();
    match cli.floor {
        Some(Floor::Download { url, pages, page_size, file }) => floors::download(&url, pages, page_size, &file),
        Some(Floor::Duckdb { database, files }) => floors::duckdb(&database, &files),
        None => bench(&cli),
    }
}

fn bench(cli: &Cli) {
    println!("{} records, page size 5000, best of {} rounds\n", cli.records, cli.rounds);
    let scene = scene::Scene::new(cli.records, 5_000, Duration::ZERO);
    let download = scene.best(cli.rounds, || scene.floor_download());
    let extract = scene.best(cli.rounds, || scene.extract());
    let duckdb = scene.best(cli.rounds, || scene.floor_duckdb());
    let load = scene.best(cli.rounds, || scene.load(true));
    let reload = scene.best(cli.rounds, || scene.load(false));
    let bytes = scene.record_bytes();
    report::header();
    report::line("floor: download + gzip level 1", &download, cli.records, bytes);
    report::line("extract-job", &extract, cli.records, bytes);
    report::line("floor: DuckDB read_json + hash + MERGE", &duckdb, cli.records, bytes);
    report::line("load-job, new table", &load, cli.records, bytes);
    report::line("load-job, nothing changed", &reload, cli.records, bytes);
    println!(
        "\nextract / floor: {:.2} (aim 1.5)   load / floor: {:.2} (aim 1.0)\n",
        extract.over(&download),
        load.over(&duckdb)
    );
    drop(scene);

    let slow = scene::Scene::new(20_000, 500, Duration::from_millis(200));
    let paged = slow.best(cli.rounds, || slow.extract());
    let ideal = 20_000.0 / 500.0 / 8.0 * 0.2;
    report::header();
    report::line("extract-job, 20000 records, 500 a page, 200 ms latency", &paged, 20_000, slow.record_bytes());
    println!("\nextract / (pages / 8 x latency): {:.2} (aim 1.3)\n", paged.seconds / ideal);
    drop(slow);

    if cli.large > 0 {
        let large = scene::Scene::new(cli.large, 5_000, Duration::ZERO);
        let measured = large.extract();
        report::header();
        report::line(&format!("extract-job, {} records", cli.large), &measured, cli.large, large.record_bytes());
    }
}
