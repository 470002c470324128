"""The command `fer`."""

from __future__ import annotations

import argparse
import logging
import sys

from . import __version__
from .commands import (
    app,
    average,
    benchmark,
    check_data,
    evaluate,
    export,
    import_dan,
    measure_template,
    pack,
    predict,
    publish,
    report,
    study,
    train,
)
from .commands.common import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from .errors import FerError
from .terminal import printable_lines, set_up_streams

_COMMANDS = {  # module: add_arguments(parser), run(arguments), HELP
    "predict": predict,
    "app": app,
    "benchmark": benchmark,
    "train": train,
    "study": study,
    "report": report,
    "average": average,
    "evaluate": evaluate,
    "publish": publish,
    "export": export,
    "import-dan": import_dan,
    "check-data": check_data,
    "pack": pack,
    "measure-template": measure_template,
}
_EXTRAS = {
    "gradio": "app",
    "av": "video",
    "supervision": "video",
    "ray": "ray",
    "pandas": "ray",
    "onnxruntime": "onnxruntime",
}
_AFTER_INTERRUPTION = {
    "predict": "; what was done is in --out, and --resume goes on",
    "train": "; --resume goes on from the last epoch",
    "study": "; the same command goes on from the last epoch",
}


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 all files read, 1 some failed, 2 usage, 3 out of time, 130 interrupted."""
    set_up_streams()
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    logging.getLogger("fer").setLevel(logging.WARNING if arguments.quiet else logging.INFO)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        hint = _AFTER_INTERRUPTION.get(arguments.command, "")
        _tell(arguments, f"interrupted{hint}")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # whoever reads our table has seen enough
        sys.stdout = None
        return EXIT_OK
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "", "train")
        _tell(arguments, f"needs the package {error.name}: pip install 'dan-fer[{extra}]'")
        return EXIT_USAGE
    except (ValueError, OSError, FerError) as error:
        _tell(arguments, str(error))
        return EXIT_USAGE


def _tell(arguments: argparse.Namespace, message: str) -> None:
    print(printable_lines(f"fer {arguments.command}: {message}"), file=sys.stderr)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fer", description="Facial expression recognition with DAN.")
    parser.add_argument("--version", action="version", version=f"dan-fer {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        sub = commands.add_parser(name, help=command.HELP, description=command.HELP)
        if name in argv:  # the arguments of the others would import what is not needed
            command.add_arguments(sub)
        sub.add_argument(
            "-q", "--quiet", action="store_true", help="no progress and no summary: warnings and errors only"
        )
        sub.set_defaults(run=command.run)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
