//! The benchmark: extract and load of the sandbox's records and of others, each beside a floor that is measured in the same run.
//! `cargo build --release --features sandbox/bench && target/release/bench`; nothing here is asserted, it only prints.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a benchmark may stop where it fails")]

mod batches;
mod extracts;
mod fleet;
mod floors;
mod loads;
mod measure;
mod place;
mod records;
mod report;
mod sizes;
mod stand_in;

use clap::{Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    floor: Option<Floor>,
    /// Only these scenes; all of them by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scene>,
    /// Records of the main scene, about 1.15 KB each.
    #[arg(long, default_value_t = 200_000)]
    records: usize,
    /// MB of records of each size, in the scene of sizes.
    #[arg(long, default_value_t = 100)]
    megabytes: usize,
    /// Records of the large scene; 0 leaves it out.
    #[arg(long, default_value_t = 2_000_000)]
    large: usize,
    /// Also load so many records of about 0.1 kB, once.
    #[arg(long, default_value_t = 0)]
    small: usize,
    /// Rounds of each measurement; the fastest counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scene {
    /// Extract and loads of the stand-in's jobs.
    Main,
    /// Extract of an API that takes its time.
    Latency,
    /// Loads of small, large and very large records.
    Sizes,
    /// Extract and loads of many records.
    Large,
    /// Many accounts with many streams of few records.
    Fleet,
}

/// The floors run as processes of their own, so that their memory can be measured too.
#[derive(Subcommand)]
enum Floor {
    /// Downloads the pages and compresses them at level 1 on two threads.
    Download { url: String, pages: usize, page_size: usize, file: PathBuf },
    /// Loads NDJSON files with DuckDB's own reader, hash and MERGE, into a table that may be there.
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
    let is_asked = |scene| cli.only.is_empty() || cli.only.contains(&scene);
    println!("the fastest of {} rounds; CPU: seconds of user and system, over all threads\n", cli.rounds);
    if is_asked(Scene::Main) {
        extracts::main_scene(cli.records, cli.rounds);
    }
    if is_asked(Scene::Latency) {
        extracts::latency(cli.rounds);
    }
    if is_asked(Scene::Sizes) {
        // Three sizes with six measurements each: the fewer rounds, the sooner the end.
        sizes::sizes(cli.megabytes * 1_000_000, cli.rounds.min(2));
    }
    if is_asked(Scene::Large) && cli.large > 0 {
        extracts::large(cli.large);
    }
    if is_asked(Scene::Fleet) {
        fleet::fleet(cli.rounds);
    }
    if cli.small > 0 {
        sizes::small(cli.small);
    }
}
