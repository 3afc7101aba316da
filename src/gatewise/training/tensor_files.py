"""Files of tensors, also where their path is no UTF-8, which safetensors cannot open by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["load_metadata", "load_tensors"]


def load_tensors(path: Path) -> dict[str, Tensor]:
    r"""All tensors of a file by name.

    Raises:
        safetensors.SafetensorError: the file is damaged.
        OSError: it is missing or cannot be read.

    Example:
        >>> import os, tempfile, torch
        >>> from safetensors.torch import save
        >>> path = Path(tempfile.mkdtemp()) / os.fsdecode(b"\xff.safetensors")
        >>> _ = path.write_bytes(save({"a": torch.ones(2)}, metadata={"state": "1"}))
        >>> load_tensors(path)["a"].tolist(), load_metadata(path)
        ([1.0, 1.0], {'state': '1'})
    """
    import safetensors.torch

    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        return safetensors.torch.load(path.read_bytes())
    return safetensors.torch.load_file(path)


def load_metadata(path: Path) -> dict[str, str]:
    """What is written at the beginning of a file of tensors that `load_tensors` can read.

    Raises:
        KeyError: there is nothing.
    """
    with path.open("rb") as stream:
        header = stream.read(int.from_bytes(stream.read(8), "little"))
    found: dict[str, str] = json.loads(header)["__metadata__"]
    return found
