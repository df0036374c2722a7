//! ALTER TABLE: its actions, one by one (the emulator takes one for each statement).

use super::super::field::Field;
use super::create_table::{Options, column, data_type, options};
use super::cursor::{Cursor, Path};

/// An ALTER TABLE statement.
#[derive(Debug)]
pub(crate) struct AlterTable {
    pub(crate) target: Path,
    pub(crate) if_exists: bool,
    /// The text up to the first action.
    pub(crate) head: String,
    pub(crate) actions: Vec<(Action, String)>,
}

/// One action.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Action {
    AddColumn {
        column: Field,
        if_not_exists: bool,
    },
    DropColumn {
        name: String,
    },
    RenameColumn {
        from: String,
        to: String,
    },
    /// The new type, on a column of that name.
    SetType(Field),
    DropNotNull {
        name: String,
    },
    SetColumnOptions {
        name: String,
        options: Options,
    },
    SetOptions(Options),
    AddPrimaryKey(Vec<String>),
    DropPrimaryKey,
    /// Anything else, for the emulator to judge.
    Other,
}

impl Action {
    /// Whether the emulator can carry it out; the rest lives in the gate alone.
    pub(crate) fn is_for_emulator(&self) -> bool {
        use Action::{AddPrimaryKey, DropPrimaryKey, SetColumnOptions, SetOptions};
        !matches!(self, SetColumnOptions { .. } | SetOptions(_) | AddPrimaryKey(_) | DropPrimaryKey)
    }
}

impl AlterTable {
    /// `None`: the statement is no ALTER TABLE.
    pub(crate) fn parse(mut cursor: Cursor<'_>) -> Option<Self> {
        if !cursor.take(&["ALTER", "TABLE"]) {
            return None;
        }
        let if_exists = cursor.take(&["IF", "EXISTS"]);
        let target = cursor.path()?;
        let head = cursor.text.get(cursor.span_since(0))?.to_owned();
        let mut actions = Vec::new();
        for mut part in cursor.split_at_commas() {
            let text = part.rest().to_owned();
            actions.push((action(&mut part).unwrap_or(Action::Other), text));
        }
        Some(Self { target, if_exists, head, actions })
    }

    /// The statements that the emulator must run.
    pub(crate) fn for_emulator(&self) -> Vec<String> {
        let actions = self.actions.iter().filter(|(action, _)| action.is_for_emulator());
        actions
            .map(|(action, text)| format!("{} {}", self.head, action.whole_numeric().unwrap_or(text.clone())))
            .collect()
    }
}

impl Action {
    /// The action with a plain NUMERIC spelt out: the emulator would give it 18 digits.
    fn whole_numeric(&self) -> Option<String> {
        match self {
            Self::AddColumn { column, .. } if column.sql_type() == "NUMERIC(38, 9)" => {
                Some(format!("ADD COLUMN IF NOT EXISTS `{}` NUMERIC(38, 9)", column.name))
            }
            Self::SetType(field) if field.sql_type() == "NUMERIC(38, 9)" => {
                Some(format!("ALTER COLUMN `{}` SET DATA TYPE NUMERIC(38, 9)", field.name))
            }
            _ => None,
        }
    }
}

fn action(cursor: &mut Cursor<'_>) -> Option<Action> {
    if cursor.take(&["ADD", "COLUMN"]) {
        let if_not_exists = cursor.take(&["IF", "NOT", "EXISTS"]);
        let (column, _) = column(cursor)?;
        return Some(Action::AddColumn { column, if_not_exists });
    }
    if cursor.take(&["DROP", "COLUMN"]) {
        cursor.take(&["IF", "EXISTS"]);
        return Some(Action::DropColumn { name: cursor.name()? });
    }
    if cursor.take(&["RENAME", "COLUMN"]) {
        cursor.take(&["IF", "EXISTS"]);
        let from = cursor.name()?;
        cursor.take(&["TO"]);
        return Some(Action::RenameColumn { from, to: cursor.name()? });
    }
    if cursor.take(&["ALTER", "COLUMN"]) {
        cursor.take(&["IF", "EXISTS"]);
        let name = cursor.name()?;
        if cursor.take(&["SET", "DATA", "TYPE"]) {
            return Some(Action::SetType(data_type(name, cursor)?));
        }
        if cursor.take(&["DROP", "NOT", "NULL"]) {
            return Some(Action::DropNotNull { name });
        }
        if cursor.take(&["SET", "OPTIONS"]) {
            return Some(Action::SetColumnOptions { name, options: options(&cursor.group()?)? });
        }
        return None;
    }
    if cursor.take(&["SET", "OPTIONS"]) {
        return Some(Action::SetOptions(options(&cursor.group()?)?));
    }
    if cursor.take(&["ADD", "PRIMARY", "KEY"]) {
        let names = cursor.group()?;
        return Some(Action::AddPrimaryKey(names.split_at_commas().iter_mut().filter_map(Cursor::name).collect()));
    }
    (cursor.take(&["DROP", "PRIMARY", "KEY"])).then_some(Action::DropPrimaryKey)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::statement::Script;
    use super::*;

    #[test]
    fn actions_are_taken_apart() {
        let sql = "ALTER TABLE IF EXISTS `p.d.t` ADD COLUMN IF NOT EXISTS a ARRAY<STRING>, ADD COLUMN b STRUCT<x INT64, y JSON>,\n\
                   ALTER COLUMN c SET DATA TYPE BIGNUMERIC, SET OPTIONS(description='a, b'), DROP COLUMN d";
        let alter = AlterTable::parse(Script::parse(sql).single().unwrap()).unwrap();
        assert!(alter.if_exists);
        let statements = [
            "ALTER TABLE IF EXISTS `p.d.t` ADD COLUMN IF NOT EXISTS a ARRAY<STRING>",
            "ALTER TABLE IF EXISTS `p.d.t` ADD COLUMN b STRUCT<x INT64, y JSON>",
            "ALTER TABLE IF EXISTS `p.d.t` ALTER COLUMN c SET DATA TYPE BIGNUMERIC",
            "ALTER TABLE IF EXISTS `p.d.t` DROP COLUMN d",
        ];
        assert_eq!(alter.for_emulator(), statements);
        assert!(
            matches!(&alter.actions[2].0, Action::SetType(field) if field.name == "c" && field.kind == "BIGNUMERIC")
        );
        assert!(matches!(&alter.actions[3].0, Action::SetOptions(options) if options[0].1 == "'a, b'"));
    }
}
