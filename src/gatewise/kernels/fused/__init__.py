"""The compiled kernels, as differentiable PyTorch operations.

``sequence.sequence`` runs one direction of one layer with recurrent weights over a whole batch, ``scan_layer`` one
whose gates see the input only; ``session`` steps through a stream. ``library`` finds the compiled code and picks the
variant for this CPU; ``selection`` says what can be computed and offers it to :mod:`gatewise.kernels.dispatch`.
"""
