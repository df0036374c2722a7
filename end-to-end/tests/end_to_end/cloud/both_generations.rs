//! Four extract tasks, four load tasks, two companies with a project each, two generations: the tables equal the oracle's, and those
//! of the same runs on one machine.

use super::world::Cloud;
use crate::model::Model;
use crate::world::World;

#[test]
fn the_cloud_and_one_machine_give_the_same_rows() {
    let (cloud, machine) = (Cloud::new(60, 25, &[]), World::new(60, 25));
    let (mut in_cloud, mut on_machine) = (Model::default(), Model::default());
    for generation in [1, 2] {
        cloud.run_and_check(generation, &mut in_cloud);
        machine.run_and_check(generation, &mut on_machine, &[]);
    }
    let executions = cloud.run.executions();
    let stages: Vec<(&str, bool)> = executions
        .iter()
        .map(|execution| (execution.job.as_str(), execution.args.iter().any(|argument| argument == "--confirm")))
        .collect();
    let (extract, load) = ("extract-job", "load-job");
    let run = [(extract, false), (load, false)];
    let confirming = [(extract, true), (load, true)];
    assert_eq!(stages, [&run[..], &run, &confirming].concat(), "rows are gone in the second generation alone");
    assert!(executions.iter().all(|execution| execution.tasks.len() == 4), "{executions:?}");

    // The reports tell what it cost, and Slack what came of it.
    let messages: Vec<String> = cloud.slack.messages().iter().map(|message| message.body.to_string()).collect();
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert!(messages.iter().all(|message| message.contains("servicetitan")), "{messages:?}");

    let (cloud, machine) = (cloud.warehouse().contents(), machine.warehouse().contents());
    assert_eq!(cloud.keys().collect::<Vec<_>>(), machine.keys().collect::<Vec<_>>());
    for (table, rows) in &machine {
        assert_eq!(&cloud[table], rows, "{table}");
    }
}
