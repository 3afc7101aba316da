"""The layer that every cell gets: depth, both directions, ragged rows, dropouts, states, streaming, traces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence

from gatewise.errors import OptionError, ShapeError
from gatewise.kernels.dispatch import CANDIDATES, Choice, Request, choose, forced_kernel, requested_precision
from gatewise.kernels.transforms import transformed
from gatewise.nn import packed
from gatewise.nn.cell import State
from gatewise.nn.dropout import recurrent_mask, zoneout_masks
from gatewise.nn.foundation import Foundation
from gatewise.nn.frozen import Frozen
from gatewise.nn.implementations import run_direction, run_stack
from gatewise.nn.inputs import autocast_dtype, check_input, check_lengths, join_state, split_state
from gatewise.nn.options import check_size
from gatewise.nn.prepared import Prepared, prepare
from gatewise.nn.streaming import Session
from gatewise.nn.time_loop import Direction, active_steps, in_chunks, unroll
from gatewise.nn.tracing import DirectionTrace, Trace

__all__ = ["Recurrent"]


class Recurrent(Foundation):
    """A stack of recurrent layers of any registered cell; a drop-in for ``torch.nn.RNN``, ``LSTM`` and ``GRU``.

    Axis letters: B batch, T time, I input, H hidden (output width of one direction), L layers, D directions (1 or 2).
    Parameters are named as in torch.nn: ``weight_ih_l0 (G*H, I)``, ``weight_hh_l0``, ``bias_ih_l0``, ``bias_hh_l0``,
    then ``.._l0_reverse``, ``.._l1``, ...; drawn in the same order from U(-1/sqrt(H), 1/sqrt(H)), so that the same seed
    gives the same weights as torch.nn.

    Args:
        cell: a registered name, see :func:`gatewise.nn.cells`.
        input_size: I.
        hidden_size: H, or one width per layer.
        num_layers: L.
        bias: have biases.
        batch_first: x and output are ``(B, T, ..)`` instead of ``(T, B, ..)``; states are ``(L*D, B, H)`` either way.
        dropout: p between layers (after each but the last).
        bidirectional: D = 2; outputs of both directions concatenated.
        layer_norm: normalise the gates' products (Ba, Kiros, Hinton 2016).
        zoneout: p, or one per state: keep the old value of a unit (Krueger et al. 2017); the mean in evaluation.
        recurrent_dropout: p; one mask per sequence on the recurrent products (Gal and Ghahramani 2016).
        weight_dropout: p; drop entries of ``weight_hh``, one draw per call (Merity et al. 2017).
        residual: add each layer's input to its output, from the second layer on (Wu et al. 2016).
        learned_initial_state: parameters ``initial_hidden_l0 (H,)``, ... in place of zeros where hx is not given.
        checkpoint_steps: keep only every so many steps for the backward pass and compute the rest again.
        cell_options: the cell's own options, such as ``{"reset": "before"}``.
        device, dtype: of the parameters.

    Raises:
        OptionError: unknown cell; sizes, probabilities or options that do not fit, with the reason.

    Example:
        >>> layer = Recurrent("gru", 10, 20, num_layers=2, bidirectional=True, batch_first=True)
        >>> output, hidden = layer(torch.randn(3, 5, 10), lengths=[5, 2, 4])
        >>> output.shape, hidden.shape, bool((output[1, 2:] == 0).all())
        (torch.Size([3, 5, 40]), torch.Size([4, 3, 20]), True)
    """

    classes: ClassVar[dict[str, type[Recurrent]]] = {}
    """The public class of each cell that has one, as ``class GRU(Recurrent, cell="gru")`` states it."""
    _choices: tuple[tuple[str, Choice], ...] = ()
    _asked: tuple[object, ...] = ()
    _prepared: Prepared | None = None
    _frozen: Frozen | None = None

    def __init_subclass__(cls, cell: str | None = None, **options: Any) -> None:
        """Keep the class as the public one of ``cell``."""
        super().__init_subclass__(**options)
        if cell is not None:
            Recurrent.classes[cell] = cls

    def forward(
        self, x: Tensor | PackedSequence, hx: Any = None, lengths: Tensor | Sequence[int] | None = None
    ) -> tuple[Any, Any]:
        """Run whole sequences.

        Args:
            x: ``(T, B, I)``, with ``batch_first`` ``(B, T, I)``; unbatched ``(T, I)``; or a PackedSequence.
            hx: initial state ``(L*D, B, H)`` (LSTM: the tuple hidden, cell), unbatched ``(L*D, H)``; None is zeros or
                the learned one. With per-layer widths: a tuple with one ``(D, B, H)`` per layer in place of a tensor.
            lengths: ``(B,)`` real steps of each row, 1 to T, in any order; what x holds past a row's end is never read.

        Returns:
            Output laid out as x, D*H wide, zero past each row's end; and the final state, laid out as hx, each row's
            after its own last step.

        Raises:
            ShapeError: x, hx or lengths of another rank, size, dtype or device, or lengths outside 1 to T.
        """
        if isinstance(x, PackedSequence):
            return packed.forward_packed(self, x, hx, lengths)
        if torch.compiler.is_compiling():
            output, states, batched, _ = self._run(x, hx, lengths, None)
            return output, join_state(states, self.directions, self._uniform, batched)
        prepared = self._prepared
        found = None if prepared is None else prepared(self, x, hx, lengths)
        if found is not None:
            return found
        output, states, batched, _ = self._run(x, hx, lengths, None)
        if prepared is None or prepared.outdated(self):
            self._prepared = prepare(self)
        return output, join_state(states, self.directions, self._uniform, batched)

    def trace(self, x: Tensor, hx: Any = None, lengths: Tensor | Sequence[int] | None = None) -> Trace:
        """Every gate, candidate and state of every step under its textbook name, from the reference equations.

        Args:
            x: ``(T, B, I)``, as in :meth:`forward` (no PackedSequence).
            hx: as in :meth:`forward`.
            lengths: as in :meth:`forward`; values past a row's end are zero.

        Returns:
            A :class:`gatewise.nn.Trace`; ``trace[layer, "forward"]["update"]`` is laid out as x, ``(T, B, H)``.

        Example:
            >>> trace = Recurrent("lstm", 2, 3).trace(torch.ones(4, 1, 2))
            >>> list(trace[0, "forward"]), trace[0, "forward"]["forget"].shape
            (['input', 'forget', 'candidate', 'output', 'cell', 'hidden'], torch.Size([4, 1, 3]))
        """
        if not isinstance(x, Tensor):
            raise ShapeError(f"{type(self).__name__}.trace: x must be a padded tensor", got=type(x).__name__)
        directions: list[DirectionTrace] = []
        output, states, batched, axis = self._run(x, hx, lengths, directions)
        laid_out = tuple(each.laid_out(axis, batched) for each in directions)
        return Trace(output, join_state(states, self.directions, self._uniform, batched), laid_out)

    def step(self, x: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        """Run one step; consecutive steps equal the whole run.

        Args:
            x: ``(B, I)``, unbatched ``(I,)``.
            state: from :meth:`initial_state` or the step before; None is the initial state.

        Returns:
            Output ``(B, H)`` of the last layer, and the new state.

        Raises:
            OptionError: the layer is bidirectional, or in training with masks that belong to a whole sequence.
            ShapeError: x or state of another shape, dtype or device.

        Example:
            >>> layer = Recurrent("gru", 2, 3).eval()
            >>> output, state = layer.step(torch.ones(1, 2), layer.initial_state(1))
            >>> output.shape, state.shape
            (torch.Size([1, 3]), torch.Size([1, 1, 3]))
        """
        name = type(self).__name__
        if self.bidirectional:
            raise OptionError(
                f"{name}.step: the backward direction starts at the end of the sequence, which a stream does not have",
                fix="build the layer with bidirectional=False",
            )
        if self.training and (self.recurrent_dropout > 0 or self.weight_dropout > 0):
            raise OptionError(
                f"{name}.step: recurrent_dropout and weight_dropout draw one mask per sequence, not per step",
                fix="call layer.eval() first, or train on whole sequences",
            )
        batched = check_input(name, x, self._weight, self.input_size, self.batch_first, step=True)
        axis = 1 if self.batch_first and batched else 0
        output, new = self.forward(x.unsqueeze(axis), state)
        return output.squeeze(axis), new

    def session(self, batch: int = 1) -> Session:
        """A stream that keeps its state inside; on the compiled steps, microseconds per step.

        Args:
            batch: B, independent streams side by side.

        Returns:
            A :class:`gatewise.nn.streaming.Session`: call it with one time step ``(B, I)``.

        Raises:
            OptionError: the layer is bidirectional, or in training with a dropout or zoneout.

        Example:
            >>> session = Recurrent("gru", 2, 3).session()
            >>> session(torch.ones(1, 2)).shape
            torch.Size([1, 3])
        """
        return Session(self, batch)

    def flatten_parameters(self) -> None:
        """Lay the weights out as cuDNN requires; nothing on other devices, nor for layers cuDNN does not have."""
        packed.flatten_for_cudnn(self)

    def initial_state(self, batch: int | None = None) -> Any:
        """The state before the first step: zeros, or the learned one.

        Args:
            batch: B, or None for an unbatched state.

        Returns:
            A state as :meth:`forward` takes it for hx.

        Example:
            >>> [part.shape for part in Recurrent("lstm", 2, 3, num_layers=2).initial_state(4)]
            [torch.Size([2, 4, 3]), torch.Size([2, 4, 3])]
        """
        rows = 1 if batch is None else check_size(type(self).__name__, "batch", batch)
        states = [tuple(part.clone() for part in each) for each in self._start(rows, self._weight.dtype)]
        return join_state(states, self.directions, self._uniform, batch is not None)

    @property
    def kernel(self) -> str | None:
        """What computed the last call: ``reference``, ``torch``, ``fused-..`` or several with ``+``; else None."""
        return " + ".join(dict.fromkeys(choice.implementation for _, choice in self._choices)) or None

    @property
    def choices(self) -> tuple[tuple[str, Choice], ...]:
        """The last call's choice per layer and direction, as ``("l0", Choice)``, ``("l0_reverse", Choice)``, ..."""
        return self._choices

    def explain_kernel(self) -> str:
        """What computed the last call and why, one line per layer and direction.

        Example:
            >>> layer = Recurrent("mingru", 2, 3)
            >>> layer.explain_kernel()
            'not run yet'
        """
        return "\n".join(f"{place}: {choice.implementation} ({choice.reason})" for place, choice in self._choices) or (
            "not run yet"
        )

    def _run(
        self, x: Tensor, hx: Any, lengths: Any, traces: list[DirectionTrace] | None
    ) -> tuple[Tensor, list[State], bool, int]:
        """Check, lay out, run the stack, lay out again. Returns output, inner states, batched, and x's time axis."""
        name = type(self).__name__
        batched = check_input(name, x, self._weight, self.input_size, self.batch_first)
        if not batched and lengths is not None:
            raise ShapeError(
                f"{name}: an unbatched x has one length, its own",
                fix="cut the sequence, x[:length], instead of giving lengths",
            )
        axis = 1 if batched and self.batch_first else 0
        inner = x.transpose(0, 1) if axis == 1 else x if batched else x[:, None]
        steps, batch = inner.shape[0], inner.shape[1]
        rows = None if lengths is None else check_lengths(name, lengths, batch, steps, x.device)
        if hx is None:
            states = self._start(batch, x.dtype)
        else:
            sizes = [cell.state_sizes() for cell in self._cells]
            states = split_state(
                name, hx, self._cells[0].states, sizes, self.directions, batch if batched else None, self._weight
            )
        output, states = self._stack(inner, states, rows, traces)
        return (output.transpose(0, 1) if axis == 1 else output if batched else output[:, 0]), states, batched, axis

    def _stack(
        self, x: Tensor, states: list[State], lengths: Tensor | None, traces: list[DirectionTrace] | None
    ) -> tuple[Tensor, list[State]]:
        """All layers, time-major."""
        places = self._places
        choices = self._choose_all(x, lengths, traces)
        if lengths is not None and x.shape[0] > 0 and any(choice.family != "fused" for choice in choices):
            x = x.masked_fill(~active_steps(lengths, x.shape[0])[..., None], 0)  # the fused kernels never look there
        if self._in_one_call(choices, x, lengths):
            stacked = [torch.stack(column) for column in zip(*states, strict=True)]
            output, final = run_stack(
                self._cells[0],
                x,
                stacked,
                [self._weights_of(suffix) for _, suffix in places],
                bidirectional=self.bidirectional,
                dropout=self.dropout if self.num_layers > 1 else 0.0,
                training=self.training,
                lengths=lengths,
            )
            return output, list(zip(*[each.unbind(0) for each in final], strict=True))
        finals: list[State] = []
        for layer in range(self.num_layers):
            outputs = []
            for number in range(layer * self.directions, (layer + 1) * self.directions):
                output, last = self._direction(
                    choices[number], x, states[number], *places[number], lengths=lengths, traces=traces
                )
                outputs.append(output)
                finals.append(last)
            output = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=-1)
            x = output + x if self.residual and layer > 0 else output
            if self.dropout > 0 and layer + 1 < self.num_layers:
                x = functional.dropout(x, self.dropout, self.training)
        return x, finals

    def _choose_all(self, x: Tensor, lengths: Tensor | None, traces: list[DirectionTrace] | None) -> list[Choice]:
        """The implementation of every layer and direction, also kept for :attr:`choices`.

        The last choice is cached by everything that it depends on.
        """
        if torch.compiler.is_compiling():
            return [self._choose(x, layer, "reverse" in suffix, lengths, traces) for layer, suffix in self._places]
        kind = x.device.type
        asked = (
            x.shape,
            x.dtype,
            kind,
            autocast_dtype(kind),
            lengths is None,
            traces is None,
            self.training,
            torch.is_grad_enabled() and (x.requires_grad or self._weight.requires_grad),
            transformed(),
            forced_kernel(),
            requested_precision(),
            *CANDIDATES,
        )
        if asked != self._asked:
            choices = [self._choose(x, layer, "reverse" in suffix, lengths, traces) for layer, suffix in self._places]
            named = tuple((suffix[1:], choice) for (_, suffix), choice in zip(self._places, choices, strict=True))
            self._choices, self._asked = named, asked
        return [choice for _, choice in self._choices]

    def _choose(
        self, x: Tensor, layer: int, reverse: bool, lengths: Tensor | None, traces: list[DirectionTrace] | None
    ) -> Choice:
        """The implementation of one layer and direction."""
        if traces is not None:
            return Choice("reference", "a trace needs every gate of every step")
        cell = self._cells[layer]
        present = {
            "reverse": reverse,
            "lengths": lengths is not None,
            "layer_norm": self.layer_norm,
            "zoneout": any(self.zoneout),
            "recurrent_dropout": self.training and self.recurrent_dropout > 0,
        }
        kind = x.device.type
        return choose(
            Request(
                cell=cell.kernel_name,
                device=kind,
                dtype=autocast_dtype(kind) or x.dtype,
                input_size=cell.input_size,
                hidden_size=cell.hidden_size,
                batch=x.shape[1],
                steps=x.shape[0],
                options=cell.kernel_options() | {name for name, on in present.items() if on},
                needs_grad=torch.is_grad_enabled() and (x.requires_grad or self._weight.requires_grad),
                precision=requested_precision(),
            )
        )

    def _in_one_call(self, choices: Sequence[Choice], x: Tensor, lengths: Tensor | None) -> bool:
        """Whether torch can take the whole stack at once.

        Not where it would draw dropout over packed data or from cuDNN's own generator: every implementation has to
        see the same masks. Ragged rows only where torch packs them anyway.
        """
        if any(choice.family != "torch" for choice in choices) or not self._uniform:
            return False
        if self.residual or self.checkpoint_steps is not None:
            return False
        cuda = x.device.type == "cuda"
        if self.training and self.dropout > 0 and self.num_layers > 1 and (cuda or lengths is not None):
            return False
        return lengths is None or cuda or len(self._cells[0].states) > 1

    def _direction(
        self,
        choice: Choice,
        x: Tensor,
        state: State,
        layer: int,
        suffix: str,
        *,
        lengths: Tensor | None,
        traces: list[DirectionTrace] | None,
    ) -> tuple[Tensor, State]:
        """One direction of one layer, with masks drawn here so that every implementation sees the same ones."""
        direction = Direction(
            self._cells[layer],
            x,
            state,
            self._weights_of(suffix),
            lengths,
            "reverse" in suffix,
            recurrent_mask(state[0], self.recurrent_dropout if self.training else 0.0),
            zoneout_masks(self.zoneout, x.shape[0], state, self.training),
        )
        if traces is not None:
            values: dict[str, list[Tensor]] = {}
            output, final = unroll(direction, values)
            traces.append(DirectionTrace.stacked(layer, suffix, values, output))
            return output, final
        if self.checkpoint_steps is not None and torch.is_grad_enabled() and x.shape[0] > self.checkpoint_steps:
            return in_chunks(lambda part: run_direction(choice, part), direction, self.checkpoint_steps)
        return run_direction(choice, direction)
