//! The values that a rendering sees under the context's names.
//! Guarantees: a value is converted once and shared after that; a name without a value reads as null.

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
        let value = value.into().0;
        root.values.push((name, if name == Names::HEADERS { Value::from_object(Headers(value)) } else { value }));
    }

    /// Whether there is a value under a name.
    pub(crate) fn has(&self, name: Names) -> bool {
        self.root.values.iter().any(|(known, _)| *known == name)
    }

    pub(super) fn root(&self) -> Value {
        Value::from_dyn_object(DynObject::from(self.root.clone()))
    }
}

/// A response's headers: names in small letters, found in any case, as servers write them in any.
#[derive(Debug)]
struct Headers(Value);

impl Object for Headers {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let found = |key: &Value| self.0.get_item(key).ok().filter(|value| !value.is_undefined());
        found(key).or_else(|| found(&Value::from(key.as_str()?.to_lowercase())))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.0.try_iter().map_or(Enumerator::Empty, |names| Enumerator::Values(names.collect()))
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
