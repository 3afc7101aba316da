"""The page of `gatewise explain`: a server for this machine alone, and the file to pass on."""

from __future__ import annotations

from gatewise.serving.explain.exported import write_page
from gatewise.serving.explain.show import show

__all__ = ["show", "write_page"]
