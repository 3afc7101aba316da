"""The cells that come with Gatewise: each binds its reference step to its parameters."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from gatewise.errors import OptionError, did_you_mean
from gatewise.kernels.gru.reference import step as gru_step
from gatewise.kernels.lstm.reference import step as lstm_step
from gatewise.kernels.mingru.reference import scan as mingru_scan
from gatewise.kernels.mingru.reference import step as mingru_step
from gatewise.kernels.minlstm.reference import scan as minlstm_scan
from gatewise.kernels.minlstm.reference import step as minlstm_step
from gatewise.kernels.rnn.reference import step as rnn_step
from gatewise.nn.cell import Cell, State, Weights, register_cell

__all__ = ["GRUCell", "LSTMCell", "MinGRUCell", "MinLSTMCell", "RNNCell"]


def _one_of(option: str, value: object, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise OptionError(
            f"{option} is not one of its values",
            expected=" or ".join(repr(each) for each in allowed),
            got=repr(value),
            fix=did_you_mean(str(value), allowed),
        )
    return str(value)


@register_cell("rnn")
class RNNCell(Cell):
    """An activation of the sum of both products, see :func:`gatewise.kernels.rnn.reference.step`.

    Args:
        nonlinearity: ``"tanh"`` or ``"relu"``.

    Raises:
        OptionError: another nonlinearity.

    Example:
        >>> RNNCell(3, 4, nonlinearity="relu").kernel_name
        'rnn_relu'
    """

    gates = ("candidate",)
    supports: ClassVar[frozenset[str]] = frozenset({"recurrent_dropout", "layer_norm"})

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        layer_norm: bool = False,
        nonlinearity: str = "tanh",
    ) -> None:
        super().__init__(input_size, hidden_size, bias, layer_norm)
        self.nonlinearity = _one_of("nonlinearity", nonlinearity, ("tanh", "relu"))

    def options(self) -> dict[str, object]:
        """``nonlinearity``."""
        return {"nonlinearity": self.nonlinearity}

    @property
    def kernel_name(self) -> str:
        """``rnn_tanh`` or ``rnn_relu``."""
        return f"rnn_{self.nonlinearity}"

    def step(
        self, gates_x: Tensor, state: State, weights: Weights, recurrent_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """See :func:`gatewise.kernels.rnn.reference.step`."""
        return rnn_step(
            gates_x,
            state[0],
            weights["weight_hh"],
            weights.get("bias_hh"),
            nonlinearity=self.nonlinearity,
            recurrent_mask=recurrent_mask,
            layer_norm_hh=weights.get("layer_norm_hh"),
        )


@register_cell("lstm")
class LSTMCell(Cell):
    """Input, forget and output gate around a cell, see :func:`gatewise.kernels.lstm.reference.step`.

    Args:
        proj_size: P, width of the projected hidden state; 0 is none.
        peephole: the gates see the cell too: ``weight_peephole (3, H)`` rows i, f, o (coupled: ``(2, H)`` rows f, o).
        coupled: the input gate is one minus the forget gate; three gates are left: forget, candidate, output.

    Raises:
        OptionError: ``proj_size`` is negative or not below H.

    Example:
        >>> LSTMCell(3, 4, coupled=True).parameter_shapes()["weight_hh"]
        (12, 4)
    """

    gates: tuple[str, ...] = ("input", "forget", "candidate", "output")
    states = ("hidden", "cell")
    supports: ClassVar[frozenset[str]] = frozenset({"recurrent_dropout", "layer_norm"})

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        layer_norm: bool = False,
        proj_size: int = 0,
        peephole: bool = False,
        coupled: bool = False,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, layer_norm)
        if isinstance(proj_size, bool) or not isinstance(proj_size, int) or not 0 <= proj_size < hidden_size:
            raise OptionError(
                "proj_size P must be 0 (no projection) or smaller than hidden_size H",
                expected=f"an integer from 0 to {hidden_size - 1}",
                got=repr(proj_size),
            )
        self.proj_size = proj_size
        self.peephole = peephole
        self.coupled = coupled
        if coupled:
            self.gates = ("forget", "candidate", "output")

    def options(self) -> dict[str, object]:
        """``proj_size``, ``peephole``, ``coupled``."""
        return {"proj_size": self.proj_size, "peephole": self.peephole, "coupled": self.coupled}

    def kernel_options(self) -> frozenset[str]:
        """Those of the three that are on."""
        return frozenset(name for name, value in self.options().items() if value)

    def state_sizes(self) -> tuple[int, ...]:
        """``(P or H, H)``."""
        return (self.proj_size or self.hidden_size, self.hidden_size)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """As in torch.nn, with ``weight_hr (P, H)`` last."""
        shapes = super().parameter_shapes()
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        return shapes

    def extra_shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Peepholes, and the gains of the normalised products and of the normalised cell."""
        shapes = super().extra_shapes()
        if self.layer_norm:
            shapes["layer_norm_c"] = ((self.hidden_size,), "ones")
            if self.bias:
                shapes["layer_norm_c_bias"] = ((self.hidden_size,), "zeros")
        if self.peephole:
            shapes["weight_peephole"] = ((2 if self.coupled else 3, self.hidden_size), "uniform")
        return shapes

    def step(
        self, gates_x: Tensor, state: State, weights: Weights, recurrent_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """See :func:`gatewise.kernels.lstm.reference.step`."""
        return lstm_step(
            gates_x,
            state[0],
            state[1],
            weights["weight_hh"],
            weights.get("bias_hh"),
            coupled=self.coupled,
            recurrent_mask=recurrent_mask,
            weight_hr=weights.get("weight_hr"),
            weight_peephole=weights.get("weight_peephole"),
            layer_norm_hh=weights.get("layer_norm_hh"),
            layer_norm_c=weights.get("layer_norm_c"),
            layer_norm_c_bias=weights.get("layer_norm_c_bias"),
        )


@register_cell("gru")
class GRUCell(Cell):
    """Reset and update gate, in all four readings, see :func:`gatewise.kernels.gru.reference.step`.

    Args:
        reset: ``"after"`` (PyTorch) or ``"before"`` (the paper) the recurrent product of the candidate.
        update: an update gate of one means ``"keep"`` (PyTorch) or ``"replace"`` the old state.

    Raises:
        OptionError: another value.

    Example:
        >>> sorted(GRUCell(3, 4, reset="before", update="replace").kernel_options())
        ['reset_before', 'update_replace']
    """

    gates = ("reset", "update", "candidate")
    supports: ClassVar[frozenset[str]] = frozenset({"recurrent_dropout", "layer_norm"})

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        layer_norm: bool = False,
        reset: str = "after",
        update: str = "keep",
    ) -> None:
        super().__init__(input_size, hidden_size, bias, layer_norm)
        self.reset = _one_of("reset", reset, ("after", "before"))
        self.update = _one_of("update", update, ("keep", "replace"))

    def options(self) -> dict[str, object]:
        """``reset`` and ``update``."""
        return {"reset": self.reset, "update": self.update}

    def kernel_options(self) -> frozenset[str]:
        """``reset_before`` and ``update_replace`` where they differ from PyTorch's reading."""
        named = {"reset_before": self.reset == "before", "update_replace": self.update == "replace"}
        return frozenset(name for name, on in named.items() if on)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Reset and update share one mean and variance; the candidate has its own."""
        return (2 * self.hidden_size, self.hidden_size)

    def step(
        self, gates_x: Tensor, state: State, weights: Weights, recurrent_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """See :func:`gatewise.kernels.gru.reference.step`."""
        return gru_step(
            gates_x,
            state[0],
            weights["weight_hh"],
            weights.get("bias_hh"),
            reset=self.reset,
            update=self.update,
            recurrent_mask=recurrent_mask,
            layer_norm_hh=weights.get("layer_norm_hh"),
        )


class _InputGatedCell(Cell):
    """A cell whose gates see the input only: no recurrent weights, and a scan over time."""

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """``weight_ih (G*H, I)`` and ``bias_ih (G*H,)``."""
        shapes = super().parameter_shapes()
        return {name: shape for name, shape in shapes.items() if not name.endswith("_hh")}


@register_cell("mingru")
class MinGRUCell(_InputGatedCell):
    """The minimal GRU, see :func:`gatewise.kernels.mingru.reference.step`.

    Example:
        >>> MinGRUCell(3, 4).parameter_shapes()
        {'weight_ih': (8, 3), 'bias_ih': (8,)}
    """

    gates = ("update", "candidate")

    def step(
        self, gates_x: Tensor, state: State, weights: Weights, recurrent_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """See :func:`gatewise.kernels.mingru.reference.step`."""
        return mingru_step(gates_x, state[0])

    def scan(self, gates_x: Tensor, state: State, weights: Weights) -> Tensor | None:
        """See :func:`gatewise.kernels.mingru.reference.scan`."""
        return mingru_scan(gates_x, state[0])


@register_cell("minlstm")
class MinLSTMCell(_InputGatedCell):
    """The minimal LSTM, see :func:`gatewise.kernels.minlstm.reference.step`.

    Example:
        >>> MinLSTMCell(3, 4).parameter_shapes()
        {'weight_ih': (12, 3), 'bias_ih': (12,)}
    """

    gates = ("forget", "input", "candidate")

    def step(
        self, gates_x: Tensor, state: State, weights: Weights, recurrent_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """See :func:`gatewise.kernels.minlstm.reference.step`."""
        return minlstm_step(gates_x, state[0])

    def scan(self, gates_x: Tensor, state: State, weights: Weights) -> Tensor | None:
        """See :func:`gatewise.kernels.minlstm.reference.scan`."""
        return minlstm_scan(gates_x, state[0])
