//! The files of a load job: wildcards found out, Parquet columns held against the schema as BigQuery does.
//! BigQuery goes by names and types; the emulator goes by position and casts whatever comes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type as Physical};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::types::Type;
use serde_json::Value;

use super::field::{self, Field};
use super::reply::JobError;

/// One source file.
#[derive(Debug, Clone)]
pub(crate) struct SourceFile {
    pub(crate) uri: String,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// Finds the files of the URIs.
///
/// # Errors
/// `notFound` for a URI without a file, `invalid` for one that BigQuery does not take.
pub(crate) fn find(root: &Path, uris: &[String]) -> Result<Vec<SourceFile>, JobError> {
    let mut files = Vec::new();
    for uri in uris {
        let invalid = || JobError::new("invalid", format!("Invalid source URI: {uri}"));
        let (bucket, object) = uri.strip_prefix("gs://").and_then(|rest| rest.split_once('/')).ok_or_else(invalid)?;
        let is_plain = |text: &str| !text.is_empty() && !text.split('/').any(|part| matches!(part, ".." | "."));
        if !is_plain(bucket) || !is_plain(object) || bucket.contains('*') || object.matches('*').count() > 1 {
            return Err(invalid());
        }
        let folder = root.join(bucket);
        let names = match object.split_once('*') {
            None => vec![object.to_owned()],
            Some((prefix, suffix)) => {
                let mut names = Vec::new();
                objects(&folder, "", &mut names);
                let fits = |name: &String| {
                    name.len() >= object.len() - 1 && name.starts_with(prefix) && name.ends_with(suffix)
                };
                names.retain(fits);
                names.sort();
                names
            }
        };
        let before = files.len();
        for name in names {
            let path = folder.join(&name);
            if let Ok(metadata) = fs::metadata(&path)
                && metadata.is_file()
            {
                files.push(SourceFile { uri: format!("gs://{bucket}/{name}"), path, bytes: metadata.len() });
            }
        }
        if files.len() == before {
            return Err(JobError::new("notFound", format!("Not found: URI {uri}")));
        }
    }
    Ok(files)
}

fn objects(folder: &Path, prefix: &str, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            objects(&entry.path(), &format!("{name}/"), names);
        } else {
            names.push(name);
        }
    }
}

/// What the load's `parquetOptions` and its like allow.
#[derive(Debug, Clone, Default)]
pub(crate) struct ParquetOptions {
    lists: bool,
    enums: bool,
    decimals: Vec<String>,
    ignores_unknown: bool,
}

impl ParquetOptions {
    pub(crate) fn of_load(load: &Value) -> Self {
        let decimals = load["decimalTargetTypes"]
            .as_array()
            .map(|types| types.iter().filter_map(|kind| kind.as_str()).map(str::to_owned).collect::<Vec<_>>());
        Self {
            lists: load["parquetOptions"]["enableListInference"] == true,
            enums: load["parquetOptions"]["enumAsString"] == true,
            decimals: decimals.unwrap_or_else(|| vec!["NUMERIC".to_owned()]),
            ignores_unknown: load["ignoreUnknownValues"] == true,
        }
    }
}

