"""The command line: one file per command, no logic of its own."""

from gatewise.cli.collection import collection_paused

try:
    with collection_paused():
        from gatewise.cli.app import main
except KeyboardInterrupt:  # Ctrl-C in the first second, as at any later moment
    raise SystemExit(130) from None

__all__ = ["main"]
