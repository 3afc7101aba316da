"""Recurrent layers; usable with nothing else of Gatewise.

``RNN``, ``LSTM`` and ``GRU`` are drop-ins for torch.nn's, with ragged batches, layer norm, zoneout, recurrent and
weight dropout, residuals, learned initial states, streaming and traces; ``MinGRU`` and ``MinLSTM`` are their minimal
successors, parallel over time; ``Recurrent("name", ...)`` makes a layer of any registered cell. Inside
``with precision("bf16")`` a layer rounds what enters its products, in training too, where that is faster on the CPU.
"""

from __future__ import annotations

from gatewise.kernels.dispatch import precision
from gatewise.nn.builtin_cells import GRUCell, LSTMCell, MinGRUCell, MinLSTMCell, RNNCell
from gatewise.nn.cell import Cell, cell_class, cells, register_cell
from gatewise.nn.conventions import OnnxWeights, from_keras, from_onnx, to_keras, to_onnx
from gatewise.nn.frozen import frozen
from gatewise.nn.gru import GRU
from gatewise.nn.gru_readings import convert_gru
from gatewise.nn.lstm import LSTM
from gatewise.nn.migration import ConversionReport, convert, from_torch, to_torch
from gatewise.nn.mingru import MinGRU
from gatewise.nn.minlstm import MinLSTM
from gatewise.nn.recurrent import Recurrent
from gatewise.nn.rnn import RNN
from gatewise.nn.states import batch_states, detach_state, load_state, move_state, save_state, unbatch_state
from gatewise.nn.storage import load_layer, load_weights, save_layer
from gatewise.nn.tracing import DirectionTrace, Trace

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Cell",
    "ConversionReport",
    "DirectionTrace",
    "GRUCell",
    "LSTMCell",
    "MinGRU",
    "MinGRUCell",
    "MinLSTM",
    "MinLSTMCell",
    "OnnxWeights",
    "RNNCell",
    "Recurrent",
    "Trace",
    "batch_states",
    "cell_class",
    "cells",
    "convert",
    "convert_gru",
    "detach_state",
    "from_keras",
    "from_onnx",
    "from_torch",
    "frozen",
    "load_layer",
    "load_state",
    "load_weights",
    "move_state",
    "precision",
    "register_cell",
    "save_layer",
    "save_state",
    "to_keras",
    "to_onnx",
    "to_torch",
    "unbatch_state",
]
