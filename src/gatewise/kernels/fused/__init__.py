"""The compiled kernels, as differentiable PyTorch operations.

``sequence`` runs one direction of one layer over a whole batch, ``session`` steps through a stream. ``library`` finds
the compiled code and picks the variant for this CPU; ``selection`` offers it to :mod:`gatewise.kernels.dispatch`.
"""
