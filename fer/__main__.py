"""`python -m fer` is the command `fer`."""

import sys

from .cli import main

sys.exit(main())
