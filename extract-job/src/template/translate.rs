//! Checks a template's names and rewrites it, from its syntax tree, into what minijinja runs as Python would.
//! Guarantees: unknown and misplaced names, functions, filters, tests and methods are errors, as is what has no limit.
//!
//! Objects of minijinja cannot overload operators, so `now_utc() - duration('P1D')` becomes a call of `__sub`. The
//! operators and the literals that are left keep minijinja's meaning, which is Python's.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use minijinja::machinery::ast::{BinOpKind, Call, CallArg, CompareOpKind, Expr, Stmt, UnaryOpKind};
use minijinja::machinery::parse;
use minijinja::value::{Value, ValueKind};

use super::error::Fault;
use super::names::{self, Names};
use super::reads::{self, Sought, path};

/// Longer templates are refused.
const MAX_TEMPLATE_BYTES: usize = 16 * 1024;
/// Expressions nested deeper than this are refused; minijinja's parser takes twice as much.
const MAX_DEPTH: usize = 25;
/// Expressions that become longer than this are refused: a chain of comparisons writes its middle twice, at every level.
const MAX_SOURCE_BYTES: usize = 16 * MAX_TEMPLATE_BYTES;

/// What a template has become.
pub(super) struct Translated {
    pub(super) form: Form,
    /// First keys that the template reads: `("config", "tenant_id")` for `config.tenant_id` and `config['tenant_id']`.
    pub(super) keys: BTreeSet<(String, String)>,
    /// What it looks at of each name.
    pub(super) reads: BTreeMap<String, Sought>,
}

/// The way a template is run.
pub(super) enum Form {
    /// Texts and expressions one after the other.
    Pieces(Vec<Piece>),
    /// A template with statements.
    Program(String),
}

/// A part of a template without statements.
pub(super) enum Piece {
    Text(String),
    Expression(String),
}

/// Parses, checks and rewrites a template.
pub(super) fn translate(text: &str, allowed: Names) -> Result<Translated, Fault> {
    if text.len() > MAX_TEMPLATE_BYTES {
        return Err(Fault::Unsupported("more than 16 KiB of text".into()));
    }
    if text.contains("stream_state") {
        return Err(Fault::Unsupported("`stream_state`: the state is kept by the cursor".into()));
    }
    let tree = parse(text, "template", minijinja::syntax::SyntaxConfig::default())
        .map_err(|error| Fault::Syntax(error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)))?;
    let Stmt::Template(root) = &tree else {
        return Err(Fault::Syntax("no template".into()));
    };
    let mut translator = Translator {
        allowed,
        locals: BTreeSet::new(),
        keys: BTreeSet::new(),
        reads: BTreeMap::new(),
        on_a_path: false,
        depth: 0,
    };
    let plain = root.children.iter().all(|child| matches!(child, Stmt::EmitRaw(_) | Stmt::EmitExpr(_)));
    let form = if plain {
        let pieces = root.children.iter().map(|child| match child {
            Stmt::EmitExpr(emit) => translator.expression(&emit.expr).map(Piece::Expression),
            Stmt::EmitRaw(raw) => Ok(Piece::Text(raw.raw.to_owned())),
            _ => Err(Fault::Syntax("a statement".into())),
        });
        Form::Pieces(pieces.collect::<Result<_, _>>()?)
    } else {
        translator.collect_locals(&root.children, 0)?;
        let mut program = String::new();
        translator.statements(&root.children, &mut program)?;
        Form::Program(program)
    };
    Ok(Translated { form, keys: translator.keys, reads: translator.reads })
}

struct Translator {
    allowed: Names,
    locals: BTreeSet<String>,
    keys: BTreeSet<(String, String)>,
    reads: BTreeMap<String, Sought>,
    /// The expression at hand is where a path starts that has been noted.
    on_a_path: bool,
    depth: usize,
}

impl Translator {
    /// Finds the names that loops and assignments introduce; they are known in the whole template.
    fn collect_locals(&mut self, statements: &[Stmt<'_>], depth: usize) -> Result<(), Fault> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        for statement in statements {
            match statement {
                Stmt::ForLoop(node) => {
                    self.locals.extend(targets(&node.target)?.into_iter().map(str::to_owned));
                    self.locals.insert("loop".to_owned());
                    self.collect_locals(&node.body, depth + 1)?;
                    self.collect_locals(&node.else_body, depth + 1)?;
                }
                Stmt::IfCond(node) => {
                    self.collect_locals(&node.true_body, depth + 1)?;
                    self.collect_locals(&node.false_body, depth + 1)?;
                }
                Stmt::Set(node) => self.locals.extend(targets(&node.target)?.into_iter().map(str::to_owned)),
                _ => {}
            }
        }
        Ok(())
    }

