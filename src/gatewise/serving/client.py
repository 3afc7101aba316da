"""A client of `gatewise serve`: predictions, and streams that survive the server. Imports no torch."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlsplit

from gatewise.errors import DataError, GatewiseError, OptionError, RunError

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

__all__ = ["Client", "ClientStream"]

_PROTOCOL = "gatewise.v1"
_LONGEST_PAUSE = 2.0


class Client:
    """Asks a server for predictions and opens streams.

    Args:
        url: of the server, such as ``http://127.0.0.1:8000``.
        token: the server's token, if it has one.
        timeout: seconds to wait for an answer.

    Raises:
        OptionError: the URL is none.

    Example:
        >>> client = Client("http://127.0.0.1:8000")
        >>> client
        Client('http://127.0.0.1:8000')
    """

    def __init__(self, url: str = "http://127.0.0.1:8000", token: str | None = None, timeout: float = 30.0) -> None:
        self._parts = urlsplit(url.rstrip("/"))
        if self._parts.scheme not in ("http", "https") or not self._parts.hostname:
            raise OptionError(f"{url!r} is no address of a server", expected="http://HOST:PORT")
        self.url, self.timeout, self._token = url.rstrip("/"), timeout, token

    def __repr__(self) -> str:
        return f"Client({self.url!r})"

    def health(self) -> dict[str, Any]:
        """Whether the server answers, and its models where the token is its own."""
        found: dict[str, Any] = self._ask("GET", "/health")
        return found

    def models(self) -> list[dict[str, Any]]:
        """All models: name, task, what an input is, what a stream's messages are."""
        found: list[dict[str, Any]] = self._ask("GET", "/v1/models")["models"]
        return found

    def predict(self, inputs: Sequence[Any], model: str | None = None) -> list[dict[str, Any]]:
        """Predictions, one per input, as `gatewise predict --json` prints them.

        Args:
            inputs: texts, or tables as lists of rows, as the model has them.
            model: its name; None: the only one.

        Raises:
            DataError: an input cannot be read, or there is no such model.
            OptionError: the server refuses this client.
            RunError: the server cannot be reached, or has an error inside.
        """
        if isinstance(inputs, str | bytes):
            raise DataError("inputs is one text", expected="a list of inputs", fix="put it in a list: [text]")
        path = f"/v1/models/{quote(self._name(model), safe='')}/predict"
        answers: list[dict[str, Any]] = self._ask("POST", path, {"inputs": list(inputs)})["answers"]
        return answers

    def stream(
        self,
        model: str | None = None,
        *,
        settings: Mapping[str, Any] | None = None,
        answers: str = "last",
        state: str | None = None,
        keep_every: int = 32,
        retry_seconds: float = 30.0,
    ) -> ClientStream:
        """Open a stream, as a context.

        Args:
            model: its name; None: the only one.
            settings: of the stream, such as ``{"count": 10}`` for next words.
            answers: ``last`` of a message's steps, or ``all``.
            state: of an earlier stream, to go on there.
            keep_every: messages after which the state is fetched; those since are kept to be sent again.
            retry_seconds: how long a lost server is tried again.

        Raises:
            DataError: there is no such model, it does not stream, or the state is not this server's.
            OptionError: the server refuses this client, or a setting.
            RunError: the server cannot be reached; websockets is not installed.
        """
        name = self._name(model)
        return ClientStream(self, name, dict(settings or {}), answers, state, keep_every, retry_seconds)

    def _name(self, model: str | None) -> str:
        if model is not None:
            return model
        names = [str(each["name"]) for each in self.models()]
        if len(names) != 1:
            raise DataError("the server has several models", expected=f"one of {', '.join(names)}", fix="model=NAME")
        return names[0]

    def _headers(self) -> dict[str, str]:
        return {} if self._token is None else {"Authorization": f"Bearer {self._token}"}

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        secure = self._parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._parts.hostname or "", self._parts.port, timeout=self.timeout)
        content = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
        headers = self._headers() | ({} if content is None else {"Content-Type": "application/json"})
        try:
            connection.request(method, self._parts.path + path, content, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(self.url, error) from error
        except ValueError as error:
            raise RunError(f"{self.url} is no server of Gatewise", got="an answer that is not JSON") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise _error(answer.status, found)
        return found


class ClientStream:
    """A stream on a server; made by `Client.stream`.

    Messages are numbered. Those that the server has answered since the last state that was fetched are kept, so that
    after the end of the connection, or of the server, the stream goes on from that state with the same messages:
    what was acknowledged is read again, with the same bits, and nothing twice.

    Attributes:
        number: messages answered so far.
        steps: steps read so far.
        unit: what a step is.
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
        self.unit = ""
        self._begin(first=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, *, text: str | None = None, values: Sequence[Any] | None = None, end: bool = False) -> list[Any]:
        """Send steps and wait for their answers.

        Args:
            text: the next part of a text; its last word waits for a space, or for ``end``.
            values: rows, as lists or by name.
            end: whether the text ends here.

        Returns:
            One answer per step, or that of the last one; none where no step was complete.

        Raises:
            DataError: the server cannot read them, and the stream is where it was; or it came back with other weights.
            RunError: the server was lost and did not come back.
        """
        message: dict[str, Any] = {"type": "steps", "number": self.number + 1}
        message |= {name: value for name, value in (("text", text), ("values", values)) if value is not None}
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
                    raise _unreachable(self._client.url, lost) from lost
                time.sleep(0.02)

    def _once(self, message: dict[str, Any]) -> dict[str, Any]:
        self._write(message)
        found = self._read()
        if found["type"] == "error":
            raise _error(422, found)
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
                    raise _unreachable(self._client.url, lost) from lost
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
                additional_headers=self._client._headers(),
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
                raise _error(status, body) from error
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
            raise _error(422, ready)
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
        for kept in self._kept:
            if kept["number"] > self.number:
                self._write(kept)
                found = self._read()
                if found["type"] == "error":
                    raise _error(422, found)
                self.number, self.steps = found["number"], found["steps"]

    def _write(self, message: dict[str, Any]) -> None:
        from websockets.exceptions import ConnectionClosed

        assert self._connection is not None
        try:
            self._connection.send(json.dumps(message, ensure_ascii=False, allow_nan=False))
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


def _refusal(error: Exception) -> tuple[int | None, Any]:
    """Status and body of an answer that is no WebSocket."""
    response = getattr(error, "response", None)
    if response is None:
        return None, None
    try:
        return response.status_code, json.loads(response.body)
    except ValueError:
        return response.status_code, {}


def _unreachable(url: str, error: Exception) -> RunError:
    return RunError(f"the server at {url} cannot be reached", got=str(error) or type(error).__name__, fix="is it up?")


def _error(status: int, found: Any) -> GatewiseError:
    """The server's error as one of Gatewise."""
    parts = found.get("error", {}) if isinstance(found, dict) else {}
    kind: type[GatewiseError] = RunError if status >= 500 else OptionError if status in (401, 403, 421) else DataError
    message = parts.get("message", f"the server answered with the status {status}")
    return kind(message, expected=parts.get("expected"), got=parts.get("got"), fix=parts.get("fix"))
