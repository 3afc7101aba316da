"""A client of `gatewise serve`: predictions, and streams that survive the server. Imports no torch."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from gatewise.errors import DataError, OptionError, RunError
from gatewise.serving.client_errors import error_of, unreachable
from gatewise.serving.client_sound import sound_file
from gatewise.serving.client_stream import ClientStream

__all__ = ["Client", "ClientStream"]


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

    def hear(
        self, sound: str | Path | bytes | Sequence[float], model: str | None = None, *, rate: int | None = None
    ) -> dict[str, Any]:
        """What is said in a recording.

        Args:
            sound: a sound file (WAV, FLAC, OGG), its bytes, or samples between -1 and 1.
            model: its name; None: the only one.
            rate: samples per second, of samples.

        Returns:
            ``text``, ``seconds``, ``notes`` on what was done to the sound; of labels ``probability``, too.

        Raises:
            DataError: no sound, the server cannot read it, or the model hears none.
            OptionError: the server refuses this client.
            RunError: the server cannot be reached, or has an error inside.
        """
        content = sound_file(sound, rate)
        path = f"/v1/models/{quote(self._name(model), safe='')}/predict"
        answers: list[dict[str, Any]] = self._ask("POST", path, content)["answers"]
        return answers[0]

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
            settings: of the stream, such as ``{"count": 10}`` for next words, ``{"rate": 48000}`` for sound.
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

    def headers(self) -> dict[str, str]:
        """Those that show the token."""
        return {} if self._token is None else {"Authorization": f"Bearer {self._token}"}

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        secure = self._parts.scheme == "https"
        opened = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = opened(self._parts.hostname or "", self._parts.port, timeout=self.timeout)
        content, kind = body, "application/octet-stream"
        if not isinstance(body, bytes):
            content = None if body is None else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            kind = "application/json"
        headers = self.headers() | ({} if content is None else {"Content-Type": kind})
        try:
            connection.request(method, self._parts.path + path, content, headers)
            answer = connection.getresponse()
            found = json.loads(answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise unreachable(self.url, error) from error
        except ValueError as error:
            raise RunError(f"{self.url} is no server of Gatewise", got="an answer that is not JSON") from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise error_of(answer.status, found)
        return found
