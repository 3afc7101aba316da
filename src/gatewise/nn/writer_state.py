"""What a `gatewise.nn.writer.Writer` writes about, and the state in which it writes."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor

from gatewise.nn.recurrent import Recurrent

__all__ = ["Read", "Writing", "as_state", "rows_of", "widths_of"]


class Read(NamedTuple):
    """What there is to write about, of B examples.

    Attributes:
        values: (B, S, V), what is attended: one for each source token, or for each place of a picture.
        keys: what queries are compared with, (B, S, H); without an attention the same as values.
        again: what those of the second look are compared with, (B, S, H); None: there is no second look.
        real: (B, S) bool, False where there is only padding; None: all are real.
        summary: (B, V), all of it in one vector.
        evidence: (B, tokens), what a token adds to a sequence's score where it is first written; None: nothing.
    """

    values: Tensor
    keys: Tensor
    again: Tensor | None
    real: Tensor | None
    summary: Tensor
    evidence: Tensor | None = None

    def select(self, examples: Tensor) -> Read:
        """Those of some examples, without the padding that none of them needs."""
        real = None if self.real is None else self.real[examples]
        steps = self.values.shape[1] if real is None else int(real.sum(dim=1).max())
        parts = [None if part is None else part[examples, :steps] for part in (self.values, self.keys, self.again)]
        values, keys, again = parts
        assert values is not None and keys is not None
        evidence = None if self.evidence is None else self.evidence[examples]
        return Read(values, keys, again, None if real is None else real[:, :steps], self.summary[examples], evidence)


class Writing(NamedTuple):
    """The state of the decoder in N rows, which are K hypotheses of each of B examples.

    Attributes:
        read: of the B examples.
        lower: state of the layers that read the tokens.
        upper: state of the layer that reads what was attended too; None: there is none.
        fed: (N, E), the step before's readout; None: it is not fed back.
        seen: (N, S), how much the first look has attended to each value so far; None: it does not matter.
        evidence: (N, tokens), of `Read.evidence` what has not been written yet; None: there is none.
    """

    read: Read
    lower: Any
    upper: Any
    fed: Tensor | None
    seen: Tensor | None = None
    evidence: Tensor | None = None


def widths_of(layer: Recurrent | None) -> list[int]:
    """Widths of all states of a stack in one direction, one after the other."""
    if layer is None:
        return []
    state = layer.initial_state(1)
    parts = state if isinstance(state, tuple) else (state,)
    return [part.shape[0] * part.shape[2] for part in parts]


def as_state(layer: Recurrent, values: Tensor) -> Any:
    """A state of a stack from (B, sum of its widths)."""
    parts = [
        part.view(len(part), layer.num_layers, -1).transpose(0, 1).contiguous()
        for part in values.split(widths_of(layer), dim=1)
    ]
    return parts[0] if len(parts) == 1 else tuple(parts)


def rows_of(state: Any, rows: Tensor) -> Any:
    """Rows of a state, whose tensors are (L, N, H)."""
    if state is None:
        return None
    if isinstance(state, tuple):
        return tuple(part.index_select(1, rows) for part in state)
    return state.index_select(1, rows)
