//! RequestOption: where in a request a value goes (a page number, a token, a boundary). RequestPath: the value is the path itself.

use super::expression::{Expression, ExpressionError, Scope};
use crate::manifest::reader::Reader;
use crate::template::Names;
use contract::yaml::Kind;
use serde_json::Value;

/// The part of a request that a value goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Parameter,
    Header,
    BodyData,
    BodyJson,
    /// The value replaces the path; it may be a full URL.
    Path,
}

/// A value on its way into a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Injection {
    pub(crate) place: Place,
    /// The field's name; several segments in a JSON body nest; none for a path.
    pub(crate) field: Vec<String>,
    pub(crate) value: Value,
}

#[derive(Debug)]
pub(crate) struct RequestOption {
    place: Place,
    field: Vec<Expression>,
}

impl RequestOption {
    pub(crate) fn read(reader: &Reader<'_>) -> Option<Self> {
        match reader.kind() {
            "RequestOption" => Self::read_option(reader),
            "RequestPath" => {
                reader.finish();
                Some(Self { place: Place::Path, field: Vec::new() })
            }
            _ => {
                reader.unsupported("RequestOption, RequestPath");
                None
            }
        }
    }

    fn read_option(reader: &Reader<'_>) -> Option<Self> {
        reader.required("inject_into");
        let place = reader.text("inject_into").and_then(|text| {
            let place = match text.as_str() {
                "request_parameter" => Some(Place::Parameter),
                "header" => Some(Place::Header),
                "body_data" => Some(Place::BodyData),
                "body_json" => Some(Place::BodyJson),
                _ => None,
            };
            if place.is_none() {
                reader.error_at("inject_into", "must be request_parameter, header, body_data or body_json");
            }
            place
        });
        let field = match (reader.has("field_name"), reader.has("field_path")) {
            (true, false) => reader.expression("field_name", Names::ANYWHERE).into_iter().collect(),
            (false, true) => {
                if place.is_some_and(|place| place != Place::BodyJson) {
                    reader.error_at("field_path", "goes with `inject_into: body_json` alone");
                }
                if !matches!(reader.get("field_path").map(|node| &node.kind), Some(Kind::Seq(_))) {
                    reader.error_at("field_path", "must be a list");
                }
                reader.expression_list("field_path", Names::ANYWHERE)
            }
            _ => {
                reader.error("needs exactly one of `field_name` and `field_path`");
                Vec::new()
            }
        };
        reader.finish();
        Some(Self { place: place?, field })
    }

    /// The value at its place.
    pub(crate) fn inject(&self, value: Value, scope: &Scope) -> Result<Injection, ExpressionError> {
        let field = self.field.iter().map(|segment| segment.text(scope)).collect::<Result<_, _>>()?;
        Ok(Injection { place: self.place, field, value })
    }
}
