//! HttpRequester: one request from its templates, and from what the paginator, the cursor and the authenticator add to it.
//! A field that two of them set is an error. A request to a host that is not the requester's own carries nothing of ours.

use super::authenticator::Authenticator;
use super::default_error_handler::DefaultErrorHandler;
use super::expression::{Expression, Scope};
use super::request_body::JsonTemplate;
use super::request_option::{Injection, Place};
use crate::http::client::{Body, Outgoing, same_host};
use crate::manifest::reader::Reader;
use crate::template::Names;
use reqwest::{Method, Url};
use serde_json::{Map, Value};

#[derive(Debug)]
pub(crate) struct HttpRequester {
    base: Expression,
    path: Option<Expression>,
    method: Method,
    parameters: Vec<(Expression, Expression)>,
    headers: Vec<(Expression, Expression)>,
    body_data: Vec<(Expression, Expression)>,
    body_json: Option<JsonTemplate>,
    pub(crate) authenticator: Authenticator,
    pub(crate) error_handler: DefaultErrorHandler,
}

impl HttpRequester {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        if reader.kind() != "HttpRequester" {
            reader.unsupported("HttpRequester");
            return None;
        }
        let (base, path) = if reader.has("url") {
            reader.accept(&["url_base", "path"]);
            (reader.expression("url", Names::REQUEST), None)
        } else {
            if !reader.has("url_base") {
                reader.error("HttpRequester needs `url`, or `url_base` and `path`");
            }
            (reader.expression("url_base", Names::REQUEST), reader.expression("path", Names::REQUEST))
        };
        let method = match reader.text("http_method").as_deref() {
            None | Some("GET") => Method::GET,
            Some("POST") => Method::POST,
            Some(_) => {
                reader.error_at("http_method", "must be GET or POST");
                Method::GET
            }
        };
        let authenticator = reader.child("authenticator").map(|child| Authenticator::read(&child));
        let error_handler = reader.child("error_handler").map(|child| DefaultErrorHandler::read(&child));
        let body_json =
            reader.get("request_body_json").map(|node| JsonTemplate::read(reader, "request_body_json", node));
        let requester = Self {
            parameters: reader.expressions("request_parameters", Names::REQUEST),
            headers: reader.expressions("request_headers", Names::REQUEST),
            body_data: reader.expressions("request_body_data", Names::REQUEST),
            body_json: body_json.flatten(),
            base: base?,
            path,
            method,
            authenticator: authenticator.unwrap_or(Some(Authenticator::NoAuth))?,
            error_handler: error_handler.unwrap_or_else(|| Some(DefaultErrorHandler::default()))?,
        };
        if requester.body_json.is_some() && !requester.body_data.is_empty() {
            reader.error("has both `request_body_json` and `request_body_data`");
        }
        reader.refuse(&["request_body", "fetch_properties_from_endpoint", "query_properties"]);
        reader.accept(&["use_cache"]);
        reader.finish();
        Some(requester)
    }

    /// The request of one page.
    ///
    /// # Errors
    /// A template that cannot be evaluated, a URL that is none, a field that is set twice.
    pub(crate) fn build(&self, scope: &Scope, injections: &[Injection]) -> Result<Outgoing, String> {
        let (url, home) = self.url(scope, injections)?;
        if !same_host(&url, &home) {
            return match self.method {
                Method::GET => Ok(Outgoing { method: Method::GET, url, home, headers: Vec::new(), body: None }),
                _ => Err("the next page is on another host, where nothing is sent by POST".into()),
            };
        }
        let mut parts = Parts::default();
        for (name, value) in evaluate(&self.parameters, scope)? {
            parts.own_parameter(name, value)?;
        }
        for (name, value) in &self.headers {
            if let Some(value) = value.header(scope).map_err(|error| error.to_string())? {
                parts.header(name.text(scope).map_err(|error| error.to_string())?, value)?;
            }
        }
        for (name, values) in evaluate(&self.body_data, scope)? {
            parts.data.extend(values.into_iter().map(|value| (name.clone(), value)));
        }
        if let Some(Value::Object(map)) = self.body_json.as_ref().map(|json| json.value(scope)).transpose()?.flatten() {
            parts.json = map;
        }
        injections.iter().try_for_each(|injection| parts.inject(injection))?;
        parts.into_request(self.method.clone(), url, home)
    }

    fn url(&self, scope: &Scope, injections: &[Injection]) -> Result<(Url, Url), String> {
        let base = self.base.text(scope).map_err(|error| format!("the URL: {error}"))?;
        let link = injections.iter().find(|injection| injection.place == Place::Path).map(|i| text_of(&i.value));
        let path = match (link, &self.path) {
            (Some(link), _) => link,
            (None, Some(path)) => path.text(scope).map_err(|error| format!("the path: {error}"))?,
            (None, None) => String::new(),
        };
        // The home is what the manifest alone says: an answer must not be able to move it.
        let own = self.base.text(&scope.clone().with(Names::NEXT_PAGE_TOKEN, Value::Null));
        let own = own.map_err(|error| format!("the URL without the next page's token: {error}"))?;
        let home = Url::parse(&own).map_err(|_| "the base URL is no URL".to_owned())?;
        let url = join(&base, &path).map_err(|_| "base URL and path make no URL".to_owned())?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err("the URL is neither http nor https".into());
        }
        Ok((url, home))
    }
}

