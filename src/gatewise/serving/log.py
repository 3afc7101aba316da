"""What happened, a JSON object a line; never a token, a body or a query."""

from __future__ import annotations

import json
import sys
import threading
from datetime import UTC, datetime
from typing import Any, TextIO

__all__ = ["Log"]


class Log:
    """Writes events.

    Args:
        stream: where; None: standard error as it is at each event.
        on: whether anything is written.

    Example:
        >>> import io
        >>> place = io.StringIO()
        >>> Log(place)("loaded", model="a")
        >>> json.loads(place.getvalue())["event"]
        'loaded'
    """

    def __init__(self, stream: TextIO | None = None, *, on: bool = True) -> None:
        self._stream, self._on, self._lock = stream, on, threading.Lock()

    def __call__(self, event: str, level: str = "info", **more: Any) -> None:
        """Write one event; what is None is left out."""
        if not self._on:
            return
        record = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event}
        record |= {name: value for name, value in more.items() if value is not None}
        line = json.dumps(record, ensure_ascii=False, default=str)
        stream = self._stream or sys.stderr
        with self._lock:
            try:
                stream.write(line + "\n")
                stream.flush()
            except (OSError, ValueError):  # whoever read it has gone; serving goes on
                self._on = False
