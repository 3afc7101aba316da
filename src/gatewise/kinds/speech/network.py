"""The network: windows of cepstra or log-mel frames, a convolution over frequency, recurrent layers, a head."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.kinds.speech.search import BLANK
from gatewise.nn import Recurrent

__all__ = ["POOLS", "FrequencyConvolution", "Recogniser", "Windows", "pooled"]

_WIDTHS = (7, 5)
POOLS = (3, 2)


class Windows:
    """Cuts frames into windows, each of which is one step of the recurrent layers.

    Step j reads frames ``j * stride`` to ``j * stride + size - 1``; past the end of a recording they are 0, the mean.

    Args:
        size: frames in a window.
        stride: frames from one window to the next; at most ``size``, so that none is skipped.

    Example:
        >>> windows = Windows(3, 2)
        >>> windows.steps(torch.tensor([1, 3, 4, 5])).tolist()
        [1, 1, 2, 2]
        >>> windows(torch.arange(1.0, 5.0)[:, None, None], torch.tensor([4])).squeeze().tolist()
        [[1.0, 2.0, 3.0], [3.0, 4.0, 0.0]]
    """

    def __init__(self, size: int, stride: int) -> None:
        self.size, self.stride = size, stride

    def steps(self, lengths: Tensor) -> Tensor:
        """How many steps there are of so many frames: at least one, and enough to read all."""
        beyond = (lengths - self.size).clamp(min=0)
        return (beyond + self.stride - 1) // self.stride + 1

    def __call__(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Windows (T', B, size, M) of frames (T, B, M); what lies past a row's length is read as 0."""
        real = torch.arange(frames.shape[0], device=frames.device)[:, None] < lengths
        clean = frames.masked_fill(~real[:, :, None], 0)
        steps = int(self.steps(lengths).max())
        lacking = (steps - 1) * self.stride + self.size - frames.shape[0]
        clean = functional.pad(clean, (0, 0, 0, 0, 0, max(0, lacking)))
        return clean.unfold(0, self.size, self.stride)[:steps].permute(0, 1, 3, 2)


