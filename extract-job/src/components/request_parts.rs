//! A request while it is put together from what the requester, the paginator, the cursor, the partition router and the authenticator
//! set. A field that two of them set is an error, except where a JSON body agrees with itself.

use super::request_body::OwnBody;
use super::request_option::{Injection, Place};
use crate::http::client::{Body, Outgoing};
use reqwest::{Method, Url};
use serde_json::{Map, Value};

/// A value as it stands in a URL, a header or a form: as Python prints it.
pub(super) fn text_of(value: &Value) -> String {
    crate::template::python_text(value)
}

/// The parts of a request while they are put together.
#[derive(Debug, Default)]
pub(super) struct Parts {
    parameters: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    text: Option<String>,
    data: Vec<(String, String)>,
    json: Map<String, Value>,
}

impl Parts {
    pub(super) fn own_parameter(&mut self, name: String, values: Vec<String>) -> Result<(), String> {
        refuse_second("query parameter", &name, &self.parameters)?;
        self.parameters.extend(values.into_iter().map(|value| (name.clone(), value)));
        Ok(())
    }

    pub(super) fn body(&mut self, body: OwnBody) {
        match body {
            OwnBody::None => {}
            OwnBody::Text(text) => self.text = Some(text),
            OwnBody::Json(map) => self.json = map,
            OwnBody::Form(pairs) => {
                let pairs = pairs.into_iter();
                self.data =
                    pairs.flat_map(|(name, values)| values.into_iter().map(move |v| (name.clone(), v))).collect();
            }
        }
    }

    pub(super) fn header(&mut self, name: String, value: String) -> Result<(), String> {
        if self.headers.iter().any(|(have, _)| have.eq_ignore_ascii_case(&name)) {
            return Err(format!("the header `{name}` is set twice"));
        }
        self.headers.push((name, value));
        Ok(())
    }

    pub(super) fn inject(&mut self, injection: &Injection) -> Result<(), String> {
        let name = injection.field.first().cloned().unwrap_or_default();
        match injection.place {
            Place::Path => Ok(()),
            Place::Parameter => {
                let values = match &injection.value {
                    Value::Array(items) => items.iter().map(text_of).collect(),
                    other => vec![text_of(other)],
                };
                self.own_parameter(name, values)
            }
            Place::Header => self.header(name, text_of(&injection.value)),
            Place::BodyData => {
                refuse_second("body field", &name, &self.data)?;
                self.data.push((name, text_of(&injection.value)));
                Ok(())
            }
            Place::BodyJson => merge(&mut self.json, &injection.field, &injection.value),
        }
    }

    pub(super) fn into_request(self, method: Method, mut url: Url, home: Option<Url>) -> Result<Outgoing, String> {
        let bodies = [!self.json.is_empty(), !self.data.is_empty(), self.text.is_some()];
        if bodies.into_iter().filter(|given| *given).count() > 1 {
            return Err(
                "the request would carry two bodies at once (JSON, form fields and text exclude each other)".into()
            );
        }
        let given: Vec<(String, String)> = url.query_pairs().map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        let fresh: Vec<_> = self.parameters.iter().filter(|pair| !given.contains(pair)).collect();
        if !fresh.is_empty() {
            url.query_pairs_mut().extend_pairs(fresh);
        }
        let body = if !self.json.is_empty() {
            Some(Body::Json(Value::Object(self.json)))
        } else if !self.data.is_empty() {
            Some(Body::Form(self.data))
        } else {
            self.text.map(Body::Text)
        };
        Ok(Outgoing { method, url, home, headers: self.headers, body, login: false, patience: None })
    }
}

fn refuse_second(what: &str, name: &str, have: &[(String, String)]) -> Result<(), String> {
    if have.iter().any(|(given, _)| given == name) { Err(format!("the {what} `{name}` is set twice")) } else { Ok(()) }
}

/// Puts a value at a path of a JSON body. Set twice, it must be equal, or both must be mappings.
fn merge(into: &mut Map<String, Value>, path: &[String], value: &Value) -> Result<(), String> {
    let [first, rest @ ..] = path else { return Ok(()) };
    if rest.is_empty() {
        match (into.get_mut(first), value) {
            (None, value) => drop(into.insert(first.clone(), value.clone())),
            (Some(Value::Object(have)), Value::Object(new)) => {
                new.iter().try_for_each(|(key, value)| merge(have, std::slice::from_ref(key), value))?;
            }
            (Some(have), value) if have == value => {}
            _ => return Err(format!("the body field `{first}` is set twice")),
        }
        return Ok(());
    }
    match into.entry(first.clone()).or_insert_with(|| Value::Object(Map::new())) {
        Value::Object(map) => merge(map, rest, value),
        _ => Err(format!("the body field `{first}` is set twice")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_bodies_merge_where_they_agree() {
        let mut map = json!({"a": {"x": 1}, "b": 2}).as_object().unwrap().clone();
        merge(&mut map, &["a".into(), "y".into()], &json!(2)).unwrap();
        merge(&mut map, &["a".into()], &json!({"z": 3})).unwrap();
        merge(&mut map, &["b".into()], &json!(2)).unwrap();
        assert_eq!(Value::Object(map.clone()), json!({"a": {"x": 1, "y": 2, "z": 3}, "b": 2}));
        assert!(merge(&mut map, &["b".into()], &json!(3)).is_err());
        assert!(merge(&mut map, &["b".into(), "c".into()], &json!(3)).is_err());
    }

    #[test]
    fn a_parameter_that_the_url_has_already_is_sent_once_and_a_second_setter_is_refused() {
        let url = Url::parse("https://a.io/x?page=2").unwrap();
        let mut parts = Parts::default();
        parts.own_parameter("page".into(), vec!["2".into()]).unwrap();
        parts.own_parameter("q".into(), vec!["a b".into(), "+Id".into()]).unwrap();
        assert!(parts.own_parameter("q".into(), vec!["c".into()]).is_err());
        let outgoing = parts.into_request(Method::GET, url.clone(), Some(url)).unwrap();
        assert_eq!(outgoing.url.as_str(), "https://a.io/x?page=2&q=a+b&q=%2BId");
    }
}
