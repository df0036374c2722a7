//! The cloud's shape: the orchestrator with the Cloud Run launcher, jobs as Cloud Run's processes, Cloud Storage, BigQuery, tokens from
//! a metadata server, a project for each company. What is promised on one machine is promised here.

mod both_generations;
mod confirm;
mod faults;
mod world;
