//! DDL: what a script will do to tables, checked before it runs and remembered when it has run.
//! The emulator gets the script in words that it understands: no keys, one action for each ALTER TABLE.

use std::collections::HashMap;

use reqwest::Method;
use serde_json::{Value, json};

use super::field;
use super::gate::{Gate, TableId};
use super::reply::JobError;
use super::shape::Shape;
use super::sql::alter_table::{Action, AlterTable};
use super::sql::create_table::{self, CreateTable, Options};
use super::sql::cursor::{Cursor, Path};
use super::sql::statement::Script;
use super::sql::token;

const DAY_MS: f64 = 86_400_000.0;

/// What is to be remembered when the script has run.
#[derive(Debug)]
enum After {
    Shaped(TableId, Shape),
    /// Its columns are the emulator's to tell: it was made from a query or from another table.
    Made(TableId, Shape),
    Dropped(TableId),
    Dataset {
        project: String,
        dataset: String,
        properties: Value,
    },
    DatasetDropped {
        project: String,
        dataset: String,
    },
}

/// A checked script.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What the emulator is to run; `None` when nothing is left for it.
    pub(crate) sql: Option<String>,
    after: Vec<After>,
}

/// Checks the DDL of a script.
///
/// # Errors
/// What BigQuery would fail the job with.
pub(crate) async fn plan(
    gate: &Gate,
    project: &str,
    location: &str,
    default_dataset: &Value,
    script: &Script,
) -> Result<Plan, JobError> {
    let mut planner = Planner { gate, project, location, default_dataset, shapes: HashMap::new(), after: Vec::new() };
    if script.is_opaque {
        return Ok(Plan { sql: Some(script.text.clone()), after: Vec::new() });
    }
    let (mut statements, mut is_changed) = (Vec::new(), false);
    for cursor in script.statements() {
        let own = cursor.rest();
        if let Some(create) = CreateTable::parse(cursor.clone()).filter(|create| !create.is_temporary) {
            is_changed |= !create.cuts.is_empty();
            statements.push(without(script, &cursor, &create));
            planner.create(create).await?;
        } else if let Some(alter) = AlterTable::parse(cursor.clone()) {
            let for_emulator = alter.for_emulator();
            is_changed |= for_emulator != [own];
            statements.extend(for_emulator);
            planner.alter(alter).await?;
        } else {
            planner.other(cursor.clone()).await?;
            statements.push(own.to_owned());
        }
    }
    let sql = if is_changed { statements.join(";\n") } else { script.text.clone() };
    Ok(Plan { sql: Some(sql).filter(|sql| !sql.trim().is_empty()), after: planner.after })
}

impl Plan {
    /// Remembers what the script has done.
    ///
    /// # Errors
    /// When a table came out as BigQuery would not have it (it is dropped again), or the emulator fails.
    pub(crate) async fn settle(self, gate: &Gate) -> Result<(), JobError> {
        for after in self.after {
            match after {
                After::Shaped(table, shape) => gate.settle(&table, shape).await?,
                After::Made(table, mut shape) => {
                    gate.forget(&table);
                    shape.fields = gate.shape(&table).await?.unwrap_or_default().fields;
                    if let Err(error) = shape.check() {
                        gate.upstream.call(Method::DELETE, &table.rest(), None).await?;
                        return Err(error);
                    }
                    gate.settle(&table, shape).await?;
                }
                After::Dropped(table) => gate.forget(&table),
                After::Dataset { project, dataset, properties } => {
                    gate.upstream
                        .call(Method::PATCH, &format!("{project}/datasets/{dataset}"), Some(&properties))
                        .await?;
                }
                After::DatasetDropped { project, dataset } => gate.forget_dataset(&project, &dataset),
            }
        }
        Ok(())
    }
}

/// The statement's text without the places that the emulator cannot parse.
fn without(script: &Script, cursor: &Cursor<'_>, create: &CreateTable) -> String {
    let (Some(first), Some(last)) = (cursor.tokens.first(), cursor.tokens.last()) else { return String::new() };
    let (mut text, mut at) = (String::new(), first.span.start);
    for cut in &create.cuts {
        text.push_str(script.text.get(at..cut.start).unwrap_or_default());
        at = cut.end;
    }
    text.push_str(script.text.get(at..last.span.end).unwrap_or_default());
    text
}

struct Planner<'a> {
    gate: &'a Gate,
    project: &'a str,
    location: &'a str,
    /// `defaultDataset` of the query, or null.
    default_dataset: &'a Value,
    /// The tables as they will be after the statements so far.
    shapes: HashMap<TableId, Option<Shape>>,
    after: Vec<After>,
}

