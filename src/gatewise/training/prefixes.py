"""Every beginning of a sequence through recurrent layers: what a network would know after each step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from gatewise.nn import Recurrent

__all__ = ["STEPS_AT_ONCE", "prefix_summaries"]

STEPS_AT_ONCE = 30_000
"""Steps of a batch, as many as fit into memory with room to spare."""


def prefix_summaries(
    recurrent: Recurrent, embedded: Tensor, summary: Callable[[Tensor, Tensor], Tensor] | None = None
) -> Tensor:
    """The layers' output at the end of every beginning of a sequence.

    Of one direction one pass gives all of them. A backward direction begins at the end, which every beginning has
    elsewhere: then each is read again as a sequence of its own, many at once.

    Args:
        recurrent: the layers, in evaluation mode.
        embedded: (T, 1, I).
        summary: what is made of a batch of outputs (T, B, D*H) with lengths (B,), such as a pooling; None: the output
            at each one's last step.

    Returns:
        (T, F); with one direction and no ``summary`` (T, H).

    Example:
        >>> layers = Recurrent("gru", 2, 3, bidirectional=True).eval()
        >>> x = torch.randn(5, 1, 2)
        >>> bool(torch.allclose(prefix_summaries(layers, x)[2], layers(x[:3])[0][-1, 0], atol=1e-6))
        True
    """
    with torch.inference_mode():
        if summary is None and not recurrent.bidirectional:
            output, _ = recurrent(embedded)
            whole: Tensor = output[:, 0]
            return whole
        take = summary or (lambda output, lengths: output[lengths - 1, torch.arange(len(lengths))])
        steps, found = embedded.shape[0], []
        at_once = max(1, STEPS_AT_ONCE // max(1, steps))
        for start in range(1, steps + 1, at_once):
            lengths = torch.arange(start, min(start + at_once, steps + 1))
            output, _ = recurrent(embedded[: int(lengths[-1])].repeat(1, len(lengths), 1), lengths=lengths)
            found.append(take(output, lengths))
        return torch.cat(found)