    fn statements(&mut self, statements: &[Stmt<'_>], out: &mut String) -> Result<(), Fault> {
        for statement in statements {
            self.statement(statement, out)?;
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Stmt<'_>, out: &mut String) -> Result<(), Fault> {
        match statement {
            Stmt::EmitRaw(node) => put(out, format_args!("{{{{ {} }}}}", quoted(node.raw))),
            Stmt::EmitExpr(node) => put(out, format_args!("{{{{ {} }}}}", self.expression(&node.expr)?)),
            Stmt::Set(node) => {
                let (target, value) = (targets(&node.target)?.join(", "), self.expression(&node.expr)?);
                put(out, format_args!("{{% set {target} = {value} %}}"));
            }
            Stmt::IfCond(node) => {
                put(out, format_args!("{{% if {} %}}", self.expression(&node.expr)?));
                self.statements(&node.true_body, out)?;
                out.push_str("{% else %}");
                self.statements(&node.false_body, out)?;
                out.push_str("{% endif %}");
            }
            Stmt::ForLoop(node) if !node.recursive => {
                let (target, items) = (targets(&node.target)?.join(", "), self.expression(&node.iter)?);
                put(out, format_args!("{{% for {target} in {items}"));
                if let Some(filter) = &node.filter_expr {
                    put(out, format_args!(" if {}", self.expression(filter)?));
                }
                out.push_str(" %}");
                self.statements(&node.body, out)?;
                out.push_str("{% else %}");
                self.statements(&node.else_body, out)?;
                out.push_str("{% endfor %}");
            }
            _ => return Err(Fault::Unsupported("a statement other than if, for and set".into())),
        }
        Ok(())
    }

    /// The expression's source, in parentheses where it could bind otherwise.
    fn expression(&mut self, node: &Expr<'_>) -> Result<String, Fault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(too_deep());
        }
        let source = self.expression_inner(node);
        self.depth -= 1;
        source.and_then(|source| if source.len() > MAX_SOURCE_BYTES { Err(too_deep()) } else { Ok(source) })
    }

    fn expression_inner(&mut self, node: &Expr<'_>) -> Result<String, Fault> {
        let on_a_path = std::mem::take(&mut self.on_a_path);
        if !on_a_path && let Some((name, path)) = path(node) {
            self.reads.entry(name.to_owned()).or_default().add(&path);
        }
        Ok(match node {
            Expr::Var(var) => {
                self.check_variable(var.id)?;
                var.id.to_owned()
            }
            Expr::Const(constant) => literal(&constant.value)?,
            Expr::Slice(slice) => {
                let value = self.expression(&slice.expr)?;
                let mut bound =
                    |part: &Option<Expr<'_>>| part.as_ref().map_or(Ok("none".to_owned()), |part| self.expression(part));
                let (start, stop, step) = (bound(&slice.start)?, bound(&slice.stop)?, bound(&slice.step)?);
                format!("__slice({value}, {start}, {stop}, {step})")
            }
            Expr::UnaryOp(unary) => match unary.op {
                UnaryOpKind::Not => format!("(not {})", self.expression(&unary.expr)?),
                UnaryOpKind::Neg => format!("(-__operand({}))", self.expression(&unary.expr)?),
            },
            Expr::BinOp(operation) => self.binary(operation.op, node, &operation.left, &operation.right)?,
            Expr::Compare(compare) => {
                let mut parts = Vec::new();
                let mut left_node = &compare.expr;
                let mut left = self.expression(left_node)?;
                for step in &compare.ops {
                    let right = match step.op {
                        CompareOpKind::In | CompareOpKind::NotIn => self.container(left_node, &step.expr)?,
                        _ => self.expression(&step.expr)?,
                    };
                    left_node = &step.expr;
                    parts.push(comparison(step.op, &left, &right));
                    left = right;
                }
                format!("({})", parts.join(" and "))
            }
            Expr::IfExpr(branch) => {
                let (test, value) = (self.expression(&branch.test_expr)?, self.expression(&branch.true_expr)?);
                match &branch.false_expr {
                    Some(other) => format!("({value} if {test} else {})", self.expression(other)?),
                    None => format!("({value} if {test})"),
                }
            }
            Expr::Filter(filter) => {
                check(filter.name, names::FILTERS, "filter")?;
                let Some(value) = &filter.expr else {
                    return Err(Fault::Unsupported("a filter without a value".into()));
                };
                format!("({}|{}{})", self.expression(value)?, filter.name, self.arguments(&filter.args)?)
            }
            Expr::Test(test) => {
                check(test.name, names::TESTS, "test")?;
                let arguments = if test.args.is_empty() { String::new() } else { self.arguments(&test.args)? };
                format!("({} is {}{arguments})", self.expression(&test.expr)?, test.name)
            }
            Expr::GetAttr(attribute) => {
                self.note_key(&attribute.expr, attribute.name);
                format!("{}.{}", self.start(node, &attribute.expr)?, attribute.name)
            }
            Expr::GetItem(item) => {
                if let Expr::Const(key) = &item.subscript_expr
                    && let Some(key) = key.value.as_str()
                {
                    self.note_key(&item.expr, key);
                }
                format!("{}[{}]", self.start(node, &item.expr)?, self.expression(&item.subscript_expr)?)
            }
            Expr::Call(call) => self.call(call)?,
            Expr::List(list) => format!("__checked([{}])", self.sequence(&list.items)?),
            Expr::Tuple(tuple) => format!(
                "__checked(({}{}))",
                self.sequence(&tuple.items)?,
                if tuple.items.len() == 1 { "," } else { "" }
            ),
            Expr::Map(map) => {
                let mut entries = Vec::new();
                for (key, value) in map.keys.iter().zip(&map.values) {
                    entries.push(format!("{}: {}", self.expression(key)?, self.expression(value)?));
                }
                format!("__checked({{{}}})", entries.join(", "))
            }
        })
    }

    fn binary(&mut self, op: BinOpKind, whole: &Expr<'_>, left: &Expr<'_>, right: &Expr<'_>) -> Result<String, Fault> {
        let chained = match op {
            BinOpKind::Add => Some(("__add(", ", ", ")")),
            BinOpKind::Concat => Some(("__concat(", ", ", ")")),
            BinOpKind::ScAnd => Some(("(", " and ", ")")),
            BinOpKind::ScOr => Some(("(", " or ", ")")),
            _ => None,
        };
        if let Some((open, between, close)) = chained {
            // A chain of one operator is flat, so that a long one is not a deep one.
            let mut terms = Vec::new();
            let mut rest = whole;
            while let Expr::BinOp(step) = rest
                && std::mem::discriminant(&step.op) == std::mem::discriminant(&op)
            {
                terms.push(self.expression(&step.right)?);
                rest = &step.left;
            }
            terms.push(self.expression(rest)?);
            terms.reverse();
            return Ok(format!("{open}{}{close}", terms.join(between)));
        }
        let (left, right) = match op {
            BinOpKind::In => (self.expression(left)?, self.container(left, right)?),
            _ => (self.expression(left)?, self.expression(right)?),
        };
        Ok(match op {
            BinOpKind::Sub => format!("__sub({left}, {right})"),
            BinOpKind::Mul => format!("__mul({left}, {right})"),
            BinOpKind::Div => format!("(__operand({left}) / __operand({right}))"),
            BinOpKind::FloorDiv => format!("(__operand({left}) // __operand({right}))"),
            BinOpKind::Rem => format!("(__operand({left}) % __operand({right}))"),
            BinOpKind::Pow => format!("(__operand({left}) ** __operand({right}))"),
            BinOpKind::Eq => comparison(CompareOpKind::Eq, &left, &right),
            BinOpKind::Ne => comparison(CompareOpKind::Ne, &left, &right),
            BinOpKind::Lt => comparison(CompareOpKind::Lt, &left, &right),
            BinOpKind::Lte => comparison(CompareOpKind::Lte, &left, &right),
            BinOpKind::Gt => comparison(CompareOpKind::Gt, &left, &right),
            BinOpKind::Gte => comparison(CompareOpKind::Gte, &left, &right),
            _ => comparison(CompareOpKind::In, &left, &right),
        })
    }

    fn call(&mut self, call: &Call<'_>) -> Result<String, Fault> {
        let callee = match &call.expr {
            Expr::Var(var) => {
                check(var.id, names::FUNCTIONS, "function")?;
                var.id.to_owned()
            }
            Expr::GetAttr(method) => {
                check(method.name, names::METHODS, "method")?;
                format!("{}.{}", self.receiver(call, &method.expr)?, method.name)
            }
            _ => return Err(Fault::Unsupported("a call of something other than a function or a method".into())),
        };
        Ok(format!("{callee}{}", self.arguments(&call.args)?))
    }

    fn arguments(&mut self, arguments: &[CallArg<'_>]) -> Result<String, Fault> {
        let mut sources = Vec::new();
        for argument in arguments {
            sources.push(match argument {
                CallArg::Pos(value) => self.expression(value)?,
                CallArg::Kwarg(name, value) => format!("{name}={}", self.expression(value)?),
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                    return Err(Fault::Unsupported("an argument that is spread with `*`".into()));
                }
            });
        }
        Ok(format!("({})", sources.join(", ")))
    }

    fn sequence(&mut self, items: &[Expr<'_>]) -> Result<String, Fault> {
        Ok(items.iter().map(|item| self.expression(item)).collect::<Result<Vec<_>, _>>()?.join(", "))
    }

    /// What `whole` is taken from: where that is a path it has been noted, and looks at nothing more.
    fn start(&mut self, whole: &Expr<'_>, from: &Expr<'_>) -> Result<String, Fault> {
        self.on_a_path = path(whole).is_some();
        self.expression(from)
    }

    fn receiver(&mut self, call: &Call<'_>, from: &Expr<'_>) -> Result<String, Fault> {
        self.on_a_path = reads::path_of_call(call).is_some();
        self.expression(from)
    }

    /// What is searched for a key: of a name, the key alone is looked at.
    fn container(&mut self, key: &Expr<'_>, of: &Expr<'_>) -> Result<String, Fault> {
        if let (Expr::Const(key), Expr::Var(name)) = (key, of)
            && let Some(key) = key.value.as_str()
        {
            let sought = self.reads.entry(name.id.to_owned()).or_default();
            sought.add(&[key]);
            sought.search();
            self.on_a_path = true;
        }
        self.expression(of)
    }

    fn note_key(&mut self, base: &Expr<'_>, key: &str) {
        if let Expr::Var(var) = base {
            self.keys.insert((var.id.to_owned(), key.to_owned()));
        }
    }

    fn check_variable(&self, name: &str) -> Result<(), Fault> {
        if self.locals.contains(name) {
            return Ok(());
        }
        let available = || self.allowed.listed().into_iter().chain(self.locals.iter().map(String::as_str));
        match Names::by_name(name) {
            Some(known) if self.allowed.contains(known) => Ok(()),
            Some(_) => {
                Err(Fault::NotHere { name: name.to_owned(), available: available().collect::<Vec<_>>().join(", ") })
            }
            None if names::FUNCTIONS.contains(&name) => {
                Err(Fault::Unsupported(format!("the function `{name}` without a call")))
            }
            None => Err(unknown("name", name, available())),
        }
    }
}

fn too_deep() -> Fault {
    Fault::Unsupported("deeper nesting than this engine takes".into())
}

fn unknown<'n>(what: &'static str, name: &str, known: impl IntoIterator<Item = &'n str>) -> Fault {
    Fault::Unknown { what, name: name.to_owned(), near: names::near(name, known).map(str::to_owned) }
}

fn check(name: &str, known: &[&str], what: &'static str) -> Result<(), Fault> {
    if known.contains(&name) { Ok(()) } else { Err(unknown(what, name, known.iter().copied())) }
}

fn comparison(op: CompareOpKind, left: &str, right: &str) -> String {
    match op {
        CompareOpKind::Eq => format!("({left} == {right})"),
        CompareOpKind::Ne => format!("({left} != {right})"),
        CompareOpKind::Lt => format!("__lt({left}, {right})"),
        CompareOpKind::Lte => format!("__le({left}, {right})"),
        CompareOpKind::Gt => format!("__gt({left}, {right})"),
        CompareOpKind::Gte => format!("__ge({left}, {right})"),
        CompareOpKind::In => format!("({left} in {right})"),
        CompareOpKind::NotIn => format!("({left} not in {right})"),
    }
}

/// The names that a loop or an assignment fills. They may not hide a name of the context or of the engine.
fn targets<'a>(target: &Expr<'a>) -> Result<Vec<&'a str>, Fault> {
    let names = match target {
        Expr::Var(var) => vec![var.id],
        Expr::List(list) => list.items.iter().map(targets).collect::<Result<Vec<_>, _>>()?.concat(),
        Expr::Tuple(tuple) => tuple.items.iter().map(targets).collect::<Result<Vec<_>, _>>()?.concat(),
        _ => return Err(Fault::Unsupported("an assignment to something other than a name".into())),
    };
    match names.iter().find(|name| name.starts_with("__")) {
        Some(name) => Err(unknown("name", name, [])),
        None => Ok(names),
    }
}

fn literal(value: &Value) -> Result<String, Fault> {
    Ok(match value.kind() {
        ValueKind::String => quoted(value.as_str().unwrap_or_default()),
        ValueKind::None => "none".to_owned(),
        ValueKind::Bool => if value.is_true() { "true" } else { "false" }.to_owned(),
        ValueKind::Number if value.is_integer() => value.to_string(),
        ValueKind::Number => match f64::try_from(value.clone()) {
            Ok(number) if number.is_finite() && number.fract() == 0.0 => format!("{number:.1}"),
            Ok(number) if number.is_finite() => format!("{number}"),
            _ => return Err(Fault::Unsupported("an infinite number".into())),
        },
        _ => return Err(Fault::Unsupported("a constant of this kind".into())),
    })
}

/// A text as a string literal of the template language.
fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => put(&mut out, format_args!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn put(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments); // writing into a String cannot fail
}
