"""Takes trained networks out of Gatewise: one description of what they compute, many targets.

`graph` holds the description, `to_onnx` the target ONNX. Importing this module imports neither torch nor onnx.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatewise.export.to_onnx.export import Export
    from gatewise.nn import Recurrent

__all__ = ["onnx"]


def onnx(layer: Recurrent, out: str | Path) -> Export:
    """Export a recurrent layer of `gatewise.nn` to ONNX, checked in onnxruntime before it is handed out.

    Writes ``model.onnx`` for whole sequences, inputs ``x`` (B, T, I) and ``lengths`` (B,), output ``output``
    (B, T, D*H), 0 past each sequence's end; ``step.onnx`` for layers of one direction, with every state as input and
    ``<state>_next`` as output; and ``export.json``. The layer is exported as it computes in evaluation.

    Args:
        layer: any layer, with any option, of any registered cell.
        out: the folder to write; a new one, an empty one or that of an earlier export.

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

    return export_layer(layer, out)
