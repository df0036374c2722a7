//! What a template looks at below a name, so that of a large answer only that is made a tree.
//! Guarantees: in doubt all of it; a path is one of keys that stand in the text.

use std::collections::BTreeMap;

use minijinja::machinery::ast::{Call, CallArg, Expr};

/// What is looked at of a value: all of it, or the values under some of its keys, each as far as it is looked at itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Sought {
    whole: bool,
    /// It is searched by `in`: the items of a list count.
    searched: bool,
    keys: BTreeMap<String, Sought>,
}

impl Sought {
    /// Whether no part of it can be left out.
    pub(crate) fn is_whole(&self) -> bool {
        self.whole
    }

    /// Whether the items of a list are looked at.
    pub(crate) fn is_searched(&self) -> bool {
        self.searched
    }

    /// The keys that are looked at, and what of their values.
    pub(crate) fn keys(&self) -> impl Iterator<Item = (&str, &Sought)> {
        self.keys.iter().map(|(key, below)| (key.as_str(), below))
    }

    /// Adds the value at a path.
    pub(super) fn add(&mut self, path: &[&str]) {
        match path.split_first() {
            None => self.whole = true,
            Some((first, rest)) => self.keys.entry((*first).to_owned()).or_default().add(rest),
        }
    }

    pub(super) fn search(&mut self) {
        self.searched = true;
    }

    /// Adds what another template looks at.
    pub(crate) fn merge(&mut self, other: &Sought) {
        self.whole |= other.whole;
        self.searched |= other.searched;
        for (key, below) in &other.keys {
            self.keys.entry(key.clone()).or_default().merge(below);
        }
    }

    /// Whether the value under this key, or (without a key) anything, is looked at.
    pub(super) fn may_read(&self, key: Option<&str>) -> bool {
        key.is_none_or(|key| self.whole || self.keys.contains_key(key))
    }
}

/// The name and the keys of `name.a['b'].get('c')`; just the name for a name. None for anything else.
pub(super) fn path<'a>(node: &'a Expr<'_>) -> Option<(&'a str, Vec<&'a str>)> {
    let (from, key) = match node {
        Expr::Var(var) => return Some((var.id, Vec::new())),
        Expr::GetAttr(attribute) => (&attribute.expr, attribute.name),
        Expr::GetItem(item) => match &item.subscript_expr {
            Expr::Const(key) => (&item.expr, key.value.as_str()?),
            _ => return None,
        },
        Expr::Call(call) => return path_of_call(call),
        _ => return None,
    };
    below(from, key)
}

/// The same of `….get('key')`, with or without a default.
pub(super) fn path_of_call<'a>(call: &'a Call<'_>) -> Option<(&'a str, Vec<&'a str>)> {
    match (&call.expr, call.args.first()) {
        (Expr::GetAttr(method), Some(CallArg::Pos(Expr::Const(key)))) if method.name == "get" => {
            below(&method.expr, key.value.as_str()?)
        }
        _ => None,
    }
}

fn below<'a>(from: &'a Expr<'_>, key: &'a str) -> Option<(&'a str, Vec<&'a str>)> {
    let (name, mut keys) = path(from)?;
    keys.push(key);
    Some((name, keys))
}
