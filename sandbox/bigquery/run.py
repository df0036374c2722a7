"""Starts bqemulator and ends it with its parent: standard input closes when the parent is gone, however it went."""

import asyncio
import functools
import gc
import os
import shutil
import sys
import threading


def watch() -> None:
    while os.read(0, 4096):
        pass
    # Nobody else is left to tidy up.
    shutil.rmtree(os.environ["EMULATOR_FOLDER"], ignore_errors=True)
    os._exit(0)


threading.Thread(target=watch, daemon=True).start()

import uvloop  # noqa: E402
from bqemulator.cli import main  # noqa: E402
from bqemulator.sql.translator import SQLTranslator  # noqa: E402
from bqemulator.storage.engine import DuckDBEngine  # noqa: E402
from fastapi import FastAPI  # noqa: E402
from sqlglot import exp  # noqa: E402
from sqlglot.dialects.dialect import Dialect  # noqa: E402
from starlette.middleware.base import BaseHTTPMiddleware  # noqa: E402


# Functions of the emulator that only look at a tree, by how their names begin.
READERS = ("detect_", "_detect_", "_capture_", "_reject_", "_extract_", "_parse_for_classification", "build_catalog_schema")
# Those that change nodes of one kind alone.
CHANGERS = {"rewrite_create_table_schema_ctas": exp.Create, "rewrite_unnest_struct": exp.Array}
# Those that print a tree once, and then let go of it.
PRINTERS = ("_apply_rules", "rewrite_table_refs")


def remember_parses() -> None:
    """Parsing is most of the emulator's work: on its way a statement is parsed some thirty times, always to the same tree."""
    parse, make_generator, generate = Dialect.parse, Dialect.generator, Dialect.generate
    making = threading.local()

    @functools.lru_cache(maxsize=1024)
    def trees(dialect: type[Dialect], sql: str):
        found = parse(dialect(), sql)
        # Where each word stood in the text: nobody asks, and it is half of the work of copying.
        for node in (node for tree in found if tree is not None for node in tree.walk()):
            node._meta = None
        return found

    def remembered(self, sql, **options):
        # A transpilation names the level of errors, but none.
        if self.settings or any(option is not None for option in options.values()):
            return parse(self, sql, **options)
        found = trees(type(self), sql)
        caller = sys._getframe(2).f_code.co_name
        kind = CHANGERS.get(caller)
        # A generator parses its constants again for each statement, and changes none of them.
        if (
            getattr(making, "generator", False)
            or caller.startswith(READERS)
            or kind is not None and not any(tree is not None and tree.find(kind) for tree in found)
        ):
            return list(found)
        # Others change the trees that they get.
        return [tree.copy() if tree is not None else None for tree in found]

    def generator(self, **options):
        making.generator = True
        try:
            return make_generator(self, **options)
        finally:
            making.generator = False

    def printed(self, expression, copy=True, **options):
        return generate(self, expression, copy=copy and sys._getframe(1).f_code.co_name not in PRINTERS, **options)

    Dialect.parse, Dialect.generator, Dialect.generate = remembered, generator, printed


def look_at_fewer_nodes() -> None:
    """Nine of ten nodes of a tree are of kinds that no rule of the emulator is about, and types are found out for averages and
    divisions alone."""
    apply, annotate = SQLTranslator._apply_first_matching_rule, SQLTranslator._annotate_tree
    plain = {
        exp.Alias, exp.And, exp.Boolean, exp.Column, exp.EQ, exp.From, exp.GT, exp.GTE, exp.Identifier, exp.If, exp.In, exp.Is, exp.LT, exp.LTE,
        exp.Literal, exp.NEQ, exp.Not, exp.Null, exp.Or, exp.Paren, exp.Select, exp.Star, exp.Subquery, exp.Table, exp.TableAlias, exp.Where,
    }  # fmt: skip

    def apply_first_matching_rule(self, node, tree):
        return type(node) not in plain and apply(self, node, tree)

    def annotate_tree(tree, schema):
        return annotate(tree, schema) if tree.find(exp.Avg, exp.Div) else tree

    SQLTranslator._apply_first_matching_rule, SQLTranslator._annotate_tree = apply_first_matching_rule, staticmethod(annotate_tree)


def use_one_thread() -> None:
    """Tables of tests are small: handing a statement to other threads costs more than it saves."""
    pragmas = DuckDBEngine._apply_session_pragmas

    def apply_session_pragmas(self):
        pragmas(self)
        self.connection.execute("SET threads = 1")

    DuckDBEngine._apply_session_pragmas = apply_session_pragmas


def answer_plainly() -> None:
    """Leaves out the access log, the metrics and the correlation ids around each request: nobody here reads them, and they are half of
    what a small request costs."""
    add = FastAPI.add_middleware

    def add_middleware(self, middleware, **options):
        if not issubclass(middleware, BaseHTTPMiddleware):
            add(self, middleware, **options)

    FastAPI.add_middleware = add_middleware
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


def collect_rarely() -> None:
    """Trees of statements are many small objects: looking through all of them at the usual pace is a sixth of the emulator's work."""
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


remember_parses()
look_at_fewer_nodes()
use_one_thread()
answer_plainly()
collect_rarely()
sys.argv[0] = "bqemulator"
main()
