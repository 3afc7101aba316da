"""Recurrent layers; usable with nothing else of Gatewise.

``RNN``, ``LSTM`` and ``GRU`` are drop-ins for torch.nn's, with ragged batches, layer norm, zoneout, recurrent and
weight dropout, residuals, learned initial states, streaming and traces; ``MinGRU`` and ``MinLSTM`` are their heirs that
run in parallel over time; ``Recurrent("name", ...)`` makes a layer of any registered cell.
"""

from __future__ import annotations

from gatewise.nn.builtin_cells import GRUCell, LSTMCell, MinGRUCell, MinLSTMCell, RNNCell
from gatewise.nn.cells import Cell, cell_class, cells, register_cell
from gatewise.nn.gru import GRU
from gatewise.nn.lstm import LSTM
from gatewise.nn.mingru import MinGRU
from gatewise.nn.minlstm import MinLSTM
from gatewise.nn.recurrent import Recurrent
from gatewise.nn.rnn import RNN
from gatewise.nn.tracing import DirectionTrace, Trace

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "DirectionTrace",
    "GRUCell",
    "LSTMCell",
    "MinGRU",
    "MinGRUCell",
    "MinLSTM",
    "MinLSTMCell",
    "RNNCell",
    "Recurrent",
    "Trace",
    "cell_class",
    "cells",
    "register_cell",
]