impl Planner<'_> {
    fn id(&self, path: &Path) -> Result<TableId, JobError> {
        if let ([table], Some(dataset)) = (path.as_slice(), self.default_dataset["datasetId"].as_str()) {
            let project = self.default_dataset["projectId"].as_str().unwrap_or(self.project);
            return Ok(TableId { project: project.to_owned(), dataset: dataset.to_owned(), table: table.clone() });
        }
        let missing = || {
            let name = path.join(".");
            JobError::new("invalid", format!("Table \"{name}\" must be qualified with a dataset (e.g. dataset.table)."))
        };
        TableId::of_path(path, self.project).ok_or_else(missing)
    }

    async fn shape(&self, table: &TableId) -> Result<Option<Shape>, JobError> {
        match self.shapes.get(table) {
            Some(planned) => Ok(planned.clone()),
            None => self.gate.shape(table).await,
        }
    }

    async fn create(&mut self, create: CreateTable) -> Result<(), JobError> {
        let table = self.id(&create.target)?;
        if self.shape(&table).await?.is_some() && !create.or_replace {
            return match create.if_not_exists {
                true => Ok(()),
                false => Err(JobError::new("duplicate", format!("Already Exists: Table {table}"))),
            };
        }
        let mut shape = match &create.like {
            Some(path) => self.shape(&self.id(path)?).await?.unwrap_or_default(),
            None => Shape::default(),
        };
        shape.time_partitioning = create.time_partitioning;
        shape.clustering = create.clustering;
        shape.primary_key = create.primary_key;
        shape.expiration = self.gate.default_expiration(&table).await?;
        self.set_options(&mut shape, &create.options).await?;
        if let Some(columns) = create.columns {
            shape.fields = columns;
        } else if create.like.is_none() {
            self.after.push(After::Made(table, shape));
            return Ok(());
        }
        shape.check()?;
        self.shapes.insert(table.clone(), Some(shape.clone()));
        self.after.push(After::Shaped(table, shape));
        Ok(())
    }

    async fn alter(&mut self, alter: AlterTable) -> Result<(), JobError> {
        let table = self.id(&alter.target)?;
        let Some(mut shape) = self.shape(&table).await? else {
            return if alter.if_exists { Ok(()) } else { Err(table.not_found()) };
        };
        for (action, text) in alter.actions {
            match action {
                Action::SetOptions(options) => self.set_options(&mut shape, &options).await?,
                Action::Other => return Err(JobError::limit(format!("ALTER TABLE … {text}"))),
                action => change(&mut shape, &table, action)?,
            }
        }
        shape.check()?;
        self.shapes.insert(table.clone(), Some(shape.clone()));
        self.after.push(After::Shaped(table, shape));
        Ok(())
    }

    async fn other(&mut self, mut cursor: Cursor<'_>) -> Result<(), JobError> {
        let is_drop = cursor.take(&["DROP"]);
        if is_drop && (cursor.take(&["TABLE"]) || cursor.take(&["VIEW"])) {
            let if_exists = cursor.take(&["IF", "EXISTS"]);
            let Some(path) = cursor.path() else { return Ok(()) };
            let Ok(table) = self.id(&path) else { return Ok(()) };
            if self.shape(&table).await?.is_none() {
                // A name without a dataset can be that of a temporary table.
                return if if_exists || path.len() == 1 { Ok(()) } else { Err(table.not_found()) };
            }
            self.shapes.insert(table.clone(), None);
            self.after.push(After::Dropped(table));
        } else if cursor.take(if is_drop { &["SCHEMA"] } else { &["CREATE", "SCHEMA"] }) {
            let _ = cursor.take(&["IF", "NOT", "EXISTS"]) || cursor.take(&["IF", "EXISTS"]);
            let Some((dataset, project)) = cursor.path().and_then(|mut path| Some((path.pop()?, path.pop()))) else {
                return Ok(());
            };
            let project = project.unwrap_or_else(|| self.project.to_owned());
            if is_drop {
                self.after.push(After::DatasetDropped { project, dataset });
            } else if self.gate.location_of(&project, &dataset).await.is_err() {
                let options = if cursor.take(&["OPTIONS"]) { cursor.group() } else { None };
                let options = options.and_then(|group| create_table::options(&group)).unwrap_or_default();
                let properties = dataset_properties(&options, self.location);
                self.after.push(After::Dataset { project, dataset, properties });
            }
        }
        Ok(())
    }

    async fn set_options(&self, shape: &mut Shape, options: &Options) -> Result<(), JobError> {
        for (name, value) in options {
            let is_null = value.eq_ignore_ascii_case("NULL");
            let text = if is_null { Value::Null } else { json!(token::literal(value)) };
            match name.as_str() {
                "description" => shape.change(&json!({"description": text}))?,
                "friendly_name" => shape.change(&json!({"friendlyName": text}))?,
                "labels" => {
                    shape.labels.clear();
                    shape.change(&json!({"labels": create_table::label_pairs(value)}))?;
                }
                "require_partition_filter" => shape.require_partition_filter = value.eq_ignore_ascii_case("TRUE"),
                "expiration_timestamp" if is_null => shape.expiration = None,
                "expiration_timestamp" => {
                    let sql = format!("SELECT UNIX_MILLIS({value})");
                    shape.expiration = Some(self.gate.upstream.number(self.project, &sql, None).await?);
                }
                "partition_expiration_days" => match value.parse::<f64>() {
                    Ok(days) => shape.time_partitioning["expirationMs"] = json!(format!("{:.0}", days * DAY_MS)),
                    Err(_) => {
                        drop(shape.time_partitioning.as_object_mut().and_then(|inside| inside.remove("expirationMs")))
                    }
                },
                other => return Err(JobError::limit(format!("the table option {other}"))),
            }
        }
        Ok(())
    }
}

