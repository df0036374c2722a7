//! Splits a script into statements and says what each is, and which tables it names.
//! A script with blocks, procedures or dynamic SQL is opaque: its inside is the emulator's alone.

use super::cursor::{Cursor, Path};
use super::token::{Kind, Token, tokens};

/// A script, or a single statement.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) text: String,
    statements: Vec<Vec<Token>>,
    pub(crate) is_opaque: bool,
}

/// Words before a table's name.
const BEFORE_TABLE: [&str; 9] = ["FROM", "JOIN", "INTO", "UPDATE", "MERGE", "USING", "TABLE", "EXISTS", "VIEW"];

impl Script {
    pub(crate) fn parse(text: &str) -> Self {
        let all = tokens(text);
        let mut statements = Vec::new();
        let mut current: Vec<Token> = Vec::new();
        for token in all {
            if token.kind == Kind::Symbol && token.depth == 0 && text.get(token.span.clone()) == Some(";") {
                statements.push(std::mem::take(&mut current));
            } else {
                current.push(token);
            }
        }
        statements.push(current);
        statements.retain(|statement| !statement.is_empty());
        let script = Self { text: text.to_owned(), statements, is_opaque: false };
        let is_opaque = script.statements().any(|cursor| is_block(&cursor));
        Self { is_opaque, ..script }
    }

    pub(crate) fn statements(&self) -> impl Iterator<Item = Cursor<'_>> {
        self.statements.iter().map(|statement| Cursor::new(&self.text, statement))
    }

    /// The only statement, if it is the only one and no block.
    pub(crate) fn single(&self) -> Option<Cursor<'_>> {
        self.statements().next().filter(|_| self.statements.len() == 1 && !self.is_opaque)
    }

    /// `statistics.query.statementType`.
    pub(crate) fn statement_type(&self) -> &'static str {
        self.single().map_or("SCRIPT", |cursor| statement_type(&cursor))
    }

    /// The tables that the script names in full (with a project, or in backticks with a dataset), each once.
    pub(crate) fn tables(&self, project: &str) -> Vec<Path> {
        tables(self.statements(), project)
    }

    /// Those of them that are read or whose rows are changed: what BigQuery bills.
    pub(crate) fn scanned(&self, project: &str) -> Vec<Path> {
        let is_free = |cursor: &Cursor<'_>| {
            let kind = statement_type(cursor);
            kind == "CREATE_TABLE" || ["ALTER", "DROP"].iter().any(|start| kind.starts_with(start))
        };
        tables(self.statements().filter(|cursor| !is_free(cursor)), project)
    }
}

fn tables<'a>(statements: impl Iterator<Item = Cursor<'a>>, project: &str) -> Vec<Path> {
    let mut found: Vec<Path> = Vec::new();
    for mut cursor in statements {
        if statement_type(&cursor).ends_with("_SCHEMA") {
            continue;
        }
        while !cursor.is_done() {
            let named = BEFORE_TABLE.iter().any(|word| cursor.take(&[word]));
            if !named {
                cursor.skip();
                continue;
            }
            let is_quoted = cursor.kind() == Some(Kind::Quoted);
            let mut ahead = cursor.clone();
            let Some(path) = ahead.path() else { continue };
            let full = match path.len() {
                2 if is_quoted => [vec![project.to_owned()], path].concat(),
                3 | 4 => path,
                _ => continue,
            };
            if !found.contains(&full) {
                found.push(full);
            }
        }
    }
    found
}

fn is_block(cursor: &Cursor<'_>) -> bool {
    let begin = cursor.sees(&["BEGIN"]) && cursor.tokens.len() > 1 && !cursor.sees(&["BEGIN", "TRANSACTION"]);
    let words = ["IF", "LOOP", "WHILE", "REPEAT", "FOR", "CASE", "CALL", "EXECUTE"];
    let procedure = cursor.sees(&["CREATE"])
        && (1..5)
            .any(|ahead| ["PROCEDURE", "FUNCTION"].iter().any(|word| cursor.peek_at(ahead).eq_ignore_ascii_case(word)));
    begin || procedure || words.iter().any(|word| cursor.sees(&[word]))
}

