"""Networks that read one sequence and write another: the loop around their two graphs. Imports no torch.

The reading graph gives what every step of the writing looks at, and the states that it starts with. The writing graph
(`Graph.writer`) is one step: the token before, those outputs and the states in; log-probabilities of the next token and
every state as ``<state>_next`` out. A state that the reading graph does not give starts with zeros.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.export.graph.expressions import Array
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.interpreter import Integers, Interpreter, pad
from gatewise.export.graph.search import Found, search

__all__ = ["EVIDENCE", "NEXT", "SCORES", "TOKEN", "Memory", "Writer", "WriterInterpreter"]

TOKEN, SCORES = "token", "log_probabilities"
"""Names of the writing graph's token and of its scores."""
EVIDENCE = "evidence"
"""Name of an output of the reading graph, where it has one: what the search, unless it is greedy, adds to the score of
each token (V,) that a sequence does not have yet."""
NEXT = "_next"
"""What the name of a state ends with where it is an output."""


@dataclass(frozen=True)
class Memory:
    """What is kept of N rows while they are written.

    Attributes:
        known: outputs of the reading graph that every step looks at: (N, S, width), 0 past the end, or (N, width).
        lengths: (N,) steps of the former; None: there are none.
        states: (N, width) each.
        evidence: (N, V), see `EVIDENCE`: of the tokens that have not been written yet; None: there is none.
    """

    known: Mapping[str, Array]
    lengths: Integers | None
    states: Mapping[str, Array]
    evidence: Array | None = None

    def rows(self, rows: Integers, *, known: bool = True) -> Memory:
        """Those of other rows; ``known`` False: what is looked at stays, because it is the same in these rows."""
        states = {name: value[rows] for name, value in self.states.items()}
        evidence = None if self.evidence is None else self.evidence[rows]
        if not known:
            return Memory(self.known, self.lengths, states, evidence)
        lengths = None if self.lengths is None else self.lengths[rows]
        steps = None if lengths is None else int(lengths.max(initial=0))
        found = {name: value[rows, :steps] if value.ndim == 3 else value[rows] for name, value in self.known.items()}
        return Memory(found, lengths, states, evidence)


