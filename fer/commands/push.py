"""fer push."""

from __future__ import annotations

import argparse
import sys

from .common import EXIT_OK

HELP = "share a checkpoint on the Hugging Face Hub, with its model card"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("repository", metavar="USER/NAME", help="the repository; it is created if needed")
    parser.add_argument(
        "--weights",
        required=True,
        metavar="FILE",
        help="a .safetensors checkpoint with its .onnx file beside it, or the name of shipped weights",
    )
    parser.add_argument("--private", action="store_true", help="create a repository that only you see")
    parser.add_argument(
        "--revision", default="", metavar="BRANCH", help="the branch; created if needed (default: main)"
    )
    parser.add_argument("--message", default="", metavar="TEXT", help="of the commit")
    parser.add_argument(
        "--card",
        default="",
        metavar="FILE",
        help="the model card in Markdown; metadata are added (default: a short card)",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="upload nothing: list the files, and write the card to standard output"
    )


def run(arguments: argparse.Namespace) -> int:
    import huggingface_hub  # noqa: F401  missing packages are missed before the work

    from ..evaluation.push import collect_files, push_files
    from ..terminal import printable, printable_lines

    repository = arguments.repository
    files = collect_files(repository, arguments.weights, arguments.card)
    for name, content in files.items():
        print(f"{name:<20}{len(content) / 1e3:10,.1f} kB", file=sys.stderr if arguments.dry_run else sys.stdout)
    if arguments.dry_run:
        print(printable_lines(files["README.md"].decode()))
        return EXIT_OK
    message = arguments.message or f"Upload by fer push: {', '.join(files)}"
    address, commit = push_files(repository, files, message, arguments.revision, arguments.private)
    branch = f"@{arguments.revision}" if arguments.revision else ""
    print(printable(f"pushed: {address}"))
    print(f"use it: fer predict PHOTOS --weights {repository}{branch}")
    print(f"this commit, whatever is pushed later: {repository}@{commit}")
    return EXIT_OK
