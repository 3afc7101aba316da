"""Probes: synthetic problems whose length is the difficulty, for what a cell can remember and compute.

Adding and temporal order after Hochreiter & Schmidhuber (1997), copy memory after Arjovsky, Shah & Bengio (2016), and
parity.
"""

from __future__ import annotations

from gatewise.kinds.probe.kind import ProbeKind
from gatewise.kinds.probe.spec import ProbeModelSpec, ProbeSpec

__all__ = ["KIND", "ProbeKind", "ProbeModelSpec", "ProbeSpec"]

KIND = ProbeKind()
