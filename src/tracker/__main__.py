"""The command `tracker`, which `python -m tracker` runs too."""

from __future__ import annotations

import gc
import signal

_GC_THRESHOLDS = (50_000, 20, 50)
"""New objects between garbage collections: modules make many that stay, a call some hundred and no cycles."""


def main() -> None:
    """Run the command line; until its modules are imported, Ctrl-C ends it without a word."""
    gc.set_threshold(*_GC_THRESHOLDS)
    handler = signal.getsignal(signal.SIGINT)
    if handler is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tracker.cli.main import main as run  # noqa: PLC0415 - here is the time that it takes

    signal.signal(signal.SIGINT, handler)
    run()


if __name__ == "__main__":
    main()