/// Strips the path's leading slash, ends the base with one, and joins; an absolute URL as path wins.
fn join(base: &str, path: &str) -> Result<Url, url::ParseError> {
    let path = path.strip_prefix('/').unwrap_or(path);
    if path.is_empty() {
        return Url::parse(base);
    }
    let base = if base.ends_with('/') { Url::parse(base)? } else { Url::parse(&format!("{base}/"))? };
    base.join(path)
}

fn evaluate(pairs: &[(Expression, Expression)], scope: &Scope) -> Result<Vec<(String, Vec<String>)>, String> {
    let mut found = Vec::new();
    for (name, value) in pairs {
        let name = name.text(scope).map_err(|error| error.to_string())?;
        if let Some(values) = value.parameter(scope).map_err(|error| format!("`{name}`: {error}"))? {
            found.push((name, values));
        }
    }
    Ok(found)
}

/// A value as it stands in a URL, a header or a form: as Python prints it.
fn text_of(value: &Value) -> String {
    crate::template::python_text(value)
}

/// The parts of a request while they are put together.
#[derive(Default)]
struct Parts {
    parameters: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    data: Vec<(String, String)>,
    json: Map<String, Value>,
}

impl Parts {
    fn own_parameter(&mut self, name: String, values: Vec<String>) -> Result<(), String> {
        refuse_second("query parameter", &name, &self.parameters)?;
        self.parameters.extend(values.into_iter().map(|value| (name.clone(), value)));
        Ok(())
    }

    fn header(&mut self, name: String, value: String) -> Result<(), String> {
        if self.headers.iter().any(|(have, _)| have.eq_ignore_ascii_case(&name)) {
            return Err(format!("the header `{name}` is set twice"));
        }
        self.headers.push((name, value));
        Ok(())
    }

    fn inject(&mut self, injection: &Injection) -> Result<(), String> {
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

    fn into_request(self, method: Method, mut url: Url, home: Url) -> Result<Outgoing, String> {
        if !self.json.is_empty() && !self.data.is_empty() {
            return Err("the request would carry JSON and a form at once".into());
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
            None
        };
        Ok(Outgoing { method, url, home, headers: self.headers, body })
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
    fn base_and_path_join() {
        let cases = [
            ("https://a.io", "/x/y", "https://a.io/x/y"),
            ("https://a.io/v2", "x", "https://a.io/v2/x"),
            ("https://a.io/v2/", "/x?p=1", "https://a.io/v2/x?p=1"),
            ("https://a.io/v2", "https://b.io/z", "https://b.io/z"),
            ("https://a.io/v2", "", "https://a.io/v2"),
        ];
        for (base, path, expected) in cases {
            assert_eq!(join(base, path).unwrap().as_str(), expected, "{base} {path}");
        }
    }

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
        let outgoing = parts.into_request(Method::GET, url.clone(), url).unwrap();
        assert_eq!(outgoing.url.as_str(), "https://a.io/x?page=2&q=a+b&q=%2BId");
    }
}