/// One action of ALTER TABLE.
fn change(shape: &mut Shape, table: &TableId, action: Action) -> Result<(), JobError> {
    let invalid = |message: String| Err(JobError::new("invalidQuery", message));
    let position = |shape: &Shape, name: &str| {
        let found = shape.fields.iter().position(|field| field.name.eq_ignore_ascii_case(name));
        found.ok_or_else(|| JobError::new("invalidQuery", format!("Column not found: {name} in table {table}")))
    };
    match action {
        Action::AddColumn { column, if_not_exists } => {
            if field::find(&shape.fields, &column.name).is_some() {
                return if if_not_exists { Ok(()) } else { invalid(format!("Column already exists: {}", column.name)) };
            }
            if column.mode == "REQUIRED" {
                return invalid(format!("Cannot add required column {} to an existing table", column.name));
            }
            shape.fields.push(column);
        }
        Action::DropColumn { name } => match position(shape, &name) {
            Ok(at) => drop(shape.fields.remove(at)),
            // The emulator knows whether it said IF EXISTS.
            Err(_) => return Ok(()),
        },
        Action::RenameColumn { from, to } => {
            let at = position(shape, &from)?;
            shape.fields[at].name = to;
        }
        Action::SetType(new) => {
            let at = position(shape, &new.name)?;
            let old = &shape.fields[at];
            if !field::can_widen(old, &new) {
                return invalid(format!(
                    "ALTER TABLE ALTER COLUMN SET DATA TYPE requires that the existing column type ({}) is assignable to the \
                     new type ({})",
                    old.sql_type(),
                    new.sql_type()
                ));
            }
            let mut changed = new;
            changed.mode.clone_from(&old.mode);
            if let Some(description) = old.rest.get("description") {
                changed.rest.insert("description".to_owned(), description.clone());
            }
            changed.name.clone_from(&old.name);
            shape.fields[at] = changed;
        }
        Action::DropNotNull { name } => {
            let at = position(shape, &name)?;
            "NULLABLE".clone_into(&mut shape.fields[at].mode);
        }
        Action::SetColumnOptions { name, options } => {
            let at = position(shape, &name)?;
            for (key, value) in options.iter().filter(|(key, _)| key == "description") {
                shape.fields[at].rest.insert(key.clone(), json!(token::literal(value)));
            }
        }
        Action::AddPrimaryKey(columns) => {
            if !shape.primary_key.is_empty() {
                return invalid(format!("Table {table} already has a primary key"));
            }
            shape.primary_key = columns;
        }
        Action::DropPrimaryKey => shape.primary_key.clear(),
        Action::SetOptions(_) | Action::Other => {}
    }
    Ok(())
}

fn dataset_properties(options: &Options, location: &str) -> Value {
    let mut properties = json!({"location": location});
    for (name, value) in options {
        let text = token::literal(value);
        match name.as_str() {
            "location" => properties["location"] = json!(text),
            "description" => properties["description"] = json!(text),
            "labels" => properties["labels"] = Value::from(create_table::label_pairs(value)),
            "default_table_expiration_days" => {
                if let Ok(days) = value.parse::<f64>() {
                    properties["defaultTableExpirationMs"] = json!(format!("{:.0}", days * DAY_MS));
                }
            }
            _ => {}
        }
    }
    properties
}
