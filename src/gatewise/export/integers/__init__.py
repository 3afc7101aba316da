"""Networks in integers: weights in 8 bits with a scale per row, activations and states in 16 bits. Imports no torch.

- `formats`: how a number becomes an integer;
- `calibration`: how large the values of a graph are on real examples;
- `stack`: recurrent layers as programs of integers;
- `quantised`: a whole graph, its weights and formats;
- `oracle`: evaluates it in NumPy, which every target has to equal bit for bit.
"""

from gatewise.export.integers.oracle import IntegerInterpreter
from gatewise.export.integers.quantised import Quantised, quantise_graph

__all__ = ["IntegerInterpreter", "Quantised", "quantise_graph"]
