"""Serves the page until Ctrl-C, and opens it where there is a browser."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["show"]

_PORT = 0


def show(
    places: Sequence[Path],
    inputs: Sequence[str] = (),
    *,
    examples: Sequence[int] = (),
    port: int = _PORT,
    browser: bool = True,
    say: Callable[[str], object] = print,
) -> None:
    """Serve the page of `gatewise explain` on this machine until Ctrl-C.

    Args:
        places: run folders, one to three.
        inputs: texts, or tables' files; the first one is shown first.
        examples: numbers of test examples, from 0, to show instead.
        port: 0: any that is free.
        browser: open it in the browser, where there is one and a display.
        say: is called with a sentence at a time.

    Raises:
        OptionError: the port is in use, serving is not installed, or the runs do not read the same.
        RunError: a run cannot be opened, or its kind cannot be explained.
    """
    from gatewise.serving.running import bound_socket, require_serving, run

    require_serving()
    with bound_socket("127.0.0.1", port) as bound:  # before the networks are opened, which takes longer
        from gatewise.serving.explain.app import guarded_page
        from gatewise.serving.explain.networks import Networks

        app = guarded_page(Networks(places, inputs, examples, say))

        def ready(url: str) -> None:
            opened = browser and _has_display()
            say(f"{'Opening' if opened else 'Open'} {url}/ in a browser on this machine; Ctrl-C ends it.")
            if opened:
                threading.Thread(target=webbrowser.open, args=(f"{url}/",), daemon=True).start()

        run(app, bound=bound, ready=ready, stop_seconds=2.0)


def _has_display() -> bool:
    """Whether a browser could be shown: always on Windows and macOS, elsewhere where there is a display."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
