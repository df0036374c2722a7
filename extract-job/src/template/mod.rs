//! Templates of the manifest format: a Jinja dialect with Python's values, whose results are read as Python literals.
//! Guarantees: names are checked when the manifest is loaded, rendering is bounded, and nothing panics on any text.
//!
//! minijinja parses and runs the templates. What differs from Python there is put right in three places: `translate`
//! rewrites operators into our functions, `filters` and `methods` replace those whose results differ, and
//! `python_text` prints. Deliberate differences from the reference engine: misspelt names are load errors; [`Template::text`]
//! does not read its result as a literal (a secret such as `1e5` stays what it is); integers beyond 64 bits stay text.

mod context;
mod convert;
pub(crate) mod datetime;
pub(crate) mod duration;
mod engine;
mod error;
mod filters;
mod functions;
mod literal;
mod methods;
mod names;
mod operators;
mod python_text;
mod reads;
mod slice;
mod temporal;
mod translate;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;

use minijinja::{Environment, Expression};
use serde_json::Value;

pub(crate) use context::{Context, Shared};
pub(crate) use error::TemplateError;
pub(crate) use names::Names;
pub(crate) use reads::Sought;

use engine::{ENVIRONMENT, MAX_TEXT_BYTES};
use error::Fault;
use literal::Literal;
use translate::{Form, Piece};

/// The name of the only template in a program's environment.
const PROGRAM: &str = "template";

/// A text of the manifest with values to be filled in. Parsed once; cheap to clone and to render.
#[derive(Clone)]
pub(crate) struct Template {
    text: Arc<str>,
    body: Body,
    keys: Arc<[(String, String)]>,
    reads: Arc<BTreeMap<String, Sought>>,
}

#[derive(Clone)]
enum Body {
    /// No braces: the text itself.
    Plain,
    /// The whole text is one expression, whose value is taken as it is.
    Expression(Arc<Expression<'static, 'static>>),
    Pieces(Arc<[Part]>),
    Program(Arc<Environment<'static>>),
}

enum Part {
    Text(String),
    Expression(Expression<'static, 'static>),
}

/// A rendered template before typing.
enum Rendered {
    Text(String),
    Value(minijinja::Value),
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Template").field(&self.text).finish()
    }
}

impl Template {
    /// Parses a text; `allowed` are the context's names that are legal where it stands.
    ///
    /// # Errors
    /// A syntax error; a name, function, filter, test or method that is unknown, with the nearest one that exists;
    /// a name that is not available here; something that the engine refuses, such as `stream_state`.
    pub(crate) fn parse(text: &str, allowed: Names) -> Result<Template, TemplateError> {
        let plain = !["{{", "{%", "{#"].iter().any(|braces| text.contains(braces));
        let mut keys = Vec::new();
        let mut reads = BTreeMap::new();
        let body = if plain {
            Body::Plain
        } else {
            let translated = translate::translate(text, allowed).map_err(|fault| TemplateError::new(text, fault))?;
            keys.extend(translated.keys);
            reads = translated.reads;
            compile(translated.form).map_err(|error| TemplateError::new(text, error.into()))?
        };
        Ok(Template { text: text.into(), body, keys: keys.into(), reads: Arc::new(reads) })
    }

    /// The first keys that the template reads below a name by attribute or constant index, e.g. those of `config`,
    /// so that misspelt settings can be found before a run.
    pub(crate) fn keys_of<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t str> {
        self.keys.iter().filter(move |(base, _)| base == name).map(|(_, key)| key.as_str())
    }

    /// What the template looks at of the value of a name; nothing if it does not look there.
    pub(crate) fn reads(&self, name: &str) -> Option<&Sought> {
        self.reads.get(name)
    }

    /// Whether the template may look at `name.key`, or (without a key) at anything below `name`. In doubt, yes.
    pub(crate) fn may_read(&self, name: &str, key: Option<&str>) -> bool {
        self.reads(name).is_some_and(|sought| sought.may_read(key))
    }

