"""Entry point of a Hugging Face Space; see README.md."""

import sys

from app.__main__ import main

if __name__ == "__main__":
    sys.exit(main(["--host", "0.0.0.0", "--port", "7860"]))
