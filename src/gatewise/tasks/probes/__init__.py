"""Probes: made-up problems whose length is the difficulty, for what a cell can carry and what it can compute.

Adding and temporal order after Hochreiter & Schmidhuber (1997), copy memory after Arjovsky, Shah & Bengio (2016), and
parity.
"""

from __future__ import annotations

from gatewise.tasks.probes.baseline import ConstantAnswer
from gatewise.tasks.probes.generation import ProbeDataset, ProbePart, make_probe
from gatewise.tasks.probes.network import ProbeNetwork
from gatewise.tasks.probes.problem import PROBE_METRICS, ProbeProblem, answer, probe_evaluation

__all__ = [
    "PROBE_METRICS",
    "ConstantAnswer",
    "ProbeDataset",
    "ProbeNetwork",
    "ProbePart",
    "ProbeProblem",
    "answer",
    "make_probe",
    "probe_evaluation",
]