    /// The value by the literal rule: a text that reads as a Python literal becomes that, any other stays text.
    ///
    /// # Errors
    /// When the rendering fails; an undefined value is an error too.
    pub(crate) fn value(&self, context: &Context) -> Result<Value, TemplateError> {
        self.typed(context).map(Literal::into_value).map_err(|fault| self.error(fault))
    }

    /// The value by the literal rule where `is_wanted` takes its kind; the text itself otherwise.
    ///
    /// # Errors
    /// As [`Template::value`].
    pub(crate) fn value_if(
        &self,
        context: &Context,
        is_wanted: impl Fn(&Value) -> bool,
    ) -> Result<Value, TemplateError> {
        match self.value(context)? {
            value if is_wanted(&value) => Ok(value),
            _ => self.text(context).map(Value::String),
        }
    }

    /// The rendered text, as paths, addresses, tokens and headers take it. No literal rule; null prints as `None`.
    ///
    /// # Errors
    /// As [`Template::value`].
    pub(crate) fn text(&self, context: &Context) -> Result<String, TemplateError> {
        let text = self.render(context).and_then(|rendered| match rendered {
            Rendered::Text(text) => Ok(text),
            Rendered::Value(value) => Ok(python_text::of(&value)?),
        });
        text.map(unquoted).map_err(|fault| self.error(fault))
    }

