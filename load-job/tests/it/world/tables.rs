//! What stands in the warehouse, read and changed without the load's code.

use super::World;
use serde_json::{Value, json};
#[cfg(feature = "duckdb")]
use std::path::PathBuf;

impl World {
    /// Whether the table is there.
    pub(crate) fn has_table(&self) -> bool {
        match &self.project {
            #[cfg(feature = "duckdb")]
            None => {
                self.database().exists()
                    && !self.lines("SELECT table_name FROM duckdb_tables() WHERE table_name = 'things'").is_empty()
            }
            #[cfg(not(feature = "duckdb"))]
            None => unreachable!(),
            Some(_) => self.table().is_some(),
        }
    }

    #[cfg(feature = "duckdb")]
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.path().join("w.duckdb")
    }

    /// A query's rows as text, NULL as `NULL`.
    pub(crate) fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        match &self.project {
            #[cfg(feature = "duckdb")]
            None => self.duckdb_rows(sql),
            #[cfg(not(feature = "duckdb"))]
            None => unreachable!(),
            Some(project) => {
                let rows = self.runtime.block_on(self.cloud().bigquery.rows(project, sql)).unwrap();
                rows.into_iter()
                    .map(|row| row.into_iter().map(|cell| cell.unwrap_or("NULL".into())).collect())
                    .collect()
            }
        }
    }

    #[cfg(feature = "duckdb")]
    fn duckdb_rows(&self, sql: &str) -> Vec<Vec<String>> {
        let connection = duckdb::Connection::open(self.database()).unwrap();
        let mut statement = connection.prepare(&format!("SELECT columns(*)::VARCHAR FROM ({sql})")).unwrap();
        let mut rows = statement.query([]).unwrap();
        let mut out = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            let width = row.as_ref().column_count();
            out.push((0..width).map(|i| row.get::<_, Option<String>>(i).unwrap().unwrap_or("NULL".into())).collect());
        }
        out
    }

    /// The rows of one query, each as one line.
    pub(crate) fn lines(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().map(|row| row.join(" ")).collect()
    }

    /// Changes the table behind the load's back.
    pub(crate) fn tamper(&self, sql: &str) {
        match &self.project {
            #[cfg(feature = "duckdb")]
            None => duckdb::Connection::open(self.database()).unwrap().execute_batch(sql).unwrap(),
            #[cfg(not(feature = "duckdb"))]
            None => unreachable!(),
            Some(project) => {
                let url = format!("{}/bigquery/v2/projects/{project}/queries", self.cloud().bigquery.url());
                let body = json!({ "query": sql, "useLegacySql": false }).to_string();
                let answer = self.runtime.block_on(async {
                    let sent = reqwest::Client::new().post(url).header("content-type", "application/json").body(body);
                    sent.send().await.unwrap().text().await.unwrap()
                });
                assert!(!answer.contains("\"errors\"") && !answer.contains("\"error\""), "{sql}: {answer}");
            }
        }
    }

    /// `tables.get`.
    pub(crate) fn table(&self) -> Option<Value> {
        let project = self.project();
        let url =
            format!("{}/bigquery/v2/projects/{project}/datasets/bronze/tables/things", self.cloud().bigquery.url());
        let text = self.runtime.block_on(async { reqwest::get(url).await.unwrap().text().await.unwrap() });
        let table: Value = serde_json::from_str(&text).unwrap();
        table.get("schema").is_some().then_some(table)
    }

    /// An expression that shows an instant as DuckDB does.
    pub(crate) fn instant(&self, column: &str) -> String {
        if self.is_bigquery() { format!("REPLACE(CAST({column} AS STRING), '+00', '')") } else { column.into() }
    }

    /// Quotes a name.
    pub(crate) fn quoted(&self, name: &str) -> String {
        if self.is_bigquery() { format!("`{name}`") } else { format!("\"{name}\"") }
    }

    /// Columns and types of the table in DuckDB's words, audit columns left out.
    pub(crate) fn columns(&self) -> Vec<String> {
        if self.is_bigquery() {
            let audit = ["_etl_synced", "_etl_operation", "_etl_account", "_etl_row_hash"];
            let table = self.table().unwrap();
            let fields = table["schema"]["fields"].as_array().unwrap();
            let fields = fields.iter().map(|field| (field["name"].as_str().unwrap(), field["type"].as_str().unwrap()));
            let word = |ty: &str| match ty {
                "INTEGER" => "BIGINT",
                "FLOAT" => "DOUBLE",
                "STRING" => "VARCHAR",
                "NUMERIC" => "DECIMAL(38,9)",
                "DATETIME" => "TIMESTAMP",
                "BOOLEAN" => "BOOLEAN",
                "TIMESTAMP" => "TIMESTAMP",
                "DATE" => "DATE",
                "JSON" => "JSON",
                other => panic!("{other}"),
            };
            let own = fields.filter(|(name, _)| !audit.contains(name));
            return own.map(|(name, ty)| format!("{name} {}", word(ty))).collect();
        }
        self.lines(
            "SELECT column_name, data_type FROM duckdb_columns() WHERE schema_name = 'bronze' AND table_name = 'things' \
             AND NOT starts_with(column_name, '_etl_synced') AND column_name NOT IN ('_etl_operation', '_etl_account', '_etl_row_hash') \
             OR (schema_name = 'bronze' AND starts_with(column_name, '_etl_synced_')) ORDER BY column_index",
        )
    }
}
