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
    card,
    check_data,
    evaluate,
    explain,
    export,
    fit,
    import_dan,
    measure_template,
    pack,
    predict,
    publish,
    push,
    report,
    study,
    train,
    web,
)
from .commands.common import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE
from .errors import FerError
from .hub import EXTRA
from .terminal import printable_lines, set_up_streams

_COMMANDS = {  # module: add_arguments(parser), run(arguments), HELP
    "predict": predict,
    "explain": explain,
    "app": app,
    "web": web,
    "fit": fit,
    "benchmark": benchmark,
    "train": train,
    "study": study,
    "report": report,
    "average": average,
    "evaluate": evaluate,
    "publish": publish,
    "push": push,
    "card": card,
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
    "huggingface_hub": "hub",
    "pooch": "hub",
    "markdown_it": "web",
}
_AFTER_INTERRUPTION = {
    "predict": "; the results so far are in --out; add --resume to continue",
    "train": "; add --resume to continue from the last epoch",
    "study": "; repeat the command to continue from the last epoch",
}


def main(argv: list[str] | None = None) -> int:
    """Run a command; return its exit status: 0 success, 1 some files failed, 2 error, 3 time is up, 130 interrupted."""
    set_up_streams()
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    logging.getLogger("fer").setLevel(logging.WARNING if arguments.quiet else logging.INFO)
    try:
        return arguments.run(arguments)
    except KeyboardInterrupt:
        hint = _AFTER_INTERRUPTION.get(arguments.command, "")
        _print_error(arguments, f"interrupted{hint}")
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # the reader of the output has closed the pipe
        sys.stdout = None
        return EXIT_OK
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(error.name or "", {"fit": "fit", "push": "hub"}.get(arguments.command, "train"))
        needs = f"needs the package {error.name}: pip install 'dan-fer[{extra}]'"
        _print_error(arguments, str(error) if extra == "hub" and EXTRA in str(error) else needs)
        return EXIT_USAGE
    except (ValueError, OSError, FerError) as error:
        _print_error(arguments, str(error))
        return EXIT_USAGE


def _print_error(arguments: argparse.Namespace, message: str) -> None:
    print(printable_lines(f"fer {arguments.command}: {message}"), file=sys.stderr)


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="fer", description="Facial expression recognition with DAN.")
    parser.add_argument("--version", action="version", version=f"dan-fer {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, command in _COMMANDS.items():
        sub = commands.add_parser(name, help=command.HELP, description=command.HELP)
        if name in argv:  # only this command: the others' arguments import more packages
            command.add_arguments(sub)
        sub.add_argument(
            "-q", "--quiet", action="store_true", help="no progress and no summary: warnings and errors only"
        )
        sub.set_defaults(run=command.run)
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
