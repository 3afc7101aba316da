"""A stream on a server as its client has it: goes on after a loss. Imports no torch."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from gatewise.errors import DataError, RunError
from gatewise.serving.client_errors import error_of, unreachable
from gatewise.serving.client_sound import sound_bytes

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from gatewise.serving.client import Client

__all__ = ["ClientStream"]

_PROTOCOL = "gatewise.v1"
_LONGEST_PAUSE = 2.0


class ClientStream:
    """A stream on a server; made by `Client.stream`.

    Messages are numbered. Those that the server has answered since the last state that was fetched are kept, so that
    after the end of the connection, or of the server, the stream goes on from that state with the same messages:
    what was acknowledged is read again, with the same bits, and nothing twice.

    Attributes:
        number: messages answered so far.
        steps: steps read so far.
        unit: what a step is.
        notes: what the server does to what is sent, such as resampling.
        resumed: how often the stream went on after a loss.
    """

    def __init__(
        self,
        client: Client,
        model: str,
        settings: dict[str, Any],
        answers: str,
        state: str | None,
        keep_every: int,
        retry_seconds: float,
    ) -> None:
        self._client, self._model, self._settings, self._answers = client, model, settings, answers
        self._keep_every, self._retry_seconds = max(1, keep_every), retry_seconds
        self._state, self._kept, self._weights = state, list[dict[str, Any]](), ""
        self._connection: ClientConnection | None = None
        self.number = self.steps = self.resumed = 0
        self.unit, self.notes = "", tuple[str, ...]()
        self._begin(first=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(
        self,
        *,
        text: str | None = None,
        values: Sequence[Any] | None = None,
        sound: bytes | Sequence[float] | None = None,
        end: bool = False,
    ) -> list[Any]:
        """Send steps and wait for their answers.

        Args:
            text: the next part of a text; its last word waits for a space, or for ``end``.
            values: rows, as lists or by name.
            sound: samples between -1 and 1, or as bytes: 16 bits each, little-endian; at the rate of the settings.
            end: whether the text, or the recording, ends here.

        Returns:
            One answer per step, or that of the last one; none where no step was complete.

        Raises:
            DataError: the server cannot read them, and the stream is where it was; or it came back with other weights.
            RunError: the server was lost and did not come back.
        """
        message: dict[str, Any] = {"type": "steps", "number": self.number + 1}
        content = {"text": text, "values": values, "sound": None if sound is None else sound_bytes(sound)}
        message |= {name: value for name, value in content.items() if value is not None}
        if end:
            message["end"] = True
        if len(self._kept) + 1 >= self._keep_every:
            message["state"] = True
        found = self._exchange(message)
        answers: list[Any] = found["answers"]
        return answers

    def state(self) -> str:
        """The state, with which any server with the same model and key goes on."""
        found: str = self._exchange({"type": "state"})["state"]
        return found

    def close(self) -> None:
        """End the stream."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _exchange(self, message: dict[str, Any]) -> dict[str, Any]:
        """Send one message and wait for what answers it, also over the loss of the server."""
        deadline: float | None = None
        while True:
            try:
                if self._connection is None:
                    self._begin()
                return self._once(message)
            except _Lost as lost:
                self.close()
                now = time.monotonic()
                deadline = deadline or now + self._retry_seconds
                if now >= deadline:
                    raise unreachable(self._client.url, lost) from lost
                time.sleep(0.02)

    def _once(self, message: dict[str, Any]) -> dict[str, Any]:
        self._write(message)
        found = self._read()
        if found["type"] == "error":
            raise error_of(422, found)
        if found["type"] == "answer":
            self._kept.append({name: value for name, value in message.items() if name != "state"})
        self.number, self.steps = found["number"], found["steps"]
        if found.get("state"):
            self._state, self._kept = found["state"], []
        return found

    def _begin(self, *, first: bool = False) -> None:
        """Connect, open the stream at the state that is held, and send again what came after it."""
        deadline, pause = time.monotonic() + self._retry_seconds, 0.05
        while True:
            try:
                self._connect()
                break
            except _Lost as lost:
                self.close()
                if first or time.monotonic() >= deadline:
                    raise unreachable(self._client.url, lost) from lost
                time.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
        if not first:
            self.resumed += 1

    def _connect(self) -> None:
        try:
            from websockets.exceptions import InvalidHandshake
            from websockets.sync.client import connect
            from websockets.typing import Subprotocol
        except ImportError as error:
            raise RunError("streams need websockets", fix="pip install 'gatewise[serve]'") from error
        url = f"ws{self._client.url.removeprefix('http')}/v1/models/{quote(self._model, safe='')}/stream"
        try:
            # since its version 17 websockets wants a context, which `close` ends
            self._connection = connect(
                url,
                additional_headers=self._client.headers(),
                subprotocols=[Subprotocol(_PROTOCOL)],
                compression=None,
                max_size=None,
                open_timeout=self._client.timeout,
                close_timeout=2,
                proxy=None,
            ).__enter__()
        except InvalidHandshake as error:
            status, body = _refusal(error)
            if status is not None and status < 500:
                raise error_of(status, body) from error
            raise _Lost(str(error)) from error
        except (OSError, TimeoutError) as error:
            raise _Lost(str(error)) from error
        message: dict[str, Any] = {"type": "open", "answers": self._answers}
        message |= {"state": self._state} if self._state is not None else {"settings": self._settings}
        self._write(message)
        ready = self._read()
        if ready["type"] == "error":
            self.close()
            if ready.get("retry"):
                raise _Lost(ready["error"]["message"])
            raise error_of(422, ready)
        if self._kept and ready["weights"] != self._weights:  # the kept messages would be read by another network
            self.close()
            raise DataError(
                "the stream cannot go on",
                expected=f"the weights {self._weights[:12]} that it began with",
                got=str(ready["weights"])[:12],
                fix="the model was trained again: begin a new stream",
            )
        self._weights = ready["weights"]
        self.number, self.steps, self.unit = ready["number"], ready["steps"], ready["unit"]
        self.notes = tuple(ready["notes"])
        for kept in self._kept:
            if kept["number"] > self.number:
                self._write(kept)
                found = self._read()
                if found["type"] == "error":
                    raise error_of(422, found)
                self.number, self.steps = found["number"], found["steps"]

    def _write(self, message: dict[str, Any]) -> None:
        from websockets.exceptions import ConnectionClosed

        assert self._connection is not None
        try:
            self._connection.send(_frame(message))
        except ValueError as error:
            raise DataError("a value is not finite", got=str(error)) from error
        except (ConnectionClosed, OSError):
            self._last_words()

    def _read(self) -> dict[str, Any]:
        from websockets.exceptions import ConnectionClosed

        assert self._connection is not None
        try:
            found: dict[str, Any] = json.loads(self._connection.recv(timeout=self._client.timeout))
        except (ConnectionClosed, OSError, TimeoutError) as error:
            raise _Lost(f"{type(error).__name__}: {error}") from error
        if found["type"] == "closing":
            self._take(found)
            raise _Lost(found["message"])
        return found

    def _last_words(self) -> None:
        """What the server said before it closed the connection that cannot be written to any more."""
        while True:
            self._read()

    def _take(self, closing: dict[str, Any]) -> None:
        """Keep the state with which the server ended the stream."""
        if closing.get("state") and closing["number"] >= self.number:
            self._state = closing["state"]
            self._kept = [kept for kept in self._kept if kept["number"] > closing["number"]]


class _Lost(Exception):
    """The connection has ended."""


def _frame(message: dict[str, Any]) -> str | bytes:
    """A message as it is sent: sound and nothing else as a binary one."""
    sound = message.get("sound")
    if isinstance(sound, bytes):
        if set(message) == {"type", "number", "sound"}:
            return sound
        message = {**message, "sound": base64.b64encode(sound).decode()}
    return json.dumps(message, ensure_ascii=False, allow_nan=False)


def _refusal(error: Exception) -> tuple[int | None, Any]:
    """Status and body of an answer that is no WebSocket."""
    response = getattr(error, "response", None)
    if response is None:
        return None, None
    try:
        return response.status_code, json.loads(response.body)
    except ValueError:
        return response.status_code, {}