class FrequencyConvolution(nn.Module):
    """Two convolutions over the filters of a window, each with a maximum over neighbours.

    Weights shared over frequency and the maxima make up for the resonances of other voices, which lie higher or lower
    (Abdel-Hamid et al., 2014). The frames of a window are the channels, so that no step needs another.

    Args:
        frames: of a window.
        bins: M, filters.
        channels: C.
        dropout: p between the convolutions; whole channels.

    Example:
        >>> layer = FrequencyConvolution(4, 40, 16)
        >>> layer(torch.zeros(5, 2, 4, 40)).shape, layer.width
        (torch.Size([5, 2, 96]), 96)
    """

    def __init__(self, frames: int, bins: int, channels: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.first = nn.Conv1d(frames, channels, _WIDTHS[0], padding=_WIDTHS[0] // 2)
        self.second = nn.Conv1d(channels, channels, _WIDTHS[1], padding=_WIDTHS[1] // 2)
        self.dropout = dropout
        self.width = channels * (bins // POOLS[0] // POOLS[1])

    def forward(self, windows: Tensor) -> Tensor:
        """(T, B, frames, M) to (T, B, width)."""
        steps, batch = windows.shape[:2]
        values = self.first(windows.reshape(steps * batch, *windows.shape[2:]))
        values = functional.max_pool1d(functional.relu(values), POOLS[0])
        values = functional.dropout1d(values, self.dropout, self.training)
        values = functional.max_pool1d(functional.relu(self.second(values)), POOLS[1])
        return values.reshape(steps, batch, -1)


class Recogniser(nn.Module):
    """Frames in; scores of the labels, or of the blank and the units at each step, out.

    ::

        w_j    = frames j * stride .. j * stride + window - 1
        x_j    = convolution(w_j)                          or w_j itself, flat
        h_1..T = recurrent(x_1..T)
        label    W dropout(pool(h_1..T)) + b
        units    log softmax(W dropout(h_j) + b)           CTC (Graves et al., 2006), class 0 its blank

    While training the blank's score is higher by ``blank_penalty``: without it, it is less probable than it was in
    training, and fewer units are deleted, but more inserted (logit adjustment; Menon et al., 2021).

    Args:
        classes: labels, or units and the blank.
        bins: M, features of a frame: cepstra, or filters.
        cell: a registered recurrent cell.
        hidden_size: H of one direction.
        num_layers: L.
        bidirectional: D = 2 directions.
        window: frames of a step.
        stride: frames from one step to the next.
        channels: of the convolution over frequency; 0: none.
        pooling: last, mean, max, mean+max; None: units at each step.
        dropout: p.
        blank_penalty: nats.

    Example:
        >>> network = Recogniser(10, 40, cell="gru", hidden_size=8, pooling="mean").eval()
        >>> network(torch.zeros(30, 2, 40), torch.tensor([30, 17])).shape
        torch.Size([2, 10])
        >>> network = Recogniser(11, 40, cell="gru", hidden_size=8).eval()
        >>> network(torch.zeros(30, 2, 40), torch.tensor([30, 17])).shape
        torch.Size([10, 2, 11])
    """

    def __init__(
        self,
        classes: int,
        bins: int,
        *,
        cell: str = "gru",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        window: int = 3,
        stride: int = 3,
        channels: int = 0,
        pooling: str | None = None,
        dropout: float = 0.3,
        blank_penalty: float = 0.0,
    ) -> None:
        super().__init__()
        self.blank_penalty = blank_penalty
        self.windows = Windows(window, stride)
        self.convolution = FrequencyConvolution(window, bins, channels, dropout / 2) if channels else None
        width = window * bins if self.convolution is None else self.convolution.width
        self.recurrent = Recurrent(
            cell,
            width,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.directions = 2 if bidirectional else 1
        count = 1 if pooling is None else len(pooling.split("+"))
        self.head = nn.Linear(hidden_size * self.directions * count, classes)
        self.pooling, self.dropout = pooling, dropout

    def forward(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """Scores (B, classes), or log p (T', B, classes), of frames (T, B, M) with ``lengths`` (B,)."""
        output, _ = self.recurrent(self.inputs(frames, lengths), lengths=self.windows.steps(lengths))
        if self.pooling is None:
            return self.log_probabilities(output)
        vector = pooled(output, self.windows.steps(lengths), self.pooling, self.directions)
        scores: Tensor = self.head(functional.dropout(vector, self.dropout, self.training))
        return scores

    def inputs(self, frames: Tensor, lengths: Tensor) -> Tensor:
        """What the recurrent layers read, (T', B, I)."""
        return self.front(self.windows(frames, lengths))

    def front(self, windows: Tensor) -> Tensor:
        """One vector of each window: (T', B, window, M) to (T', B, I)."""
        if self.convolution is None:
            return windows.flatten(2)
        found: Tensor = self.convolution(windows)
        return found

    def log_probabilities(self, output: Tensor) -> Tensor:
        """Of the blank and the units at each step, from the recurrent layers' output."""
        scores: Tensor = self.head(functional.dropout(output, self.dropout, self.training))
        if self.training and self.blank_penalty:
            blank = torch.arange(scores.shape[-1], device=scores.device) == BLANK
            scores = scores + self.blank_penalty * blank
        return functional.log_softmax(scores, dim=-1)

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``."""
        reasons = dict.fromkeys(choice.reason for _, choice in self.recurrent.choices)
        return {"implementation": self.recurrent.kernel or "not run yet", "reason": "; ".join(reasons)}


def pooled(output: Tensor, lengths: Tensor, how: str, directions: int = 1) -> Tensor:
    """One vector of each row's steps (T, B, D * H); of both directions ``last`` takes where each ended.

    Example:
        >>> output = torch.tensor([[[1.0]], [[3.0]], [[9.0]]])
        >>> pooled(output, torch.tensor([2]), "last+mean+max").tolist()
        [[3.0, 2.0, 3.0]]
    """
    real = (torch.arange(output.shape[0], device=output.device)[:, None] < lengths)[:, :, None]
    parts = []
    for each in how.split("+"):
        if each == "last":
            last = output[lengths - 1, torch.arange(output.shape[1], device=output.device)]
            half = output.shape[2] // 2
            parts.append(last if directions == 1 else torch.cat([last[:, :half], output[0, :, half:]], dim=1))
        elif each == "mean":
            parts.append(output.masked_fill(~real, 0).sum(dim=0) / lengths[:, None])
        else:
            parts.append(output.masked_fill(~real, -torch.inf).amax(dim=0))
    return torch.cat(parts, dim=1)