/// BigQuery's name for the kind of one statement; SELECT where it is not known.
pub(crate) fn statement_type(cursor: &Cursor<'_>) -> &'static str {
    let mut cursor = cursor.clone();
    for (words, name) in [
        (&["INSERT"][..], "INSERT"),
        (&["UPDATE"], "UPDATE"),
        (&["DELETE"], "DELETE"),
        (&["MERGE"], "MERGE"),
        (&["TRUNCATE"], "TRUNCATE_TABLE"),
        (&["ALTER", "TABLE"], "ALTER_TABLE"),
        (&["ALTER", "SCHEMA"], "ALTER_SCHEMA"),
        (&["DROP", "TABLE"], "DROP_TABLE"),
        (&["DROP", "VIEW"], "DROP_VIEW"),
        (&["DROP", "SCHEMA"], "DROP_SCHEMA"),
        (&["BEGIN"], "BEGIN_TRANSACTION"),
        (&["COMMIT"], "COMMIT_TRANSACTION"),
        (&["ROLLBACK"], "ROLLBACK_TRANSACTION"),
    ] {
        if cursor.sees(words) {
            return name;
        }
    }
    if !cursor.take(&["CREATE"]) {
        return "SELECT";
    }
    cursor.take(&["OR", "REPLACE"]);
    let _ = cursor.take(&["TEMP"]) || cursor.take(&["TEMPORARY"]);
    match cursor.peek().to_ascii_uppercase().as_str() {
        "TABLE" if selects(&cursor) => "CREATE_TABLE_AS_SELECT",
        "TABLE" => "CREATE_TABLE",
        "VIEW" => "CREATE_VIEW",
        "SCHEMA" => "CREATE_SCHEMA",
        _ => "CREATE",
    }
}

fn selects(cursor: &Cursor<'_>) -> bool {
    let word = |token: &Token| cursor.text.get(token.span.clone()).unwrap_or_default();
    cursor
        .tokens
        .iter()
        .any(|token| token.depth == 0 && token.kind == Kind::Word && word(token).eq_ignore_ascii_case("AS"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_statements() {
        let cases = [
            ("  -- c\nselect 1", "SELECT"),
            ("WITH a AS (SELECT 1) SELECT * FROM a", "SELECT"),
            ("merge into t using s on true when matched then delete;", "MERGE"),
            ("CREATE OR REPLACE TABLE `a.b.c` AS SELECT 1 AS x", "CREATE_TABLE_AS_SELECT"),
            ("CREATE TABLE IF NOT EXISTS t (a STRING OPTIONS(description='AS'))", "CREATE_TABLE"),
            ("BEGIN TRANSACTION; SELECT 1; COMMIT TRANSACTION;", "SCRIPT"),
            ("CALL `a.b.c`()", "SCRIPT"),
        ];
        for (sql, expected) in cases {
            assert_eq!(Script::parse(sql).statement_type(), expected, "{sql}");
        }
    }

    #[test]
    fn blocks_are_opaque_and_transactions_are_not() {
        assert!(!Script::parse("BEGIN TRANSACTION; SELECT 1; COMMIT TRANSACTION").is_opaque);
        assert!(!Script::parse("BEGIN; SELECT 1; COMMIT").is_opaque);
        assert!(Script::parse("BEGIN SELECT 1; END").is_opaque);
        assert!(Script::parse("CREATE OR REPLACE PROCEDURE a.b() BEGIN SELECT 1; END").is_opaque);
    }

    #[test]
    fn tables_are_found_where_they_are_named_in_full() {
        let sql = "MERGE INTO `p.d.t` AS t USING (SELECT EXTRACT(DAY FROM s.at) FROM `d.s` AS s JOIN q.e.u ON x, UNNEST(s.items)) \
                   AS s ON t.id = s.id WHEN MATCHED THEN DELETE; SELECT * FROM `p.d.t`, cte, 'FROM `p.d.no`'";
        let tables: Vec<_> = Script::parse(sql).tables("own").iter().map(|path| path.join(".")).collect();
        assert_eq!(tables, ["p.d.t", "own.d.s", "q.e.u"]);
        assert!(Script::parse("CREATE SCHEMA IF NOT EXISTS `p.d`").tables("own").is_empty());
    }
}
