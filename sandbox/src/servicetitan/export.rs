//! Export feeds: everything by time of change, from a token or a date on, removed rows once with `active` false.
//! A token names a place in time, so that the same token goes on at the same place in every later generation.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::dice::mix;
use super::parameters;
use super::query::Query;
use super::reply::Refusal;
use super::time::Ticks;
use super::world::{Position, World};

const START: Position = Position { time: Ticks(0), slot: 0 };

/// The body of one page of a feed; with `same_token` it points back at where it started and promises more.
pub(crate) fn page(world: &World, query: &Query, size: usize, same_token: bool) -> Result<Vec<u8>, Refusal> {
    let resource = world.resource();
    parameters::check_feed(resource, query)?;
    query.flag("includeRecentChanges")?;
    let active = if resource.feed.is_some_and(|feed| feed.takes_active) {
        let choices = [("True", Some(true)), ("False", Some(false)), ("Any", None)];
        query.choice("active", &choices)?.unwrap_or(Some(true))
    } else {
        None
    };
    let position = match query.get("from") {
        None | Some("") => START,
        Some(from) => match read_token(world.key, from) {
            Some(position) => position,
            None => {
                let time = Ticks::parse(from).ok_or_else(|| Refusal::parameter("from", from))?;
                Position { time, slot: 0 }
            }
        },
    };
    let rest = world.feed_from(position);
    let wanted = |row: &&Position| active.is_none_or(|active| world.is_active_in_feed(row.slot as u32) == active);
    let mut wanted = rest.iter().filter(wanted);
    let rows: Vec<&Position> = wanted.by_ref().take(size).collect();
    let end = rows.last().map_or(position, |last| Position { time: last.time, slot: last.slot + 1 });
    let next = if same_token { position } else { end };
    let has_more = same_token || wanted.next().is_some();

    let token = token(world.key, next);
    let mut out = Vec::with_capacity(256 + rows.len() * 1280);
    out.extend_from_slice(format!("{{\"hasMore\":{has_more},\"continueFrom\":\"{token}\",\"data\":[").as_bytes());
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        world.write_for_feed(row.slot as u32, &mut out);
    }
    out.extend_from_slice(b"]}");
    Ok(out)
}

fn token(key: u64, position: Position) -> String {
    let mut bytes = Vec::with_capacity(24);
    for part in [position.time.0, position.slot, seal(key, position)] {
        bytes.extend_from_slice(&part.to_be_bytes());
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads a token of this very feed; dates and foreign tokens are none.
fn read_token(key: u64, text: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let part = |index: usize| {
        let bytes = bytes.get(index * 8..index * 8 + 8)?;
        bytes.try_into().ok().map(u64::from_be_bytes)
    };
    let position = Position { time: Ticks(part(0)?), slot: part(1)? };
    (bytes.len() == 24 && part(2)? == seal(key, position)).then_some(position)
}

fn seal(key: u64, position: Position) -> u64 {
    mix(key, mix(position.time.0, position.slot))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_belong_to_one_feed() {
        let position = Position { time: Ticks(17_000_000_000_000_000), slot: 12 };
        let text = token(1, position);
        assert_eq!(read_token(1, &text), Some(position));
        assert_eq!(read_token(2, &text), None);
        for wrong in ["2020-01-01", "", "AAAA", &text[1..]] {
            assert_eq!(read_token(1, wrong), None, "{wrong}");
        }
    }
}