    /// The result as a condition. False for `False`, `false`, the empty text, zero (also as text), empty lists and
    /// mappings (also as text), null, and an undefined value; true for everything else, the text `no` included.
    ///
    /// # Errors
    /// When the rendering fails for another reason than an undefined value.
    pub(crate) fn condition(&self, context: &Context) -> Result<bool, TemplateError> {
        match self.typed(context) {
            Ok(literal) => Ok(is_true(&literal.into_value())),
            Err(Fault::Undefined) => Ok(false),
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// The value of an entry of headers or of a JSON body; `None` (empty, null or undefined) drops the key.
    ///
    /// # Errors
    /// As [`Template::condition`].
    pub(crate) fn option(&self, context: &Context) -> Result<Option<Value>, TemplateError> {
        let typed = self.render(context).and_then(|rendered| match &rendered {
            Rendered::Text(text) if text.is_empty() => Ok(Value::Null),
            Rendered::Value(value) if value.as_str() == Some("") || value.is_undefined() => Ok(Value::Null),
            _ => typed(rendered).map(Literal::into_value),
        });
        match typed {
            Ok(Value::Null) | Err(Fault::Undefined) => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// The text of a header. No literal rule, as for [`Template::text`]; `None` (empty, null or undefined) drops the header.
    ///
    /// # Errors
    /// As [`Template::condition`].
    pub(crate) fn header(&self, context: &Context) -> Result<Option<String>, TemplateError> {
        let text = match self.render(context) {
            Ok(Rendered::Value(value)) if value.is_none() => return Ok(None),
            Ok(Rendered::Value(value)) => python_text::of(&value).map_err(Fault::from),
            Ok(Rendered::Text(text)) => Ok(text),
            Err(fault) => Err(fault),
        };
        match text {
            Ok(text) => Ok(Some(unquoted(text)).filter(|text| !text.is_empty())),
            Err(Fault::Undefined) => Ok(None),
            Err(fault) => Err(self.error(fault)),
        }
    }

    /// The value of an entry of the query or of a form, which is text or a list and nothing else: `5`, `True` and
    /// `1,2` stay text, a null prints as `None`. A list repeats the key, without its nulls. `None` (empty or undefined)
    /// drops the key.
    ///
    /// # Errors
    /// As [`Template::condition`].
    pub(crate) fn parameter(&self, context: &Context) -> Result<Option<Vec<String>>, TemplateError> {
        let rendered = self.render(context).and_then(|rendered| match rendered {
            Rendered::Text(text) => Ok(text),
            Rendered::Value(value) => Ok(python_text::of(&value)?),
        });
        let text = match rendered {
            Ok(text) if text.is_empty() => return Ok(None),
            Ok(text) => text,
            Err(Fault::Undefined) => return Ok(None),
            Err(fault) => return Err(self.error(fault)),
        };
        Ok(Some(match literal::read(&text) {
            Some(Literal::Value(Value::Array(items))) => {
                items.iter().filter(|item| !item.is_null()).map(python_text::of_json).collect()
            }
            Some(Literal::Value(Value::String(unquoted))) => vec![unquoted],
            _ => vec![text],
        }))
    }

    fn error(&self, fault: Fault) -> TemplateError {
        TemplateError::new(&self.text, fault)
    }

    fn typed(&self, context: &Context) -> Result<Literal, Fault> {
        typed(self.render(context)?)
    }

    /// Fuzzing has found panics inside of the engine; whatever is left of them fails the template alone.
    fn render(&self, context: &Context) -> Result<Rendered, Fault> {
        if matches!(self.body, Body::Plain) {
            return self.evaluate(context);
        }
        let rendered = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.evaluate(context)));
        rendered.unwrap_or_else(|_| Err(Fault::Failed("the template engine broke off".into())))
    }

    fn evaluate(&self, context: &Context) -> Result<Rendered, Fault> {
        match &self.body {
            Body::Plain => Ok(Rendered::Text(self.text.strip_suffix('\n').unwrap_or(&self.text).to_owned())),
            Body::Expression(expression) => Ok(Rendered::Value(expression.eval(context.root())?)),
            Body::Pieces(parts) => {
                let root = context.root();
                let mut text = String::new();
                for part in parts.iter() {
                    match part {
                        Part::Text(raw) => text.push_str(raw),
                        Part::Expression(expression) => {
                            text.push_str(&python_text::of(&expression.eval(root.clone())?)?);
                            engine::capped(text.len())?;
                        }
                    }
                }
                Ok(Rendered::Text(text))
            }
            Body::Program(env) => {
                let mut out = Limited(Vec::new());
                env.get_template(PROGRAM)?.render_captured_to(context.root(), &mut out)?;
                let text = String::from_utf8(out.0).map_err(|_| Fault::Failed("the result is no text".into()))?;
                Ok(Rendered::Text(text))
            }
        }
    }
}

fn compile(form: Form) -> Result<Body, minijinja::Error> {
    Ok(match form {
        Form::Program(source) => {
            let mut env = ENVIRONMENT.clone();
            env.add_template_owned(PROGRAM, source)?;
            Body::Program(Arc::new(env))
        }
        Form::Pieces(pieces) => {
            let mut parts = Vec::with_capacity(pieces.len());
            for piece in pieces {
                parts.push(match piece {
                    Piece::Text(text) => Part::Text(text),
                    Piece::Expression(source) => Part::Expression(ENVIRONMENT.compile_expression_owned(source)?),
                });
            }
            match (parts.pop(), parts.is_empty()) {
                (Some(Part::Expression(only)), true) => Body::Expression(Arc::new(only)),
                (last, _) => Body::Pieces(parts.into_iter().chain(last).collect()),
            }
        }
    })
}

/// The literal rule.
fn typed(rendered: Rendered) -> Result<Literal, Fault> {
    let text = match rendered {
        Rendered::Text(text) => text,
        Rendered::Value(value) => {
            let is_data = value.kind() != minijinja::value::ValueKind::Plain && !value.is_undefined();
            match value.as_str() {
                Some(text) => text.to_owned(),
                None if is_data => return Ok(Literal::Value(convert::to_json(&value)?)),
                None => python_text::of(&value)?,
            }
        }
    };
    Ok(literal::read(&text).unwrap_or(Literal::Value(Value::String(text))))
}

/// A text without the quotes that the filter `string` has put around it.
fn unquoted(text: String) -> String {
    if !text.starts_with(filters::QUOTES) {
        return text;
    }
    match literal::read(&text) {
        Some(Literal::Value(Value::String(inner))) => inner,
        _ => text,
    }
}

/// A JSON value as Python prints it: `True`, `None`, `{'a': 1}`; a string as it is.
pub(crate) fn python_text(value: &Value) -> String {
    python_text::of_json(value)
}

fn is_true(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !matches!(text.as_str(), "" | "False" | "false" | "0" | "0.0" | "{}" | "[]" | "()"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
    }
}

/// Takes what a program prints, up to the longest text that a template may build.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_TEXT_BYTES {
            return Err(io::Error::other("a text grows too large"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod fuzz;
#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests;
