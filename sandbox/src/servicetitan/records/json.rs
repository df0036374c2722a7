//! Writes JSON text straight into a page's buffer, without a tree in between.
//! Texts come from this crate's own word lists, which are escaped already; nothing is escaped here.

use super::super::time::Ticks;

/// Writes a member after the first one: `put!(json, "total", decimal, cents)` gives `,"total":249.5`.
macro_rules! put {
    ($json:expr, $name:literal, $kind:ident $(, $value:expr)*) => {{
        $json.raw(concat!(",\"", $name, "\":"));
        $json.$kind($($value),*);
    }};
}
pub(crate) use put;

pub(crate) struct Json<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Json<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> Self {
        Self { out }
    }

    /// Text that is JSON already.
    #[inline]
    pub(crate) fn raw(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    #[inline]
    pub(crate) fn null(&mut self) {
        self.raw("null");
    }

    #[inline]
    pub(crate) fn flag(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    #[inline]
    pub(crate) fn int(&mut self, value: i64) {
        self.raw(itoa::Buffer::new().format(value));
    }

    #[inline]
    pub(crate) fn opt_int(&mut self, value: Option<i64>) {
        match value {
            Some(value) => self.int(value),
            None => self.null(),
        }
    }

    /// A string of escaped text.
    #[inline]
    pub(crate) fn text(&mut self, value: &str) {
        self.raw("\"");
        self.raw(value);
        self.raw("\"");
    }

    #[inline]
    pub(crate) fn opt_text(&mut self, value: Option<&str>) {
        match value {
            Some(value) => self.text(value),
            None => self.null(),
        }
    }

    /// A string made of several parts.
    #[inline]
    pub(crate) fn joined(&mut self, parts: &[&str]) {
        self.raw("\"");
        for part in parts {
            self.raw(part);
        }
        self.raw("\"");
    }

    /// A string of a fixed number of digits, leading zeros included.
    pub(crate) fn digits(&mut self, value: u64, width: usize) {
        self.raw("\"");
        self.padded(value, width);
        self.raw("\"");
    }

    /// A string with a number in it.
    pub(crate) fn numbered(&mut self, before: &str, value: i64, after: &str) {
        self.raw("\"");
        self.raw(before);
        self.int(value);
        self.raw(after);
        self.raw("\"");
    }

    /// A number of hundredths, as short as it can be: `250`, `249.5`, `0.05`.
    #[inline]
    pub(crate) fn decimal(&mut self, hundredths: i64) {
        self.scaled(hundredths, 2, false);
    }

    #[inline]
    pub(crate) fn opt_decimal(&mut self, hundredths: Option<i64>) {
        match hundredths {
            Some(value) => self.decimal(value),
            None => self.null(),
        }
    }

    /// A number of hundredths with nineteen decimals.
    pub(crate) fn long_decimal(&mut self, hundredths: i64) {
        self.scaled(hundredths, 2, true);
        self.raw("00000000000000000");
    }

    /// An amount of money as text: `"249.50"`.
    pub(crate) fn money_text(&mut self, cents: i64) {
        self.raw("\"");
        self.scaled(cents, 2, true);
        self.raw("\"");
    }

    /// A latitude or longitude in millionths of a degree.
    pub(crate) fn degrees(&mut self, millionths: i64) {
        self.scaled(millionths, 6, false);
    }

    #[inline]
    pub(crate) fn time(&mut self, time: Ticks) {
        self.raw("\"");
        time.write(self.out);
        self.raw("\"");
    }

    pub(crate) fn opt_time(&mut self, time: Option<Ticks>) {
        match time {
            Some(time) => self.time(time),
            None => self.null(),
        }
    }

    /// An array of numbers.
    pub(crate) fn ints(&mut self, values: impl IntoIterator<Item = i64>) {
        self.raw("[");
        for (index, value) in values.into_iter().enumerate() {
            if index > 0 {
                self.raw(",");
            }
            self.int(value);
        }
        self.raw("]");
    }

    fn scaled(&mut self, value: i64, decimals: usize, whole: bool) {
        if value < 0 {
            self.raw("-");
        }
        let (mut fraction, mut width) = (value.unsigned_abs(), decimals);
        let unit = 10_u64.pow(decimals as u32);
        self.raw(itoa::Buffer::new().format(fraction / unit));
        fraction %= unit;
        if !whole {
            while width > 0 && fraction.is_multiple_of(10) {
                fraction /= 10;
                width -= 1;
            }
        }
        if width > 0 {
            self.raw(".");
            self.padded(fraction, width);
        }
    }

    fn padded(&mut self, value: u64, width: usize) {
        let mut buffer = itoa::Buffer::new();
        let digits = buffer.format(value);
        for _ in digits.len()..width {
            self.raw("0");
        }
        self.raw(digits);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Json<'_>)) -> String {
        let mut out = Vec::new();
        write(&mut Json::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers() {
        let decimals = [(25_000, "250"), (24_950, "249.5"), (5, "0.05"), (-105, "-1.05"), (0, "0"), (-5, "-0.05")];
        for (hundredths, expected) in decimals {
            assert_eq!(written(|json| json.decimal(hundredths)), expected);
        }
        assert_eq!(written(|json| json.long_decimal(100)), "1.0000000000000000000");
        assert_eq!(written(|json| json.money_text(24_950)), "\"249.50\"");
        assert_eq!(written(|json| json.degrees(-75_520_000)), "-75.52");
        assert_eq!(written(|json| json.digits(501, 5)), "\"00501\"");
        assert_eq!(written(|json| json.ints([1, 2])), "[1,2]");
        assert_eq!(written(|json| put!(json, "a", opt_int, None)), ",\"a\":null");
    }
}
