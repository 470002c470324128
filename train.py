"""Train a DAN: `python train.py --recipe ferplus --data DIR --out runs/x`. The same as `fer train`."""

import sys

from fer.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
