//! Each company may have a project of its own; one company's trouble is not another's.

use crate::world::{World, snapshot};
use contract::report::UnitStatus;
use load_job::run::{Options, RunError};
use sandbox::bigquery::{Effect, Fault, Operation};
use serde_json::json;

fn count(world: &World, table: &str) -> String {
    world.lines(&format!("SELECT COUNT(*) FROM {table}")).remove(0)
}

#[test]
fn two_companies_have_two_projects() {
    let mut world = World::bigquery();
    let (own, other) = (world.project().to_owned(), format!("{}-b", world.project()));
    world.accounts = vec!["a".into(), format!("{{id: b, warehouse: {{project: {other}, dataset: raw}}}}")];
    let units = world.run(&[snapshot("a", &[json!({"id": 1})]), snapshot("b", &[json!({"id": 1}), json!({"id": 2})])]);
    assert_eq!(units.len(), 2);
    assert_eq!(count(&world, &format!("`{own}`.bronze.things")), "1");
    assert_eq!(count(&world, &format!("`{other}`.raw.things")), "2");
    let logged = |project: &str| {
        world.lines(&format!("SELECT account FROM `{project}`.management.etl_logs WHERE stage = 'load'"))
    };
    assert_eq!((logged(&own), logged(&other)), (vec!["a".to_owned()], vec!["b".to_owned()]));
}

#[test]
fn a_company_out_of_reach_does_not_stop_the_others() {
    let mut world = World::bigquery();
    let broken = format!("{}-broken", world.project());
    world.accounts = vec!["a".into(), format!("{{id: b, warehouse: {{project: {broken}}}}}")];
    let refusal = Effect::Refused { status: 403, reason: "accessDenied".into(), message: "no access".into() };
    world.cloud().bigquery.fault(Fault::once(Operation::DatasetGet, refusal).on(&broken).times(1000));
    let run = world.extract(&[snapshot("a", &[json!({"id": 1})]), snapshot("b", &[json!({"id": 1})])]);
    let units = world.load_with(&run, &Options::default());
    let of = |account: &str| units.iter().find(|unit| unit.account == account).unwrap();
    assert_eq!(of("a").status, UnitStatus::Done, "{:?}", of("a").error);
    let error = of("b").error.as_ref().unwrap();
    assert!(error.contains(&broken) && error.contains("roles/bigquery.dataEditor"), "{error}");

    // Alone, it is all that there was to do: nothing could be done at all.
    let only = Options { accounts: vec!["b".into()], ..Options::default() };
    assert!(matches!(world.try_load(&run, &only), Err(RunError::Warehouse(_))));
}

#[test]
fn a_dataset_elsewhere_is_named() {
    let mut world = World::bigquery();
    world.run(&[snapshot("a", &[json!({"id": 1})])]);
    world.warehouse = ", location: EU".into();
    let run = world.extract(&[snapshot("a", &[json!({"id": 2})])]);
    let message = match world.try_load(&run, &Options::default()) {
        Ok(report) => report.units[0].error.clone().unwrap(),
        Err(error) => error.to_string(),
    };
    assert!(message.contains("lies in US") && message.contains("location EU"), "{message}");
    assert_eq!(count(&world, "bronze.things"), "1");
}