/// The schema in the order of the files' columns. All files must agree.
///
/// # Errors
/// `invalid`: a file is no Parquet, the files differ, or a column does not fit the schema.
pub(crate) fn parquet_order(
    files: &[SourceFile],
    schema: &[Field],
    options: &ParquetOptions,
) -> Result<Vec<Field>, JobError> {
    let mut order: Option<Vec<Field>> = None;
    for file in files {
        let invalid = |message: String| {
            JobError::new("invalid", format!("Error while reading data, error message: {message} File: {}", file.uri))
        };
        let reader = File::open(&file.path).map_err(|error| invalid(error.to_string()))?;
        let reader =
            SerializedFileReader::new(reader).map_err(|error| invalid(format!("Invalid Parquet file: {error}.")))?;
        let columns = reader.metadata().file_metadata().schema_descr().root_schema().get_fields().to_vec();
        let mut own = Vec::new();
        for column in &columns {
            let name = column.name();
            let Some(field) = field::find(schema, name) else {
                if options.ignores_unknown {
                    return Err(JobError::limit("ignoreUnknownValues with unknown Parquet columns"));
                }
                return Err(invalid(format!("Provided schema does not match the file: no such field: {name}.")));
            };
            check_column(field, column, options).map_err(invalid)?;
            own.push(field.clone());
        }
        if let Some(missing) = schema.iter().find(|field| !own.iter().any(|other| other.name == field.name)) {
            return Err(invalid(format!(
                "Provided schema does not match the file: field {} is missing in it.",
                missing.name
            )));
        }
        match &order {
            Some(first) if *first != own => {
                return Err(invalid("The files do not all have the same columns in the same order.".to_owned()));
            }
            Some(_) => {}
            None => order = Some(own),
        }
    }
    order.ok_or_else(|| JobError::new("invalid", "No files."))
}

fn check_column(field: &Field, column: &Type, options: &ParquetOptions) -> Result<(), String> {
    let name = &field.name;
    let logical = column.get_basic_info().logical_type_ref();
    let converted = column.get_basic_info().converted_type();
    if column.is_group() {
        let is_list = matches!(logical, Some(LogicalType::List)) || converted == ConvertedType::LIST;
        return match (is_list, field.is_repeated(), field.kind.as_str()) {
            (true, true, _) if options.lists => Ok(()),
            (true, true, _) => Err(format!("Field {name} is a list: without enableListInference it is a record.")),
            (false, false, "RECORD") => Ok(()),
            _ => Err(mismatch(name, "a group", field)),
        };
    }
    let found = match parquet_type(column, options) {
        Ok(found) => found,
        Err(kind) => return Err(format!("Unsupported Parquet type {kind} in column {name}.")),
    };
    let same = match found {
        "NUMERIC" | "BIGNUMERIC" => matches!(field.kind.as_str(), "NUMERIC" | "BIGNUMERIC"),
        // Without a zone the same file type serves both.
        "DATETIME" => matches!(field.kind.as_str(), "DATETIME" | "TIMESTAMP"),
        found => found == field.kind,
    };
    if same && !field.is_repeated() { Ok(()) } else { Err(mismatch(name, found, field)) }
}

fn mismatch(name: &str, found: &str, field: &Field) -> String {
    format!(
        "Parquet column '{name}' has type {found} which does not match the target type {} {}.",
        field.mode, field.kind
    )
}

/// The BigQuery type of a column, under its old name.
fn parquet_type(column: &Type, options: &ParquetOptions) -> Result<&'static str, String> {
    let logical = column.get_basic_info().logical_type_ref();
    let converted = column.get_basic_info().converted_type();
    let physical = column.get_physical_type();
    let unsupported = || Err(format!("{physical} ({logical:?})"));
    Ok(match (physical, logical) {
        (Physical::BOOLEAN, None) => "BOOLEAN",
        (Physical::INT32, Some(LogicalType::Date)) => "DATE",
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Time { unit, .. })) if *unit != TimeUnit::NANOS => "TIME",
        (Physical::INT64, Some(LogicalType::Timestamp { is_adjusted_to_u_t_c, unit })) if *unit != TimeUnit::NANOS => {
            if *is_adjusted_to_u_t_c {
                "TIMESTAMP"
            } else {
                "DATETIME"
            }
        }
        (_, Some(LogicalType::Decimal { scale, precision })) if physical != Physical::BYTE_ARRAY => {
            decimal(*precision, *scale, options)
        }
        (Physical::INT32 | Physical::INT64, Some(LogicalType::Integer { .. })) => "INTEGER",
        (Physical::INT96, None) => "TIMESTAMP",
        (Physical::FLOAT | Physical::DOUBLE, None) => "FLOAT",
        (Physical::BYTE_ARRAY, Some(LogicalType::String)) => "STRING",
        (Physical::BYTE_ARRAY, Some(LogicalType::Enum)) => {
            if options.enums {
                "STRING"
            } else {
                "BYTES"
            }
        }
        (_, Some(_)) => return unsupported(),
        // Files of before the logical types.
        (Physical::INT32, None) if converted == ConvertedType::DATE => "DATE",
        (Physical::INT32 | Physical::INT64, None) => match converted {
            ConvertedType::TIMESTAMP_MILLIS | ConvertedType::TIMESTAMP_MICROS => "TIMESTAMP",
            ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS => "TIME",
            ConvertedType::DECIMAL => decimal(column.get_precision(), column.get_scale(), options),
            _ => "INTEGER",
        },
        (Physical::BYTE_ARRAY, None) if converted == ConvertedType::UTF8 => "STRING",
        (Physical::BYTE_ARRAY | Physical::FIXED_LEN_BYTE_ARRAY, None) => match converted {
            ConvertedType::NONE => "BYTES",
            ConvertedType::DECIMAL if physical == Physical::FIXED_LEN_BYTE_ARRAY => {
                decimal(column.get_precision(), column.get_scale(), options)
            }
            _ => return unsupported(),
        },
    })
}

