"""Starts bqemulator and ends it with its parent: standard input closes when the parent is gone, however it went."""

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

sys.argv[0] = "bqemulator"
main()
