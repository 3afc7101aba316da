"""Every option of the compiled RNN, LSTM and GRU against the float64 equations."""

from __future__ import annotations

import itertools

import pytest
from sequence_oracle import Case, compare, needs_kernels, variants

pytestmark = needs_kernels

READINGS = [
    ("rnn", {}),
    ("rnn", {"nonlinearity": "relu"}),
    ("lstm", {}),
    ("lstm", {"coupled": True}),
    *(("gru", {"reset": r, "update": u}) for r, u in itertools.product(("after", "before"), ("keep", "replace"))),
]
readings = pytest.mark.parametrize(
    ("cell", "options"),
    READINGS,
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
directions = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
OPTIONS = {
    "none": {},
    "mask": {"mask": True},
    "zoneout-mask": {"zoneout": "mask"},
    "zoneout-expectation": {"zoneout": "expectation"},
    "layer-norm": {"layer_norm": True},
    "all": {"mask": True, "zoneout": "mask", "layer_norm": True},
}


@variants
@readings
@directions
@pytest.mark.parametrize("option", OPTIONS)
def test_each_option(cell, options, reverse, option, variant):
    lengths = [4, 6, 0, 1, 5, 6, 2, 3] if reverse else None
    compare(Case(cell, 8, 6, 5, 19, lengths, reverse, options=options, **OPTIONS[option]), variant, 5e-5)


@variants
@pytest.mark.parametrize("coupled", [False, True])
@pytest.mark.parametrize("extra", [{}, {"layer_norm": True}, {"zoneout": "mask", "mask": True}], ids=str)
def test_peepholes(coupled, extra, variant):
    compare(Case("lstm", 4, 7, 3, 18, peephole=True, options={"coupled": coupled}, **extra), variant, 5e-5)


@readings
def test_wide_batches(cell, options):
    compare(Case(cell, 21, 9, 11, 100, options=options, **OPTIONS["all"]), None, 5e-5)
