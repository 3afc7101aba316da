"""Describes in one sentence which layer a set of weights belongs to, when it is not this one."""

from __future__ import annotations

from collections.abc import Mapping

from gatewise.nn.cell import Cell

__all__ = ["weights_mismatch"]

_GATES = {1: "an RNN", 3: "a GRU", 4: "an LSTM"}


def _describe(shapes: Mapping[str, tuple[int, ...]]) -> tuple[int, int, int, int, int] | None:
    """(G*H, I, recurrent width, layers, directions) of a set of weights named as torch.nn does."""
    first = shapes.get("weight_ih_l0")
    if first is None or len(first) != 2:
        return None
    recurrent = shapes.get("weight_hh_l0", (0, 0))
    layers = sum(name.startswith("weight_ih_l") and not name.endswith("_reverse") for name in shapes)
    return first[0], first[1], recurrent[-1], layers, 2 if "weight_ih_l0_reverse" in shapes else 1


def weights_mismatch(
    layer: str, cell: Cell, own: Mapping[str, tuple[int, ...]], given: Mapping[str, tuple[int, ...]]
) -> str | None:
    """The first difference between a layer's parameters and given weights, or None where they fit.

    Args:
        layer: the layer's class, for the message.
        cell: the layer's first cell.
        own: the layer's parameter shapes by name.
        given: the weights' shapes by name.

    Returns:
        A sentence with expected, got and the fix, or None.

    Example:
        >>> from gatewise.nn import GRUCell
        >>> weights_mismatch("GRU", GRUCell(2, 3), {"weight_ih_l0": (9, 2)}, {"weight_ih_l0": (9, 2)}) is None
        True
    """
    if own == given:
        return None
    mine, theirs = _describe(own), _describe(given)
    if mine is None or theirs is None:
        found = ", ".join(sorted(given)[:4]) or "nothing"
        return f"these are not a recurrent layer's weights; expected: {', '.join(sorted(own)[:4])}, ...; got: {found}"
    gates, size = len(cell.gates), cell.hidden_size
    rows, features, width, layers, directions = theirs
    if width and rows != gates * size and rows % width == 0 and rows // width != gates:
        kind = _GATES.get(rows // width, "another cell")
        return (
            f"these are the weights of {kind} ({rows // width} gates), this layer is {layer} ({gates} gates); "
            f"expected: weight_ih_l0 (G*H, I) = {own['weight_ih_l0']}; got: {given['weight_ih_l0']}"
        )
    for what, expected, got in (
        ("input_size I", mine[1], features),
        ("hidden_size H", size, rows // gates),
        ("num_layers L", mine[3], layers),
        ("directions D", mine[4], directions),
    ):
        if expected != got:
            return (
                f"these are weights for another {what}; expected: {expected}; got: {got}; fix: build {layer} with {got}"
            )
    missing, extra = sorted(own.keys() - given.keys()), sorted(given.keys() - own.keys())
    if missing or extra:
        return (
            f"these weights were saved with other options than this {layer} has; "
            f"missing: {', '.join(missing) or 'none'}; not known here: {', '.join(extra) or 'none'}"
        )
    name = next(name for name in own if own[name] != given[name])
    return f"{name} has another shape; expected: {own[name]}; got: {given[name]}"
