//! The values that a rendering sees under the context's names.
//! Guarantees: a value is converted once and shared after that; a name without a value reads as null.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use minijinja::value::{DynObject, Enumerator, Object, Serde, Value};

use super::names::Names;
use super::temporal;

/// The hidden name of the time; templates cannot write it.
pub(super) const NOW: &str = "__now";

/// A value in the form that templates read. Made once, cloned for nothing.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Value);

impl Shared {
    /// Any value that can be serialised, numbers exact up to 128 bits.
    pub(crate) fn of(value: &impl serde::Serialize) -> Shared {
        Shared(Value::from(Serde(value)))
    }
}

/// A mapping whose keys are found in any letter case, as those of headers are.
#[derive(Debug)]
struct AnyCase(BTreeMap<String, Value>);

impl Object for AnyCase {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.0.get(&key.as_str()?.to_lowercase()).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(Value::from).collect())
    }
}

impl Shared {
    /// A mapping whose keys are found in any letter case.
    pub(crate) fn by_any_case(json: &serde_json::Value) -> Shared {
        let entries = json.as_object().into_iter().flatten();
        let entries = entries.map(|(key, value)| (key.to_lowercase(), Value::from(Serde(value)))).collect();
        Shared(Value::from_object(AnyCase(entries)))
    }
}

impl From<&serde_json::Value> for Shared {
    fn from(json: &serde_json::Value) -> Shared {
        Shared(Value::from(Serde(json)))
    }
}

impl From<serde_json::Value> for Shared {
    fn from(json: serde_json::Value) -> Shared {
        Shared::from(&json)
    }
}

impl From<&str> for Shared {
    fn from(text: &str) -> Shared {
        Shared(Value::from(text))
    }
}

impl From<u64> for Shared {
    fn from(number: u64) -> Shared {
        Shared(Value::from(number))
    }
}

impl From<&Shared> for Shared {
    fn from(shared: &Shared) -> Shared {
        shared.clone()
    }
}

/// What a rendering sees: the time, and a value under each name that has one. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    root: Arc<Root>,
}

#[derive(Debug, Clone)]
struct Root {
    now: DateTime<Utc>,
    values: Vec<(Names, Value)>,
}

impl Context {
    /// A context at this time (what `now_utc()` answers) in which every name is null.
    pub(crate) fn new(now: DateTime<Utc>) -> Context {
        Context { root: Arc::new(Root { now, values: Vec::new() }) }
    }

    /// This context with a value under one name, in place of the one it had.
    #[must_use]
    pub(crate) fn with(mut self, name: Names, value: impl Into<Shared>) -> Context {
        self.set(name, value);
        self
    }

    /// Sets the value under one name.
    pub(crate) fn set(&mut self, name: Names, value: impl Into<Shared>) {
        let root = Arc::make_mut(&mut self.root);
        root.values.retain(|(known, _)| *known != name);
        root.values.push((name, value.into().0));
    }

    /// Whether there is a value under a name.
    pub(crate) fn has(&self, name: Names) -> bool {
        self.root.values.iter().any(|(known, _)| *known == name)
    }

    pub(super) fn root(&self) -> Value {
        Value::from_dyn_object(DynObject::from(self.root.clone()))
    }
}

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        if key == NOW {
            return Some(temporal::utc(self.now));
        }
        let name = Names::by_name(key)?;
        let value = self.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
        Some(value.unwrap_or(Value::from(())))
    }
}
