//! The build script of every package whose programs or tests are linked with DuckDB's library. It tells the linker where programs
//! look for the library when they start: cargo passes such arguments on to no other package, so each one needs the script.
//!
//! A program looks beside itself and in `../lib` (an installed one finds it there), and in the folder that it was built with.
//! `DRAYAGE_PORTABLE` leaves the last one out: a program that is handed to others must not look in a folder of the builder's machine.

use std::env;
use std::path::Path;

pub(crate) fn main() {
    println!("cargo::rerun-if-env-changed=DUCKDB_LIB_DIR");
    println!("cargo::rerun-if-env-changed=DRAYAGE_PORTABLE");
    let has = |feature: &str| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some();
    if !has("DUCKDB") || has("DUCKDB_FROM_SOURCE") {
        return;
    }
    let apple = env::var("CARGO_CFG_TARGET_VENDOR").is_ok_and(|vendor| vendor == "apple");
    let (library, origin) = if apple { ("libduckdb.dylib", "@loader_path") } else { ("libduckdb.so", "$ORIGIN") };
    let folder = env::var("DUCKDB_LIB_DIR").unwrap_or_default();
    let file = Path::new(&folder).join(library);
    println!("cargo::rerun-if-changed={}", file.display());
    if !file.is_file() {
        println!(
            "cargo::error=DuckDB's library is not at {}. Run `cargo xtask library`, which downloads it in seconds; or build DuckDB from \
             source, which takes 20 to 40 minutes: add `--features duckdb-from-source`.",
            file.display()
        );
        return;
    }
    let mut places = vec![origin.to_owned(), format!("{origin}/../lib")];
    if env::var_os("DRAYAGE_PORTABLE").is_none() {
        places.push(folder);
    }
    for place in places {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{place}");
    }
}
