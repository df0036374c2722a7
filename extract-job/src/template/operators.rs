//! The operators of templates where Python's differ from minijinja's: time values, text of mixed kinds, undefined values.
//! Guarantees: an undefined operand is an undefined error, and no result grows beyond the engine's limits.

use std::cmp::Ordering;

use minijinja::Error;
use minijinja::value::{Rest, Value, ValueKind};

use super::engine::{MAX_ITEMS, capped, fail, undefined};
use super::python_text;
use super::temporal::{self, Temporal};

/// Values nested deeper than this are refused.
const MAX_DEPTH: usize = 100;

/// `a + b + …`
pub(super) fn add(terms: Rest<Value>) -> Result<Value, Error> {
    fold(terms, |left, right| {
        if let (Some(left), Some(right)) = (left.as_str(), right.as_str()) {
            return capped(left.len() + right.len()).map(|()| Value::from(format!("{left}{right}")));
        }
        if let (Some(left), Some(right)) = (Temporal::of(left), Temporal::of(right)) {
            return temporal::add(left, right).map(Value::from);
        }
        if let (ValueKind::Seq | ValueKind::Iterable, ValueKind::Seq | ValueKind::Iterable) =
            (left.kind(), right.kind())
        {
            let items: Vec<Value> = left.try_iter()?.chain(right.try_iter()?).take(MAX_ITEMS + 1).collect();
            return checked(Value::from(items));
        }
        arithmetic(left, right, "+", i128::checked_add, |a, b| a + b)
    })
}

/// `a - b`
pub(super) fn sub(left: Value, right: Value) -> Result<Value, Error> {
    fold(Rest(vec![left, right]), |left, right| {
        if let (Some(left), Some(right)) = (Temporal::of(left), Temporal::of(right)) {
            return temporal::sub(left, right).map(Value::from);
        }
        arithmetic(left, right, "-", i128::checked_sub, |a, b| a - b)
    })
}

/// `a * b`
pub(super) fn mul(left: Value, right: Value) -> Result<Value, Error> {
    fold(Rest(vec![left, right]), |left, right| {
        for (text, count) in [(left, right), (right, left)] {
            if let (Some(text), Ok(count)) = (text.as_str(), i64::try_from(count.clone())) {
                let count = usize::try_from(count).unwrap_or(0);
                return capped(text.len().saturating_mul(count)).map(|()| Value::from(text.repeat(count)));
            }
        }
        arithmetic(left, right, "*", i128::checked_mul, |a, b| a * b)
    })
}

/// `a ~ b ~ …`: the texts as Python prints them, side by side.
pub(super) fn concat(terms: Rest<Value>) -> Result<Value, Error> {
    let mut text = String::new();
    for term in terms.iter() {
        text.push_str(&python_text::of(term)?);
        capped(text.len())?;
    }
    Ok(Value::from(text))
}

/// The operand of `/ // % ** -`, which must be defined.
pub(super) fn operand(value: Value) -> Result<Value, Error> {
    if value.is_undefined() { Err(undefined()) } else { Ok(value) }
}

/// A list or mapping that a template has built, if it is within the limits.
///
/// Without this check values that hold one another could grow exponentially.
pub(super) fn checked(value: Value) -> Result<Value, Error> {
    let mut left = MAX_ITEMS;
    if weigh(&value, &mut left, 0) { Ok(value) } else { Err(fail("a list or mapping grows too large")) }
}

fn weigh(value: &Value, left: &mut usize, depth: usize) -> bool {
    if *left == 0 || depth > MAX_DEPTH {
        return false;
    }
    *left -= 1;
    match value.kind() {
        ValueKind::Map => value
            .try_iter()
            .is_ok_and(|mut keys| keys.all(|key| value.get_item(&key).is_ok_and(|item| weigh(&item, left, depth + 1)))),
        ValueKind::Seq | ValueKind::Iterable => {
            value.try_iter().is_ok_and(|mut items| items.all(|item| weigh(&item, left, depth + 1)))
        }
        _ => true,
    }
}

