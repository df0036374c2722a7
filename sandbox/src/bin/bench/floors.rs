//! The floors: what any program must do at least. Downloading the same pages and compressing them at level 1 on two threads;
//! DuckDB reading the same file with its own JSON reader, hashing each row and merging it.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) fn download(url: &str, pages: usize, page_size: usize, file: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = reqwest::Client::new();
    let options = sandbox::servicetitan::Options::default();
    let tenant = crate::stand_in::tenant(0);
    let form =
        format!("grant_type=client_credentials&client_id={}&client_secret={}", tenant.client_id, tenant.client_secret);
    let token = runtime.block_on(async {
        let request = client.post(format!("{url}/connect/token")).body(form);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let body = request.send().await.expect("a token").bytes().await.expect("a body");
        let answer: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        answer["access_token"].as_str().expect("a token").to_owned()
    });
    let next = AtomicUsize::new(1);
    let out = Mutex::new(BufWriter::new(File::create(file).expect("a file")));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let page = next.fetch_add(1, Ordering::Relaxed);
                    if page > pages {
                        break;
                    }
                    let address = format!(
                        "{url}/jpm/v2/tenant/{}/jobs?page={page}&pageSize={page_size}&includeTotal=true&sort=%2BId",
                        tenant.id
                    );
                    let request = client.get(address).bearer_auth(&token).header("ST-App-Key", &options.app_key);
                    let body = runtime.block_on(async { request.send().await?.error_for_status()?.bytes().await });
                    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
                    encoder.write_all(&body.expect("a page")).expect("memory takes it");
                    let packed = encoder.finish().expect("memory takes it");
                    out.lock().expect("no thread has panicked").write_all(&packed).expect("the disk takes it");
                }
            });
        }
    });
    out.into_inner().expect("no thread has panicked").flush().expect("the disk takes it");
}

pub(crate) fn duckdb(database: &Path, files: &[String]) {
    let connection = duckdb::Connection::open(database).expect("the file opens");
    let list = files.iter().map(|file| format!("'{file}'")).collect::<Vec<_>>().join(", ");
    connection
        .execute_batch(&format!(
            "SET preserve_insertion_order = false;
             CREATE TEMP TABLE staged AS
                 SELECT r.*, md5(r::VARCHAR) AS row_hash FROM read_json([{list}], format = 'newline_delimited') AS r;
             CREATE TABLE IF NOT EXISTS things AS SELECT *, now()::TIMESTAMP AS synced, 'INSERT' AS operation FROM staged LIMIT 0;
             MERGE INTO things AS t USING (SELECT *, now()::TIMESTAMP AS synced, 'INSERT' AS operation FROM staged) AS s ON t.id = s.id
                 WHEN MATCHED AND t.row_hash <> s.row_hash THEN UPDATE
                 WHEN NOT MATCHED THEN INSERT;
             CHECKPOINT;"
        ))
        .expect("DuckDB loads the file");
}
