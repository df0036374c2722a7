//! Slices as Python makes them: of texts by characters, of lists and tuples, with any bounds and steps.
//! minijinja's own panic on empty values and miscount where the step is negative; these do neither.

use minijinja::Error;
use minijinja::value::{Tuple, Value, ValueKind};

use super::engine::{fail, undefined};

/// `value[start:stop:step]`; a bound that is none is left out. A slice of null is empty.
pub(super) fn slice(value: Value, start: Value, stop: Value, step: Value) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(undefined());
    }
    let (start, stop, step) = (bound(&start)?, bound(&stop)?, bound(&step)?.unwrap_or(1));
    if step == 0 {
        return Err(fail("the step of a slice cannot be 0"));
    }
    match value.kind() {
        ValueKind::None => Ok(Value::from(Vec::<Value>::new())),
        ValueKind::String => {
            let characters: Vec<char> = value.as_str().unwrap_or_default().chars().collect();
            let picked = places(characters.len(), start, stop, step).into_iter();
            Ok(Value::from(picked.filter_map(|place| characters.get(place)).collect::<String>()))
        }
        ValueKind::Seq | ValueKind::Iterable => {
            let items: Vec<Value> = value.try_iter()?.collect();
            let picked = places(items.len(), start, stop, step).into_iter();
            let picked: Vec<Value> = picked.filter_map(|place| items.get(place).cloned()).collect();
            Ok(if value.is_tuple() { Value::from(Tuple::from(picked)) } else { Value::from(picked) })
        }
        kind => Err(fail(format!("a {kind} cannot be sliced"))),
    }
}

fn bound(value: &Value) -> Result<Option<i64>, Error> {
    match value.kind() {
        ValueKind::Undefined => Err(undefined()),
        ValueKind::None => Ok(None),
        _ => i64::try_from(value.clone()).map(Some).map_err(|_| fail("the bounds of a slice are whole numbers")),
    }
}

/// The indexes that a slice picks, in its order.
fn places(length: usize, start: Option<i64>, stop: Option<i64>, step: i64) -> Vec<usize> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let (least, most, first, end) = if step > 0 { (0, length, 0, length) } else { (-1, length - 1, length - 1, -1) };
    let clamped = |at: i64| if at < 0 { at + length } else { at }.clamp(least, most);
    let (mut at, end) = (start.map_or(first, clamped), stop.map_or(end, clamped));
    let mut places = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        places.extend(usize::try_from(at));
        match at.checked_add(step) {
            Some(next) => at = next,
            None => break,
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_those_of_python() {
        for (length, start, stop, step, expected) in [
            (0, None, None, -1, vec![]),
            (3, None, None, -1, vec![2, 1, 0]),
            (3, Some(2), Some(0), -1, vec![2, 1]),
            (3, Some(0), Some(2), -1, vec![]),
            (3, Some(-2), None, 1, vec![1, 2]),
            (3, Some(i64::MIN), Some(i64::MAX), i64::MAX, vec![0]),
            (3, Some(i64::MAX), Some(i64::MIN), i64::MIN, vec![2]),
            (5, Some(1), Some(-1), 2, vec![1, 3]),
            (5, Some(-1), Some(1), -2, vec![4, 2]),
            (2, Some(5), None, 1, vec![]),
        ] {
            assert_eq!(places(length, start, stop, step), expected, "{length} {start:?} {stop:?} {step}");
        }
    }
}
