"""Errors that are not the fault of an argument; those are ValueError."""


class FerError(Exception):
    """The command line prints its message without a traceback."""
