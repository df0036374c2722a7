//! Bad input: exit code 2 and a message that names the place, before a single request is sent and before a file is written.

use crate::world::World;

#[test]
fn bad_pipeline_files_start_nothing() {
    let world = World::new(10, 10);
    let replace = |from: &'static str, to: &'static str| move |text: String| text.replace(from, to);
    type Change = Box<dyn Fn(String) -> String>;
    let cases: Vec<(Change, &[&str])> = vec![
        (Box::new(|_| String::new()), &["pipeline.yaml"]),
        (Box::new(|_| "landing: [unclosed\n".into()), &["pipeline.yaml:"]),
        (Box::new(|_| "just text".into()), &["pipeline.yaml:1"]),
        (
            Box::new(replace("landing:", "landin:")),
            &["pipeline.yaml:1", "unknown key `landin`", "did you mean `landing`"],
        ),
        (Box::new(replace("tenant_id", "tenantid")), &["pipeline.yaml:8", "tenantid", "did you mean `tenant_id`"]),
        (Box::new(replace("page_size: 10", "page_size: lots")), &["page_size", "expected an integer"]),
        (Box::new(replace("E2E_ACME_SECRET", "E2E_NOT_THERE")), &["pipeline.yaml:10", "E2E_NOT_THERE"]),
        (Box::new(replace("${env:E2E_ACME_SECRET}", "${file:./none}")), &["pipeline.yaml:10", "none"]),
        (Box::new(replace("id: acme", "id: ../acme")), &["pipeline.yaml:6", "../acme"]),
        (Box::new(replace("id: bluebird", "id: acme")), &["acme", "twice"]),
        (Box::new(replace("servicetitan\n", "servicetitn\n")), &["pipeline.yaml:4", "servicetitn"]),
        (
            Box::new(replace("streams: [business_units", "streams: [bussiness_units")),
            &["pipeline.yaml:24", "bussiness_units", "did you mean `business_units`"],
        ),
        (
            Box::new(replace(
                "streams: [business_units",
                "streams: [{name: zones, table: business_units}, business_units",
            )),
            &["pipeline.yaml:24", "`zones` and `business_units`", "both go into table bronze.business_units"],
        ),
        (Box::new(replace("type: duckdb", "type: duckbd")), &["pipeline.yaml:2", "duckdb"]),
        (Box::new(replace("landing: ./landing", "landing: gs://bucket/../x")), &["gs://bucket/../x"]),
        (
            Box::new(replace("{type: duckdb, path: ./w.duckdb}", "{type: bigquery, project: p}")),
            &["pipeline.yaml:1", "gs://"],
        ),
    ];
    for (change, says) in cases {
        world.pipeline(10, change);
        let ended = world.run(&[]).expect(2);
        says.iter().for_each(|part| ended.says(part));
        assert!(!ended.text().contains("hush"), "{}", ended.text());
    }
    nothing_was_started(&world);
}

#[test]
fn bad_flags_start_nothing() {
    let world = World::new(10, 10);
    let cases: [(&[&str], &str); 7] = [
        (&["--stream", "job"], "did you mean `jobs`"),
        (&["--account", "acne"], "no such account"),
        (&["--source", "x"], "no such source"),
        (&["--run-id", "../x"], "run id"),
        (&["--only", "load"], "no run"),
        (&["--only", "load", "--run-id", "20260131T235900Z-a1b2c3"], "knows no run"),
        (&["--pipeline", "none.yaml"], "none.yaml"),
    ];
    for (arguments, says) in cases {
        world.run(arguments).expect(2).says(says);
    }
    nothing_was_started(&world);
}

#[track_caller]
fn nothing_was_started(world: &World) {
    assert!(world.api.requests().is_empty());
    assert!(!world.path("w.duckdb").exists() && !world.path("landing/batches").exists());
}
