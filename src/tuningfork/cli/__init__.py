"""The command `tuningfork`: one thin module a verb, nothing heavy imported until a verb runs."""

import sys

INTERRUPTED = 130  # the exit code of Ctrl-C


def main() -> None:
    """Run the command; Ctrl-C is one line on standard error, whenever it comes."""
    try:
        from tuningfork.cli.app import run

        run()
    except (KeyboardInterrupt, SystemExit) as stop:
        if isinstance(stop, SystemExit) and stop.code != INTERRUPTED:
            raise
        print("interrupted; run the same command again to go on", file=sys.stderr)  # noqa: T201
        sys.exit(INTERRUPTED)


__all__ = ["main"]
