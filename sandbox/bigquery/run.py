"""Starts bqemulator and ends it with its parent: standard input closes when the parent is gone, however it went."""

import functools
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

from bqemulator.cli import main  # noqa: E402
from sqlglot.dialects.dialect import Dialect  # noqa: E402


def remember_parses() -> None:
    """Parsing is most of the emulator's work: on its way a statement is parsed some thirty times, always to the same tree."""
    parse, make_generator = Dialect.parse, Dialect.generator
    making = threading.local()

    @functools.lru_cache(maxsize=1024)
    def trees(dialect: type[Dialect], sql: str):
        return parse(dialect(), sql)

    def remembered(self, sql, **options):
        if options or self.settings:
            return parse(self, sql, **options)
        found = trees(type(self), sql)
        # A generator parses its constants again for each statement, and changes none of them. Others change the trees that they get.
        if getattr(making, "generator", False):
            return list(found)
        return [tree.copy() if tree is not None else None for tree in found]

    def generator(self, **options):
        making.generator = True
        try:
            return make_generator(self, **options)
        finally:
            making.generator = False

    Dialect.parse, Dialect.generator = remembered, generator


remember_parses()
sys.argv[0] = "bqemulator"
main()
