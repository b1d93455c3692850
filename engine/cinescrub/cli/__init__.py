"""The command line: parse, call, map errors to exit codes, draw progress. No logic of its own."""

from cinescrub.cli.app import main

__all__ = ["main"]
