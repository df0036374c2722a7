//! Records of a given size, by their number alone: scalars as an API has them, and, where they are large, line items and a long text.
//! The texts are words in an order that does not repeat, so that they pack as prose does.

use std::io::Write;

const WORDS: [&str; 32] = [
    "unit",
    "furnace",
    "replaced",
    "filter",
    "customer",
    "asked",
    "quote",
    "roof",
    "west",
    "valve",
    "leak",
    "checked",
    "pressure",
    "gauge",
    "second",
    "visit",
    "needed",
    "part",
    "ordered",
    "warranty",
    "water",
    "heater",
    "installed",
    "thermostat",
    "drain",
    "cleaned",
    "invoice",
    "sent",
    "paid",
    "office",
    "called",
    "again",
];

/// How much of the parts that may be many a record has.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    /// Whether it has the scalars of a usual record, or a few only.
    pub(crate) is_full: bool,
    /// Line items, about 140 bytes each.
    pub(crate) items: usize,
    /// Words of the long text, about 7 bytes each.
    pub(crate) words: usize,
}

/// Appends the record.
pub(crate) fn write(shape: Shape, number: usize, out: &mut Vec<u8>) {
    let mut dice = Dice(number as u64);
    let id = 310_000_101 + number as i64 * 3;
    put(out, format_args!("{{\"id\":{id},\"status\":\"{}\",\"amount\":{}.25", dice.word(), dice.below(100_000)));
    if shape.is_full {
        put(out, format_args!(",\"number\":\"{:06}\",\"customerId\":{}", dice.below(1_000_000), dice.below(90_000)));
        put(out, format_args!(",\"active\":{},\"closedOn\":null", dice.below(2) == 0));
        put(
            out,
            format_args!(
                ",\"createdOn\":\"2026-{:02}-{:02}T08:15:00.1234567Z\"",
                dice.below(12) + 1,
                dice.below(28) + 1
            ),
        );
        put(out, format_args!(",\"tagTypeIds\":[{},{}],\"summary\":\"", dice.below(90), dice.below(90)));
        dice.text(8, out);
        out.push(b'"');
    }
    if shape.items > 0 {
        out.extend_from_slice(b",\"items\":[");
        for item in 0..shape.items {
            let comma = if item == 0 { "" } else { "," };
            put(out, format_args!("{comma}{{\"id\":{},\"quantity\":{}", id * 1000 + item as i64, dice.below(20)));
            put(out, format_args!(",\"price\":{}.5,\"taxable\":{},\"memo\":\"", dice.below(900), dice.below(2) == 0));
            dice.text(8, out);
            out.extend_from_slice(b"\"}");
        }
        out.push(b']');
    }
    if shape.words > 0 {
        out.extend_from_slice(b",\"notes\":\"");
        dice.text(shape.words, out);
        out.push(b'"');
    }
    out.push(b'}');
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("memory takes it");
}

/// Numbers that look like chance (SplitMix64), the same for the same record.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn word(&mut self) -> &'static str {
        WORDS[self.roll() as usize % WORDS.len()]
    }

    fn text(&mut self, words: usize, out: &mut Vec<u8>) {
        for number in 0..words {
            if number > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(self.word().as_bytes());
        }
    }
}
