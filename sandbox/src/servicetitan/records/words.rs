//! Word lists for made-up records, written as they stand inside a JSON string: escapes are part of the text.
//! Among them what real accounts hold: other alphabets, emoji, quotes, back slashes, line breaks and HTML.

use super::super::dice::Dice;
use super::json::{Json, put};

pub(crate) const FIRST_NAMES: [&str; 20] = [
    "Ana",
    "Nguyễn",
    "Jürgen",
    "Zoë",
    "K.",
    "Trần",
    "María",
    "Søren",
    "Lê Thị",
    "Bob",
    "Günther",
    "Phạm",
    "D'Arcy",
    "Łukasz",
    "Emma",
    "Noah",
    "Đặng",
    "Chloé",
    "Ian",
    "小明",
];
pub(crate) const LAST_NAMES: [&str; 20] = [
    "Ruiz",
    "Văn Hùng",
    "Müller",
    "O'Brien",
    "Lee",
    "Thị Hạnh",
    "Größer",
    "Smith-Jones",
    "Example",
    "Ngọc Ánh",
    "de la Cruz",
    "Weiß",
    "Ångström",
    "Quốc Bảo",
    "Brown",
    "Garcia",
    "Nowak",
    "Kowalczyk",
    "\\\"Ace\\\" Miller",
    "王",
];
pub(crate) const STREETS: [&str; 12] = [
    "Mill Rd",
    "Oak St",
    "Elm St",
    "Hauptstraße",
    "Đường Lê Lợi",
    "N 5th Ave",
    "Rue de l'Église",
    "Old \\\"Post\\\" Ln",
    "County Rd C\\\\7",
    "Maple Ct",
    "Sunset Blvd",
    "Calle Ñuñoa",
];
/// City, state, zip.
pub(crate) const CITIES: [(&str, &str, &str); 12] = [
    ("Dover", "DE", "19901"),
    ("Holtsville", "NY", "00501"),
    ("Agawam", "MA", "01001"),
    ("Lynn", "MA", "01905"),
    ("Münster", "TX", "76252"),
    ("San José", "CA", "95101"),
    ("Hà Nội", "-", "100000"),
    ("Newark", "NJ", "07102"),
    ("Portland", "ME", "04101"),
    ("Ponce", "PR", "00716-0001"),
    ("Phoenix", "AZ", "85001"),
    ("Unknown", "", "-"),
];
pub(crate) const SENTENCES: [&str; 16] = [
    "No cooling<br/>upstairs, thermostat reads 84&deg;F.",
    "Customer says \\\"it hums, then stops\\\" &mdash; check capacitor.",
    "Replaced filter; cleaned coil.\\nReturn visit needed for part #A-00417.",
    "<p>Gate code is on the <b>second</b> page of the form.</p>",
    "Khách hàng yêu cầu gọi trước 30 phút. 📞",
    "Gerät läuft, aber Kühlung ungenügend. Ersatzteil bestellt.",
    "Path to photos: C:\\\\jobs\\\\2025\\\\photos\\\\",
    "Leak under sink,\\ttightened coupling and tested 10 min.",
    "Tune-up done, static pressure 0.5\\\" WC, delta-T 18.",
    "Dog in yard 🐕 \\u2013 please ring the bell first.",
    "<ul><li>Heat exchanger inspected</li><li>CO 0 ppm</li></ul>",
    "Quote for a 3-ton unit, 16 SEER, given on site; will decide next week.",
    "Warranty claim open; waits for the maker's answer.",
    "Trời nóng quá, máy lạnh không chạy được.",
    "Water heater pilot out. Relit, watched for a quarter of an hour.",
    "Invoice to the landlord, not to the tenant!",
];
pub(crate) const FIELD_NAMES: [&str; 8] = [
    "Gate code",
    "Mã khách",
    "Dachneigung",
    "How did you hear \\\"us\\\"?",
    "PO required",
    "Filter size",
    "Lot / Block",
    "Notes",
];
pub(crate) const FIELD_VALUES: [&str; 8] =
    ["0042", "00501", "yes", "", "16x25x1", "n/a", "Tầng 3, phòng 12", "see \\\\\\\\server\\\\share"];
pub(crate) const UNITS: [&str; 8] = [
    "HVAC Service North",
    "HVAC Install",
    "Plumbing",
    "Plumbing (old)",
    "Electrical & Solar",
    "Điện lạnh",
    "Kältetechnik",
    "Drains",
];
pub(crate) const SKILLS: [&str; 6] = ["Heat pumps", "Boilers", "Sheet metal", "Wärmepumpe", "Controls", "Gas"];

pub(crate) fn person(json: &mut Json<'_>, dice: &mut Dice) {
    let (first, last) = (dice.pick(&FIRST_NAMES), dice.pick(&LAST_NAMES));
    json.joined(&[first, " ", last]);
}

/// An address object, members as in customers and locations.
pub(crate) fn address(json: &mut Json<'_>, dice: &mut Dice) {
    let (city, state, zip) = dice.pick(&CITIES);
    json.raw("{\"street\":\"");
    json.int(dice.below(9000) as i64 + 1);
    json.raw(" ");
    json.raw(dice.pick(&STREETS));
    json.raw("\"");
    put!(json, "unit", opt_text, dice.sometimes(5, "B"));
    put!(json, "city", text, city);
    put!(json, "state", text, state);
    put!(json, "zip", text, zip);
    put!(json, "country", text, "USA");
    if dice.one_in(6) {
        json.raw(",\"latitude\":null,\"longitude\":null}");
    } else {
        put!(json, "latitude", degrees, 25_000_000 + dice.below(20_000_000) as i64);
        put!(json, "longitude", degrees, -(70_000_000 + dice.below(50_000_000) as i64));
        json.raw("}");
    }
}

/// An array of `most` custom fields at the most; often empty.
pub(crate) fn custom_fields(json: &mut Json<'_>, dice: &mut Dice, most: u64) {
    json.raw("[");
    for index in 0..dice.below(most + 1) {
        json.raw(if index == 0 { "{\"typeId\":" } else { ",{\"typeId\":" });
        let field = dice.below(FIELD_NAMES.len() as u64) as usize;
        json.int(field as i64 + 5);
        put!(json, "name", text, FIELD_NAMES[field]);
        put!(json, "value", text, dice.pick(&FIELD_VALUES));
        json.raw("}");
    }
    json.raw("]");
}

/// Null, an empty array or one entry.
pub(crate) fn external_data(json: &mut Json<'_>, dice: &mut Dice) {
    match dice.below(4) {
        0 => json.null(),
        1 => {
            json.raw("[{\"key\":\"erp\",\"value\":");
            json.digits(dice.below(1_000_000), 8);
            json.raw("}]");
        }
        _ => json.raw("[]"),
    }
}

/// A text of so many sentences, with a number that says which visit it was.
pub(crate) fn summary(json: &mut Json<'_>, dice: &mut Dice, sentences: u64, visit: i64) {
    json.raw("\"");
    for _ in 0..sentences {
        json.raw(dice.pick(&SENTENCES));
        json.raw(" ");
    }
    json.raw("Visit ");
    json.int(visit);
    json.raw("\"");
}

/// A number above 2^53, which a double cannot hold.
pub(crate) fn huge(dice: &mut Dice) -> i64 {
    9_007_199_254_740_993 + 2 * dice.below(4_000_000_000_000_000_000) as i64
}
