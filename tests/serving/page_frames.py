"""What the page of `gatewise explain` is sent, taken apart as the page does."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np


def decoded(frame: bytes) -> tuple[dict[str, Any], Callable[[dict[str, Any]], Any]]:
    (length,) = struct.unpack_from("<I", frame)
    header = json.loads(frame[4 : 4 + length])
    start = 4 + length
    assert start % 4 == 0

    def array(described: dict[str, Any]) -> Any:
        kind = np.dtype(described["type"]).newbyteorder("<")
        count = int(np.prod(described["shape"]))
        levels = np.frombuffer(frame, kind, count, start + described["at"]).reshape(described["shape"])
        if "low" not in described:
            return levels
        most = {"uint8": 255, "uint16": 65535}[described["type"]]
        return described["low"] + levels.astype(float) * (described["high"] - described["low"]) / most

    return header, array
