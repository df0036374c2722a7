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
from fastapi import FastAPI  # noqa: E402
from sqlglot.dialects.dialect import Dialect  # noqa: E402
from starlette.middleware.base import BaseHTTPMiddleware  # noqa: E402


# Functions of the emulator that only look at a tree, by how their names begin.
READERS = ("detect_", "_detect_", "_capture_", "_reject_", "_extract_", "_parse_for_classification", "build_catalog_schema")


def remember_parses() -> None:
    """Parsing is most of the emulator's work: on its way a statement is parsed some thirty times, always to the same tree."""
    parse, make_generator = Dialect.parse, Dialect.generator
    making = threading.local()

    @functools.lru_cache(maxsize=1024)
    def trees(dialect: type[Dialect], sql: str):
        found = parse(dialect(), sql)
        # Where each word stood in the text: nobody asks, and it is half of the work of copying.
        for node in (node for tree in found if tree is not None for node in tree.walk()):
            node._meta = None
        return found

    def remembered(self, sql, **options):
        if options or self.settings:
            return parse(self, sql, **options)
        found = trees(type(self), sql)
        # A generator parses its constants again for each statement, and changes none of them.
        if getattr(making, "generator", False) or sys._getframe(2).f_code.co_name.startswith(READERS):
            return list(found)
        # Others change the trees that they get.
        return [tree.copy() if tree is not None else None for tree in found]

    def generator(self, **options):
        making.generator = True
        try:
            return make_generator(self, **options)
        finally:
            making.generator = False

    Dialect.parse, Dialect.generator = remembered, generator


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
answer_plainly()
collect_rarely()
sys.argv[0] = "bqemulator"
main()