/// Whether a number is a multiple of another. By zero it is an error, as in Python; minijinja's own test panics there.
pub(super) fn divisible_by(left: Value, right: Value) -> Result<bool, Error> {
    let (a, b) = (number(&left), number(&right));
    if !a.is_number() || !b.is_number() {
        return Ok(false);
    }
    if let (true, Ok(a), Ok(b)) =
        (a.is_integer() && b.is_integer(), i128::try_from(a.clone()), i128::try_from(b.clone()))
    {
        return if b == 0 { Err(fail("a division by zero")) } else { Ok(a.checked_rem(b).unwrap_or(0) == 0) };
    }
    match (f64::try_from(a), f64::try_from(b)) {
        (Ok(_), Ok(0.0)) => Err(fail("a division by zero")),
        (Ok(a), Ok(b)) => Ok(a % b == 0.0),
        _ => Ok(false),
    }
}

pub(super) fn lt(left: Value, right: Value) -> Result<bool, Error> {
    compare(&left, &right).map(Ordering::is_lt)
}

pub(super) fn le(left: Value, right: Value) -> Result<bool, Error> {
    compare(&left, &right).map(Ordering::is_le)
}

pub(super) fn gt(left: Value, right: Value) -> Result<bool, Error> {
    compare(&left, &right).map(Ordering::is_gt)
}

pub(super) fn ge(left: Value, right: Value) -> Result<bool, Error> {
    compare(&left, &right).map(Ordering::is_ge)
}

/// The order of two values of one kind; as in Python, values of different kinds have none.
pub(super) fn compare(left: &Value, right: &Value) -> Result<Ordering, Error> {
    use ValueKind::{Bool, Iterable, Number, Seq, String};
    if let (Some(left), Some(right)) = (Temporal::of(left), Temporal::of(right)) {
        return left.compare(&right).ok_or_else(|| fail("these dates and durations have no order"));
    }
    match (left.kind(), right.kind()) {
        (ValueKind::Undefined, _) | (_, ValueKind::Undefined) => Err(undefined()),
        (Number | Bool, Number | Bool) => Ok(number(left).cmp(&number(right))),
        (String, String) => Ok(left.as_str().cmp(&right.as_str())),
        (Seq | Iterable, Seq | Iterable) => {
            let (mut lefts, mut rights) = (left.try_iter()?, right.try_iter()?);
            loop {
                match (lefts.next(), rights.next()) {
                    (Some(left), Some(right)) if left == right => {}
                    (Some(left), Some(right)) => return compare(&left, &right),
                    (left, right) => return Ok(left.is_some().cmp(&right.is_some())),
                }
            }
        }
        (left, right) => Err(fail(format!("a {left} and a {right} have no order"))),
    }
}

/// A boolean counts as 0 or 1.
fn number(value: &Value) -> Value {
    if value.kind() == ValueKind::Bool { Value::from(u8::from(value.is_true())) } else { value.clone() }
}

fn fold(terms: Rest<Value>, step: impl Fn(&Value, &Value) -> Result<Value, Error>) -> Result<Value, Error> {
    let mut terms = terms.0.into_iter();
    let mut total = operand(terms.next().unwrap_or_default())?;
    for term in terms {
        total = step(&total, &operand(term)?)?;
    }
    Ok(total)
}

fn arithmetic(
    left: &Value,
    right: &Value,
    sign: &str,
    exact: fn(i128, i128) -> Option<i128>,
    approximate: fn(f64, f64) -> f64,
) -> Result<Value, Error> {
    let (a, b) = (number(left), number(right));
    if !a.is_number() || !b.is_number() {
        return Err(fail(format!("`{sign}` does not work on a {} and a {}", left.kind(), right.kind())));
    }
    if a.is_integer() && b.is_integer() {
        let result = i128::try_from(a).ok().zip(i128::try_from(b).ok()).and_then(|(a, b)| exact(a, b));
        return result.map(Value::from).ok_or_else(|| fail("a number grows too large"));
    }
    let float = |value: Value| f64::try_from(value).unwrap_or(f64::NAN);
    Ok(Value::from(approximate(float(a), float(b))))
}
