"""From a run folder to a target; targets know the graph, never a kind."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.export.precision import MOST_LOSS, Material
from gatewise.export.to_onnx.runtime import require

if TYPE_CHECKING:
    from gatewise.export.graph import Example, Graph
    from gatewise.export.to_c.export import ExportC
    from gatewise.export.to_onnx.export import Export

__all__ = ["EXAMPLES", "PRECISIONS", "TARGETS", "export_run", "export_run_to_c", "opened"]

TARGETS = ("onnx", "c")
PRECISIONS = {"onnx": ("float32", "fp16", "int8"), "c": ("float32", "int8")}
"""By target; the first one is the default."""
_CALIBRATION = 200
_FIGURE = 3000
_FIGURE_BYTES = 200_000_000
EXAMPLES = 100
"""Test examples with which an export is checked."""


def export_run(run: str | Path, out: str | Path, *, precision: str = "float32", most_loss: float = MOST_LOSS) -> Export:
    """Export a finished run to ONNX, checked on its own test examples.

    Args:
        run: the run folder.
        out: the folder to write.
        precision: of the weights: ``float32``, ``fp16`` or ``int8``.
        most_loss: below ``float32`` the greatest share of the test figure that may be lost.

    Raises:
        ConversionError: onnx or onnxruntime is missing, or the network cannot be expressed, or differs, or loses too
            much.
        RunError: no finished, sound run.
        DataError: its data are not there any more.
        OptionError: the folder holds something else.
    """
    require("onnx", "onnxruntime")
    from gatewise.export.folder import check_folder
    from gatewise.export.to_onnx.export import export_graph

    check_folder(Path(out), "onnx")
    graph, examples, material = opened(run, precision, most_loss)
    return export_graph(graph, examples, out, _about(run), material=material)


def export_run_to_c(
    run: str | Path,
    out: str | Path,
    *,
    name: str = "model",
    most: int | None = None,
    precision: str = "float32",
    most_loss: float = MOST_LOSS,
) -> ExportC:
    """Export a finished run to C, checked on its own test examples where there is a compiler.

    Args:
        run: the run folder.
        out: the folder to write.
        name: of files, functions and types.
        most: greatest number of steps where whole sequences have to be kept.
        precision: ``float32``, or ``int8``: weights in 8 bits, arithmetic in integers.
        most_loss: with ``int8`` the greatest share of the test figure that may be lost.

    Raises:
        ConversionError: the network cannot be expressed, or differs, or loses too much.
        RunError: no finished, sound run.
        DataError: its data are not there any more.
        OptionError: the folder holds something else, or ``name`` is none in C.
    """
    from gatewise.export.to_c.export import check_options, export_graph

    check_options(Path(out), name, most)
    graph, examples, material = opened(run, precision, most_loss)
    return export_graph(graph, examples, out, _about(run), name=name, most=most, material=material)


def opened(run: str | Path, precision: str, most_loss: float) -> tuple[Graph, Sequence[Example], Material | None]:
    """What a run computes, test examples, and what another precision needs."""
    from gatewise.training.run_place import checked_run
    from gatewise.training.trained import load_data, load_run

    _, spec = checked_run(run)
    trained = load_run(run)
    dataset = load_data(run, spec)
    graph, examples = trained.graph(), trained.graph_examples(dataset, EXAMPLES)
    if precision == "float32":
        return graph, examples, None
    training = [each.inputs for each in trained.graph_examples(dataset, _CALIBRATION, "train")]
    size = sum(value.nbytes for each in examples for value in each.outputs.values()) / max(1, len(examples))
    count = min(_FIGURE, max(len(examples), int(_FIGURE_BYTES / max(1.0, size))))
    judged = trained.graph_examples(dataset, count)
    scores = partial(trained.graph_scores, dataset)
    return graph, examples, Material(precision, training, judged, scores, most_loss)


def _about(run: str | Path) -> dict[str, Any]:
    from gatewise.training.run_place import checked_run

    _, spec = checked_run(run)
    return {"run": Path(run).resolve().name, "task": spec.task, "cell": spec.model.cell}
