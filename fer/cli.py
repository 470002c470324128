"""The command `fer`."""

from __future__ import annotations

import argparse
import logging
import sys

from .commands import data, evaluate, predict, train
from .commands.common import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from .errors import FerError

_COMMANDS = predict.COMMANDS | train.COMMANDS | evaluate.COMMANDS | data.COMMANDS
_EXTRAS = {"av": "video", "supervision": "video", "ray": "ray", "pandas": "ray"}
_AFTER_INTERRUPTION = {
    "predict": "; what was done is in --out, and --resume goes on",
    "train": "; --resume goes on from the last epoch",
    "study": "; the same command goes on from the last epoch",
}


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 all files read, 1 some failed, 2 usage, 3 out of time, 130 interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # file names may hold what the terminal cannot show
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        hint = _AFTER_INTERRUPTION.get(arguments.command, "")
        print(f"fer {arguments.command}: interrupted{hint}", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever reads our table has seen enough
        sys.stdout = None
        return EXIT_OK
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name, "train")
        print(
            f"fer {arguments.command}: needs the package {error.name}: pip install 'dan-fer[{extra}]'", file=sys.stderr
        )
        return EXIT_USAGE
    except (ValueError, OSError, FerError) as error:
        print(f"fer {arguments.command}: {error}", file=sys.stderr)
        return EXIT_USAGE


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fer", description="Facial expression recognition with DAN.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (add_arguments, run, help) in _COMMANDS.items():
        sub = commands.add_parser(name, help=help, description=help)
        add_arguments(sub)
        sub.set_defaults(run=run)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
