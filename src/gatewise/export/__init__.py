"""Takes trained networks out of Gatewise: one description of what they compute, many targets.

`graph` holds the description, `to_onnx` and `to_c` the targets ONNX and C. Importing this module imports neither torch
nor onnx.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewise.export.to_c.export import ExportC
    from gatewise.export.to_onnx.export import Export
    from gatewise.nn import Recurrent

__all__ = ["c", "onnx"]


def onnx(layer: Recurrent, out: str | Path, *, precision: str = "float32") -> Export:
    """Export a recurrent layer of `gatewise.nn` to ONNX, checked in onnxruntime before it is handed out.

    Writes ``model.onnx`` for whole sequences, inputs ``x`` (B, T, I) and ``lengths`` (B,), output ``output``
    (B, T, D*H), 0 past each sequence's end; ``step.onnx`` for layers of one direction, with every state as input and
    ``<state>_next`` as output; and ``export.json``. The layer is exported as it computes in evaluation.

    Args:
        layer: any layer, with any option, of any registered cell.
        out: the folder to write; a new one, an empty one or that of an earlier export.
        precision: of the weights: ``float32``, ``fp16``, or ``int8`` with a scale per row; it computes in float32.

    Raises:
        ConversionError: a cell of your own does something that is no product or elementwise operation; onnx or
            onnxruntime is not installed; the model differs by more than 1e-5, in which case nothing is written.
        OptionError: not a layer, or the folder holds something else.

    Example:
        >>> import tempfile
        >>> from gatewise.nn import GRU
        >>> folder = tempfile.TemporaryDirectory()
        >>> made = onnx(GRU(4, 8, reset="before"), folder.name)
        >>> sorted(made.files), dict(made.operators), made.check.greatest < 1e-5
        (['model.onnx', 'step.onnx'], {'GRU': 1}, True)
        >>> folder.cleanup()
    """
    from gatewise.export.to_onnx.runtime import require

    require("onnx", "onnxruntime")
    from gatewise.export.layers import export_layer

    return export_layer(layer, out, precision=precision)


def c(
    layer: Recurrent,
    out: str | Path,
    *,
    name: str = "model",
    max_steps: int | None = None,
    precision: str = "float32",
    calibration: Sequence[Any] | None = None,
) -> ExportC:
    """Export a recurrent layer of `gatewise.nn` to C99, compiled here and compared with the layer where a compiler is.

    Writes ``<name>.c`` and ``<name>.h``, without allocation and with no library but ``<math.h>``: ``<name>_run`` for
    whole sequences, ``<name>_step`` for layers of one direction; and ``export.json``. The layer is exported as it
    computes in evaluation.

    Args:
        layer: any layer, with any option, of any registered cell.
        out: the folder to write; a new one, an empty one or that of an earlier export to C.
        name: of files, functions and types.
        max_steps: greatest number of steps of a whole sequence for layers of both directions, 256 if not given.
        precision: ``float32``, or ``int8``: weights in 8 bits with a scale per row, states and arithmetic in integers
            of 16 bits, which are the same bits on every machine.
        calibration: with ``int8`` real sequences (T, I), by which the ranges of all values are measured; if not given
            some are drawn from a standard normal distribution.

    Raises:
        ConversionError: a cell of your own does something that is no product or elementwise operation; the program
            differs from the layer by more than 1e-5, in which case nothing is written.
        OptionError: not a layer, ``name`` is none in C, or the folder holds something else.

    Example:
        >>> import tempfile
        >>> from gatewise.nn import GRU
        >>> folder = tempfile.TemporaryDirectory()
        >>> made = c(GRU(4, 8, reset="before"), folder.name, name="gate")
        >>> sorted(made.files), made.figures["multiply_adds_per_step"], made.figures["memory_bytes"]
        (['gate.c', 'gate.h'], 288, 288)
        >>> folder.cleanup()
    """
    from gatewise.export.layers import export_layer_to_c

    return export_layer_to_c(layer, out, name=name, most=max_steps, precision=precision, calibration=calibration)
