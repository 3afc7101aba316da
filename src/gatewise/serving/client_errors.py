"""What a client of `gatewise serve` raises. Imports no torch."""

from __future__ import annotations

from typing import Any

from gatewise.errors import DataError, GatewiseError, OptionError, RunError

__all__ = ["error_of", "unreachable"]


def unreachable(url: str, error: Exception) -> RunError:
    """No answer came."""
    return RunError(f"the server at {url} cannot be reached", got=str(error) or type(error).__name__, fix="is it up?")


def error_of(status: int, found: Any) -> GatewiseError:
    """The server's error as one of Gatewise."""
    parts = found.get("error", {}) if isinstance(found, dict) else {}
    kind: type[GatewiseError] = RunError if status >= 500 else OptionError if status in (401, 403, 421) else DataError
    message = parts.get("message", f"the server answered with the status {status}")
    return kind(message, expected=parts.get("expected"), got=parts.get("got"), fix=parts.get("fix"))
