//! MERGE: which target rows would match more than one source row. BigQuery fails there; the emulator lets one row win.
//! Pairs of rows that a MATCHED clause would act on are counted, and so are the target rows in them: both must be as many.

use super::cursor::Cursor;
use super::token::Kind;

/// What BigQuery says.
pub(crate) const ERROR: &str = "UPDATE/MERGE must match at most one source row for each target row";

/// A MERGE statement, in pieces of its text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Merge<'a> {
    target: &'a str,
    source: &'a str,
    condition: &'a str,
    /// One for each `WHEN MATCHED`: its `AND` condition, or `TRUE`.
    matched: Vec<&'a str>,
    deletes: bool,
}

impl<'a> Merge<'a> {
    /// `None`: the statement is no MERGE, or not to be understood.
    pub(crate) fn parse(mut cursor: Cursor<'a>) -> Option<Self> {
        if !cursor.take(&["MERGE"]) {
            return None;
        }
        cursor.take(&["INTO"]);
        let target = until(&mut cursor, "USING")?;
        let source = until(&mut cursor, "ON")?;
        let condition = until(&mut cursor, "WHEN")?;
        let (mut matched, mut deletes) = (Vec::new(), false);
        loop {
            let is_matched = cursor.take(&["MATCHED"]);
            let head = until(&mut cursor, "THEN")?;
            deletes |= cursor.sees(&["DELETE"]);
            if is_matched {
                matched.push(and_condition(&head).unwrap_or("TRUE"));
            }
            if until(&mut cursor, "WHEN").is_none() {
                return Some(Self {
                    target: target.rest(),
                    source: source.rest(),
                    condition: condition.rest(),
                    matched,
                    deletes,
                });
            }
        }
    }

    /// The query that tells how many pairs of rows are too many; `None` where no MATCHED clause could act.
    pub(crate) fn too_many(&self) -> Option<String> {
        if self.matched.is_empty() || self.condition.eq_ignore_ascii_case("FALSE") {
            return None;
        }
        let Self { target, source, condition, .. } = self;
        let acts = self.matched.iter().map(|condition| format!("({condition})")).collect::<Vec<_>>().join(" OR ");
        let both = format!("({condition}) AND ({acts})");
        Some(format!(
            "SELECT (SELECT COUNT(*) FROM {target} INNER JOIN {source} ON {both}) - \
             (SELECT COUNT(*) FROM {target} WHERE EXISTS (SELECT 1 FROM {source} WHERE {both}))"
        ))
    }

    /// The query that counts the target's rows.
    pub(crate) fn count(&self) -> String {
        format!("SELECT COUNT(*) FROM {}", self.target)
    }

    /// Whether rows can go away.
    pub(crate) fn deletes(&self) -> bool {
        self.deletes
    }
}

/// Reads up to the word that stands in no parentheses and in no CASE, and past it.
fn until<'a>(cursor: &mut Cursor<'a>, word: &str) -> Option<Cursor<'a>> {
    let from = cursor.position();
    let mut cases = 0u32;
    while !cursor.is_done() {
        let outside = cursor.tokens.get(cursor.position()).is_some_and(|token| token.depth == 0);
        if outside && cases == 0 && cursor.sees(&[word]) {
            let part = Cursor::new(cursor.text, cursor.tokens.get(from..cursor.position())?);
            cursor.skip();
            return Some(part);
        }
        if cursor.kind() == Some(Kind::Word) {
            if cursor.sees(&["CASE"]) {
                cases += 1;
            } else if cursor.sees(&["END"]) {
                cases = cases.saturating_sub(1);
            }
        }
        cursor.skip();
    }
    None
}

fn and_condition<'a>(head: &Cursor<'a>) -> Option<&'a str> {
    let mut head = head.clone();
    head.take(&["AND"]).then(|| head.rest())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::statement::Script;
    use super::*;

    #[test]
    fn the_pieces_of_a_merge() {
        let script = Script::parse(
            "MERGE INTO `p.d.t` AS t USING (SELECT CASE WHEN a THEN 1 END AS k FROM `p.d.s` WHERE x = 'ON') AS s\n\
             ON t.k = s.k AND CASE WHEN t.z THEN TRUE ELSE FALSE END\n\
             WHEN MATCHED AND (t.h IS DISTINCT FROM s.h) THEN UPDATE SET h = CASE WHEN s.h = 'THEN' THEN s.h END\n\
             WHEN NOT MATCHED BY TARGET THEN INSERT (k) VALUES (s.k)\n\
             WHEN NOT MATCHED BY SOURCE AND t.o <> 'D' THEN DELETE",
        );
        let merge = Merge::parse(script.single().unwrap()).unwrap();
        let expected = Merge {
            target: "`p.d.t` AS t",
            source: "(SELECT CASE WHEN a THEN 1 END AS k FROM `p.d.s` WHERE x = 'ON') AS s",
            condition: "t.k = s.k AND CASE WHEN t.z THEN TRUE ELSE FALSE END",
            matched: vec!["(t.h IS DISTINCT FROM s.h)"],
            deletes: true,
        };
        assert_eq!(merge, expected);
    }

    #[test]
    fn an_insert_alone_and_a_replacement_match_nothing() {
        for sql in [
            "MERGE t USING s ON t.k = s.k WHEN NOT MATCHED THEN INSERT ROW",
            "MERGE t USING s ON FALSE WHEN MATCHED THEN DELETE WHEN NOT MATCHED BY SOURCE THEN DELETE",
        ] {
            let script = Script::parse(sql);
            assert_eq!(Merge::parse(script.single().unwrap()).unwrap().too_many(), None, "{sql}");
        }
    }

    #[test]
    fn other_statements_are_no_merge() {
        for sql in ["SELECT 1", "MERGE t", "MERGE t USING s ON"] {
            assert_eq!(Merge::parse(Script::parse(sql).single().unwrap()), None, "{sql}");
        }
    }
}
