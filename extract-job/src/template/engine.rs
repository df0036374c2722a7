//! The one minijinja environment that all templates run in: what it offers, and its limits.
//! Guarantees: no template runs for ever or eats the memory; it ends with an error instead.

use std::sync::LazyLock;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, filters as builtin, tests};
use thiserror::Error as ThisError;

use super::{filters, functions, methods, operators, python_text, slice};

/// The longest text that a template can build.
pub(super) const MAX_TEXT_BYTES: usize = 1 << 20;
/// The most elements, at all depths, of a list or mapping that a template builds.
pub(super) const MAX_ITEMS: usize = 50_000;
/// The most instructions of one rendering.
const FUEL: u64 = 50_000;
/// The deepest nesting while rendering.
const RECURSION: usize = 60;

/// A reason of our own wording, which never holds a value of a record.
#[derive(Debug, ThisError)]
#[error("{0}")]
pub(super) struct Reason(pub(super) String);

/// An error of a function, filter or operator.
pub(super) fn fail(reason: impl Into<String>) -> Error {
    Error::from(ErrorKind::InvalidOperation).with_source(Reason(reason.into()))
}

/// The error of using an undefined value.
pub(super) fn undefined() -> Error {
    Error::from(ErrorKind::UndefinedError)
}

/// An error when a text would become too long.
pub(super) fn capped(bytes: usize) -> Result<(), Error> {
    if bytes > MAX_TEXT_BYTES { Err(fail("a text grows too large")) } else { Ok(()) }
}

/// The environment; templates with statements take a copy of it.
pub(super) static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Lenient);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(RECURSION);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    env.set_formatter(|out, _, value: &Value| {
        let text = python_text::of(value)?;
        out.write_str(&text).map_err(|_| fail("a text grows too large"))
    });
    env.set_unknown_method_callback(methods::call);
    functions::register(&mut env);
    filters::register(&mut env);
    env.add_function("__add", operators::add);
    env.add_function("__sub", operators::sub);
    env.add_function("__mul", operators::mul);
    env.add_function("__concat", operators::concat);
    env.add_function("__operand", operators::operand);
    env.add_function("__checked", operators::checked);
    env.add_function("__slice", slice::slice);
    env.add_function("__lt", operators::lt);
    env.add_function("__le", operators::le);
    env.add_function("__gt", operators::gt);
    env.add_function("__ge", operators::ge);
    env.add_filter("list", builtin::list);
    env.add_filter("map", builtin::map);
    env.add_filter("select", builtin::select);
    env.add_filter("reject", builtin::reject);
    env.add_filter("selectattr", builtin::selectattr);
    env.add_filter("rejectattr", builtin::rejectattr);
    env.add_filter("unique", builtin::unique);
    env.add_filter("round", builtin::round);
    env.add_filter("abs", builtin::abs);
    env.add_filter("sum", builtin::sum);
    env.add_filter("min", builtin::min);
    env.add_filter("max", builtin::max);
    env.add_filter("sort", builtin::sort);
    env.add_filter("reverse", builtin::reverse);
    env.add_filter("items", builtin::items);
    env.add_filter("dictsort", builtin::dictsort);
    env.add_test("none", tests::is_none);
    env.add_test("defined", tests::is_defined);
    env.add_test("undefined", tests::is_undefined);
    env.add_test("true", tests::is_true);
    env.add_test("false", tests::is_false);
    env.add_test("boolean", tests::is_boolean);
    env.add_test("string", tests::is_string);
    env.add_test("mapping", tests::is_mapping);
    env.add_test("number", tests::is_number);
    env.add_test("integer", tests::is_integer);
    env.add_test("float", tests::is_float);
    env.add_test("sequence", tests::is_sequence);
    env.add_test("iterable", tests::is_iterable);
    env.add_test("odd", tests::is_odd);
    env.add_test("even", tests::is_even);
    env.add_test("divisibleby", operators::divisible_by);
    env.add_test("in", tests::is_in);
    env.add_test("eq", tests::is_eq);
    env.add_test("equalto", tests::is_eq);
    env.add_test("==", tests::is_eq);
    env.add_test("ne", tests::is_ne);
    env.add_test("!=", tests::is_ne);
    env.add_test("lt", operators::lt);
    env.add_test("le", operators::le);
    env.add_test("gt", operators::gt);
    env.add_test("ge", operators::ge);
    env.add_test("lessthan", operators::lt);
    env.add_test("greaterthan", operators::gt);
    for (name, test) in
        [("<", operators::lt as fn(_, _) -> _), ("<=", operators::le), (">", operators::gt), (">=", operators::ge)]
    {
        env.add_test(name, test);
    }
    env.add_test("sameas", tests::is_sameas);
    env.add_test("lower", tests::is_lower);
    env.add_test("upper", tests::is_upper);
    env
});