/// The first of the target types that holds it, else the widest of them.
fn decimal(precision: i32, scale: i32, options: &ParquetOptions) -> &'static str {
    let holds = |kind: &str| match kind {
        "NUMERIC" => scale <= 9 && precision - scale <= 29,
        "BIGNUMERIC" => scale <= 38 && precision - scale <= 38,
        _ => true,
    };
    let of = |kind: &str| match kind {
        "STRING" => "STRING",
        "BIGNUMERIC" => "BIGNUMERIC",
        _ => "NUMERIC",
    };
    // Their order in the request does not matter.
    let known =
        ["NUMERIC", "BIGNUMERIC", "STRING"].into_iter().filter(|kind| options.decimals.iter().any(|name| name == kind));
    let known: Vec<_> = known.collect();
    let first = known.iter().find(|kind| holds(kind)).or(known.last());
    first.map_or("NUMERIC", |kind| of(kind))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_in_subfolders_too() {
        let root = tempfile::tempdir().unwrap();
        for name in ["b/in/part-0.parquet", "b/in/deep/part-1.parquet", "b/in/other.json"] {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let uris = |uri: &str| {
            let found = find(root.path(), &[uri.to_owned()]);
            found.map(|files| files.into_iter().map(|file| file.uri).collect::<Vec<_>>()).map_err(|error| error.reason)
        };
        assert_eq!(
            uris("gs://b/in/*.parquet"),
            Ok(vec!["gs://b/in/deep/part-1.parquet".into(), "gs://b/in/part-0.parquet".into()])
        );
        assert_eq!(uris("gs://b/in/other.json").unwrap().len(), 1);
        for (uri, reason) in [
            ("gs://b/in/none*", "notFound"),
            ("gs://b/in/none", "notFound"),
            ("gs://b/in", "notFound"),
            ("gs://*/in/a", "invalid"),
            ("gs://b/../b/in/other.json", "invalid"),
            ("gs://b/*/*", "invalid"),
            ("/b/in/other.json", "invalid"),
        ] {
            assert_eq!(uris(uri), Err(reason.to_owned()), "{uri}");
        }
    }

    #[test]
    fn decimals_go_to_the_first_type_that_holds_them() {
        let options = |types: &[&str]| ParquetOptions {
            decimals: types.iter().map(|kind| (*kind).to_owned()).collect(),
            ..ParquetOptions::default()
        };
        let all = options(&["STRING", "NUMERIC", "BIGNUMERIC"]);
        for (precision, scale, kind) in [(38, 9, "NUMERIC"), (38, 10, "BIGNUMERIC"), (76, 38, "BIGNUMERIC")] {
            assert_eq!(decimal(precision, scale, &all), kind, "({precision}, {scale})");
        }
        assert_eq!(decimal(38, 10, &options(&["NUMERIC"])), "NUMERIC");
    }
}
