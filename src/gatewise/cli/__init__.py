"""The command line: one file per command, no logic of its own."""

from gatewise.cli.collection import collection_paused

with collection_paused():
    from gatewise.cli.app import main

__all__ = ["main"]
