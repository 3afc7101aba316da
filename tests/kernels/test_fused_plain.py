"""The compiled RNN, LSTM and GRU against the float64 equations: sizes, ragged rows, directions."""

from __future__ import annotations

import pytest
import torch
from sequence_oracle import Case, compare, needs_kernels, variants

pytestmark = needs_kernels

CELLS = [("rnn", {}), ("rnn", {"nonlinearity": "relu"}), ("lstm", {}), ("gru", {})]
cells = pytest.mark.parametrize(("cell", "options"), CELLS, ids=["rnn-tanh", "rnn-relu", "lstm", "gru"])
SIZES = [(1, 1, 1, 1), (1, 7, 3, 33), (2, 5, 17, 16), (3, 4, 1, 70), (5, 3, 40, 9), (13, 6, 5, 20), (33, 3, 66, 129)]


@variants
@cells
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_equals_reference(cell, options, reverse, size, variant):
    batch, steps, inputs, hidden = size
    compare(Case(cell, batch, steps, inputs, hidden, reverse=reverse, options=options), variant)


@variants
@cells
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", [[3, 6, 1, 6, 2], [0, 4, 0, 2, 5], [1], [0, 0], [2, 5], list(range(19))], ids=str)
def test_ragged_rows(cell, options, reverse, lengths, variant):
    steps = max([*lengths, 3])
    compare(Case(cell, len(lengths), steps, 6, 21, lengths=lengths, reverse=reverse, options=options, seed=3), variant)


@cells
@pytest.mark.parametrize("threads", [1, 2, 3, 8])
def test_any_number_of_threads(cell, options, threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        compare(Case(cell, 11, 12, 30, 50, options=options))
        compare(Case(cell, 2, 40, 30, 70, options=options))
        compare(Case(cell, 9, 12, 30, 50, lengths=[12, 1, 7, 3, 9, 12, 0, 5, 2], options=options))
    finally:
        torch.set_num_threads(before)


@variants
@cells
def test_without_bias_or_initial_state(cell, options, variant):
    compare(Case(cell, bias=False, initial=False, options=options), variant)


@cells
@pytest.mark.parametrize(("batch", "steps"), [(3, 0), (0, 3), (0, 0)])
def test_nothing_to_do(cell, options, batch, steps):
    compare(Case(cell, batch, steps, options=options))
