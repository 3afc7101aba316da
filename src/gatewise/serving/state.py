"""A stream's state as a client takes it along: signed, versioned, bound to the weights that it belongs to.

::

    gw1.<base64url of JSON>.<base64url of HMAC-SHA256 over what stands before it>

The content is no secret from its client: it is the client's own stream. The signature keeps others from handing in
states of their own making; the hash of the weights keeps a state from another network, or an earlier training of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gatewise.errors import DataError, StorageError
from gatewise.files import make_folder
from gatewise.training.streaming import State

__all__ = ["Position", "opened", "read_key", "sealed"]

_VERSION = "gw1"
_KEY_BYTES = 32


@dataclass(frozen=True)
class Position:
    """Where a stream is.

    Attributes:
        state: of the network.
        settings: of the stream.
        number: of the last message that was read; 0: none.
        steps: read so far.
        rest: text that waits for the end of its word.
    """

    state: State
    settings: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0
    steps: int = 0
    rest: str = ""


def read_key(place: Path) -> bytes:
    """The key that states are signed with; made at first, readable by its owner alone.

    Raises:
        StorageError: it cannot be read or written, or is none.
    """
    try:
        make_folder(place.parent)
        if not place.exists():
            _make_key(place)
        found = place.read_bytes()
    except OSError as error:
        raise StorageError(f"cannot use the key file {place}", got=error.strerror, fix="--state-key FILE") from error
    if len(found) < _KEY_BYTES:
        raise StorageError(
            f"{place} is no key",
            expected=f"{_KEY_BYTES} bytes",
            got=str(len(found)),
            fix="--state-key FILE names another",
        )
    return found


def _make_key(place: Path) -> None:
    """Write a key whole or not at all; where another server is faster, its key stays."""
    handle, name = tempfile.mkstemp(dir=place.parent, prefix=f".{place.name}.")  # readable by its owner alone
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(secrets.token_bytes(_KEY_BYTES))
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(part, place)
        except FileExistsError:
            pass
        except OSError:  # a file system without links
            part.replace(place)
    finally:
        part.unlink(missing_ok=True)


def sealed(position: Position, key: bytes, weights: str) -> str:
    """A position as a token.

    Args:
        position: of the stream.
        key: of this server.
        weights: hash of the network's weights.

    Example:
        >>> token = sealed(Position({"layers": np.ones(2, np.float32)}, number=3), b"k" * 32, "abc")
        >>> found = opened(token, b"k" * 32, "abc")
        >>> found.number, found.state["layers"]
        (3, array([1., 1.], dtype=float32))
    """
    arrays = {
        name: [values.dtype.str, list(values.shape), base64.b64encode(np.ascontiguousarray(values).tobytes()).decode()]
        for name, values in position.state.items()
    }
    record = {
        "weights": weights,
        "settings": dict(position.settings),
        "number": position.number,
        "steps": position.steps,
        "rest": position.rest,
        "arrays": arrays,
    }
    signed = f"{_VERSION}.{_text(msgspec.json.encode(record))}"
    return f"{signed}.{_text(_signature(signed, key))}"


def opened(token: Any, key: bytes, weights: str) -> Position:
    """The position of a token.

    Raises:
        DataError: it is none, of a newer version, was signed with another key, or belongs to other weights.
    """
    if not isinstance(token, str) or token.count(".") != 2 or not token.startswith("gw"):
        raise DataError("this is no state of a stream", expected="what the server gave as state", got=_shown(token))
    signed, _, signature = token.rpartition(".")
    version, _, content = signed.partition(".")
    if version != _VERSION:
        raise DataError(
            "the state is of another version", expected=_VERSION, got=version[:8], fix="begin the stream again"
        )
    if not hmac.compare_digest(_bytes(signature), _signature(signed, key)):
        raise DataError(
            "the state was not signed by this server, or was changed",
            fix="begin the stream again; servers that share streams need the same --state-key",
        )
    record = msgspec.json.decode(_bytes(content))
    if record["weights"] != weights:
        raise DataError(
            "the state belongs to other weights: those of another model, or of this one before it was trained again",
            expected=weights[:12],
            got=str(record["weights"])[:12],
            fix="begin the stream again",
        )
    state = {
        name: np.frombuffer(base64.b64decode(values), dtype=np.dtype(kind)).reshape(shape)
        for name, (kind, shape, values) in record["arrays"].items()
    }
    return Position(state, record["settings"], record["number"], record["steps"], record["rest"])


def _signature(signed: str, key: bytes) -> bytes:
    return hmac.new(key, signed.encode(), hashlib.sha256).digest()


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return b""


def _shown(token: Any) -> str:
    return f"{token[:12]!r} ..." if isinstance(token, str) else type(token).__name__
