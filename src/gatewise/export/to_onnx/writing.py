"""Exported networks that write, against the trained network: known targets, and what greedy and beam search write."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gatewise.errors import ConversionError
from gatewise.export.gaps import Check, relative_gap
from gatewise.export.graph import Example, Graph
from gatewise.export.graph.expressions import Array
from gatewise.export.graph.writing import EVIDENCE, SCORES, Writer, WriterInterpreter
from gatewise.export.to_onnx.writer import OnnxWriter

__all__ = ["check_writer", "written_by"]

_AT_ONCE = 10
_ALONE = 5
_BEAM = 4


def check_writer(graph: Graph, examples: Sequence[Example], writer: OnnxWriter, *, trained: bool = True) -> Check:
    """Compare the log-probabilities of known targets, what is written greedily, and the scores of a beam search.

    Args:
        graph: what was exported.
        examples: real ones, with the ``target`` that is read step by step among their inputs; the trained network's
            log-probabilities and what it writes.
        writer: both models.
        trained: the examples' outputs are what the graph computes; not so where its weights were rounded.

    Raises:
        ConversionError: there are no examples.
    """
    if not examples:
        raise ConversionError("there is no test example to check the export with", fix="use data with a test part")
    oracle = WriterInterpreter(graph)
    precise, found = _taught(oracle, examples), _taught(writer, examples)
    greedy = [each["written"] for each in written_by(writer, examples, known=False)]
    if trained:
        true, expected = [each.outputs[SCORES] for each in examples], [each.outputs["written"] for each in examples]
        gaps = {
            "onnxruntime, trained network": relative_gap(found, true),
            "onnxruntime, NumPy in float64": relative_gap(found, precise),
            "NumPy in float64, trained network": relative_gap(precise, true),
        }
    else:
        expected = [each["written"] for each in written_by(oracle, examples, known=False)]
        gaps = {"onnxruntime, NumPy in float64": relative_gap(found, precise)}
    if EVIDENCE in graph.outputs:  # which greedy writing does without
        read, exactly = _evidence(writer, examples), _evidence(oracle, examples)
        gaps["evidence, onnxruntime and NumPy"] = relative_gap(read, exactly)
        if trained:
            of_trained = [each.outputs[EVIDENCE] for each in examples]
            gaps["evidence, NumPy and trained network"] = relative_gap(exactly, of_trained)
    alone = [row for each in examples[:_ALONE] for row in _taught(writer, [each])]
    gaps["one by one, batched"] = relative_gap(alone, found[:_ALONE])
    gaps["what is written"], differing = 0.0, 0
    for example, ours, theirs in zip(examples, greedy, expected, strict=True):
        if not np.array_equal(ours, theirs):
            differing += 1
            gaps["what is written"] = max(gaps["what is written"], _apart(oracle, example, ours, theirs))
    gaps["beam search, NumPy in float64"] = _searched(writer, oracle, examples[:_AT_ONCE])
    lengths = [len(each.inputs["target"]) for each in examples]
    return Check(len(examples), min(lengths), max(lengths), gaps, differing)


def written_by(writer: Writer, examples: Sequence[Example], *, known: bool = True) -> list[dict[str, Array]]:
    """What it writes greedily, and with ``known`` the log-probabilities of the known targets, and the evidence."""
    given = next(name for name in examples[0].inputs if name != "target")
    rows: list[dict[str, Array]] = []
    for start in range(0, len(examples), _AT_ONCE):
        part = [each.inputs for each in examples[start : start + _AT_ONCE]]
        rows += [{"written": each.tokens} for each in writer.write(part, [len(each[given]) for each in part])]
    if known:
        for row, scores in zip(rows, _taught(writer, examples), strict=True):
            row[SCORES] = scores
        if EVIDENCE in examples[0].outputs:
            for row, evidence in zip(rows, _evidence(writer, examples), strict=True):
                row[EVIDENCE] = evidence
    return rows


def _searched(writer: Writer, oracle: WriterInterpreter, examples: Sequence[Example]) -> float:
    """How far the scores that beam search gives its sequences are from those that the oracle gives the same ones.

    The search moves the states between its hypotheses; the oracle reads each sequence from its beginning. Two searches
    may part at a tie, the scores of one sequence may not.
    """
    given = next(name for name in examples[0].inputs if name != "target")
    steps = np.array([len(each.inputs[given]) for each in examples])
    found = writer.write([each.inputs for each in examples], steps, beam=_BEAM)
    read = [[oracle.begin, *each.tokens.tolist()] for each in found]
    evidence = oracle.read([each.inputs for each in examples]).evidence
    gap = 0.0
    for each, scores, added, most in zip(
        found,
        oracle.taught([each.inputs for each in examples], read),
        [None] * len(examples) if evidence is None else evidence,
        writer.limit[0] * steps + writer.limit[1],
        strict=True,
    ):
        # the end counts where there was room for it
        tokens = [*each.tokens.tolist(), oracle.end][: int(most)]
        score = float(scores[SCORES][np.arange(len(tokens)), tokens].sum())
        if added is not None:  # of each token once
            score += float(added[sorted({*tokens})].sum())
        score /= len(tokens)
        gap = max(gap, abs(each.score - score) / max(abs(score), 1.0))
    return gap


def _taught(writer: Writer, examples: Sequence[Example]) -> list[Array]:
    rows: list[Array] = []
    for start in range(0, len(examples), _AT_ONCE):
        part = [each.inputs for each in examples[start : start + _AT_ONCE]]
        rows += [each[SCORES] for each in writer.taught(part, [each["target"] for each in part])]
    return rows


def _evidence(writer: Writer, examples: Sequence[Example]) -> list[Array]:
    found: list[Array] = []
    for start in range(0, len(examples), _AT_ONCE):
        found += writer.reading([each.inputs for each in examples[start : start + _AT_ONCE]])[EVIDENCE]
    return found


def _apart(oracle: WriterInterpreter, example: Example, ours: Array, theirs: Array) -> float:
    """How far apart the two tokens are where two greedy sequences part: a tie of theirs differs by rounding alone."""
    first, second = ([*each.tolist(), oracle.end] for each in (ours, theirs))
    place = next((t for t, pair in enumerate(zip(first, second, strict=False)) if pair[0] != pair[1]), None)
    if place is None:
        return np.inf
    (found,) = oracle.taught([example.inputs], [[oracle.begin, *first[:place]]])
    scores = found[SCORES][-1]
    return float(abs(scores[first[place]] - scores[second[place]]) / np.abs(scores).max())
