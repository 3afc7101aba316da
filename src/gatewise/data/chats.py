"""Chats as JSON has them: a list of messages, each with a role and a content, as one text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["chat_text"]

_ROLES = ("role", "from", "speaker", "author")
_CONTENTS = ("content", "value", "text", "message")


def chat_text(value: Any) -> str | None:
    """A list of messages as a text, one a line, its role before it; None: it is no such list.

    Messages are objects with ``content`` (``value``, ``text``, ``message``) and maybe ``role`` (``from``, ``speaker``,
    ``author``), or strings.

    Example:
        >>> chat_text([{"role": "user", "content": "It is broken."}, {"role": "assistant", "content": "Sorry."}])
        'user: It is broken.\\nassistant: Sorry.'
        >>> chat_text(["Hello", "Hi"]), chat_text([1, 2]), chat_text({"a": 1})
        ('Hello\\nHi', None, None)
    """
    if not isinstance(value, (list, tuple)) or not value:
        return None
    lines = [_line(message) for message in value]
    return None if any(line is None for line in lines) else "\n".join(line for line in lines if line)


def _line(message: Any) -> str | None:
    if isinstance(message, str):
        return message
    if not isinstance(message, Mapping):
        return None
    content = next((message[key] for key in _CONTENTS if key in message), None)
    if content is None:
        return "" if "role" in message else None  # a call of a tool says nothing
    if not isinstance(content, str):
        return None
    role = next((message[key] for key in _ROLES if isinstance(message.get(key), str)), None)
    return content if role is None else f"{role}: {content}"