class Writer(ABC):
    """Reads and writes.

    Args:
        given: name and width of the inputs of the writing graph.
        outputs: of the writing graph.
        metadata: of the reading graph: ``begin`` and ``end``, the tokens before the first and after the last one;
            ``limit``, a factor and a number: for S steps read at most ``factor * S + number`` tokens are written;
            ``thorough``: see `gatewise.nn.decoding.beam_search`.
    """

    def __init__(self, given: Mapping[str, int], outputs: Sequence[str], metadata: Mapping[str, Any]) -> None:
        self.begin, self.end, self.limit = int(metadata["begin"]), int(metadata["end"]), metadata["limit"]
        self.thorough = bool(metadata.get("thorough", False))
        self.states = {name: width for name, width in given.items() if name + NEXT in outputs}
        self.known = [name for name in given if name != TOKEN and name not in self.states]

    @abstractmethod
    def reading(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Array]]:
        """The outputs of the reading graph for several examples."""

    @abstractmethod
    def writing(self, tokens: Integers, memory: Memory) -> Mapping[str, Array]:
        """The outputs of the writing graph: N tokens, one for each row of the memory."""

    def read(self, rows: Sequence[Mapping[str, Any]]) -> Memory:
        """Read several examples."""
        found = self.reading(rows)
        known: dict[str, Array] = {}
        lengths: Integers | None = None
        for name in self.known:
            if found[name][0].ndim == 2:
                known[name], lengths = pad(found[name])
            else:
                known[name] = np.stack(found[name])
        states = {
            name: np.stack(found[name]) if name in found else np.zeros((len(rows), width), dtype=np.float32)
            for name, width in self.states.items()
        }
        return Memory(known, lengths, states, np.stack(found[EVIDENCE]) if EVIDENCE in found else None)

    def step(self, tokens: Integers, memory: Memory) -> tuple[Array, Memory]:
        """Log-probabilities of the next tokens (N, V), with the evidence, and what is kept after reading ``tokens``."""
        found = self.writing(tokens, memory)
        states = {name: found[name + NEXT] for name in self.states}
        scores, evidence = found[SCORES], memory.evidence
        if evidence is not None:
            evidence = evidence.copy()
            evidence[np.arange(len(tokens)), tokens] = 0.0
            scores = scores + evidence
        return scores, Memory(memory.known, memory.lengths, states, evidence)

    def taught(self, rows: Sequence[Mapping[str, Any]], targets: Sequence[npt.ArrayLike]) -> list[dict[str, Array]]:
        """All outputs but the states after each token of known targets, which begin with the first token to read.

        Returns:
            Of each example (T, V) log-probabilities, and further outputs (T, S, ..) or (T, ..).
        """
        padded, lengths = pad(targets)
        memory = self.read(rows)
        steps: list[Mapping[str, Array]] = []
        for t in range(padded.shape[1]):
            found = self.writing(padded[:, t], memory)
            memory = Memory(memory.known, memory.lengths, {name: found[name + NEXT] for name in self.states})
            steps.append({name: value for name, value in found.items() if name.removesuffix(NEXT) not in self.states})
        results = []
        for row, length in enumerate(lengths):
            size = None if memory.lengths is None else int(memory.lengths[row])
            results.append(
                {
                    name: np.stack(
                        [each[name][row, :size] if value.ndim == 3 else each[name][row] for each in steps[:length]]
                    )
                    for name, value in steps[0].items()
                }
            )
        return results

    def write(
        self, rows: Sequence[Mapping[str, Any]], lengths: npt.ArrayLike, *, beam: int = 1, length_power: float = 1.0
    ) -> list[Found]:
        """Search for what is most probable after each example, see `gatewise.export.graph.search.search`.

        Args:
            rows: the examples.
            lengths: steps of each.
            beam: sequences kept of each.
            length_power: of the normalisation.
        """
        memory = self.read(rows)
        # a greedy search does without evidence, see `gatewise.nn.writer.Writer.write`
        begun = memory.rows(np.repeat(np.arange(len(rows)), beam)) if beam > 1 else replace(memory, evidence=None)

        def select(state: Memory, places: Integers, examples: Integers) -> Memory:
            size = next(iter([*state.states.values(), *state.known.values()])).shape[0]
            return state.rows(places, known=len(places) != size)

        limits = self.limit[0] * np.asarray(lengths, dtype=np.int64) + self.limit[1]
        return search(
            self.step, select, begun, limits, begin=self.begin, end=self.end, beam=beam, length_power=length_power,
            thorough=self.thorough,
        )  # fmt: skip


class WriterInterpreter(Writer):
    """Evaluates both graphs in NumPy: the oracle.

    Args:
        graph: the reading graph, with its writer.
        dtype: as of `gatewise.export.graph.Interpreter`.
    """

    def __init__(self, graph: Graph, dtype: npt.DTypeLike = np.float64) -> None:
        assert graph.writer is not None
        step = graph.writer
        super().__init__(
            {given.name: given.width for given in step.inputs},
            list(step.outputs),
            graph.metadata,
        )
        self._reading, self._writing = Interpreter(graph, dtype), Interpreter(step, dtype)

    def reading(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Array]]:
        """As of `Writer`."""
        return self._reading.run(rows)

    def writing(self, tokens: Integers, memory: Memory) -> Mapping[str, Array]:
        """As of `Writer`."""
        rows = []
        for row, token in enumerate(tokens):
            size = None if memory.lengths is None else int(memory.lengths[row])
            known = {name: value[row, :size] if value.ndim == 3 else value[row] for name, value in memory.known.items()}
            states = {name: value[row] for name, value in memory.states.items()}
            rows.append({TOKEN: token, **known, **states})
        found = self._writing.run(rows)
        return {name: pad(values)[0] if values[0].ndim == 2 else np.stack(values) for name, values in found.items()}
