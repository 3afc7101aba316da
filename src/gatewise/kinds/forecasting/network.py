"""The forecasting network: recurrent layers over the past, and three ways to decode the future."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gatewise.errors import OptionError
from gatewise.nn import Recurrent

__all__ = ["Forecaster", "spread_states"]


class Forecaster(nn.Module):
    """Windows of scaled values in, forecasts in the same scale out.

    Axis letters: T look-back, B windows, C columns (K targets first, then F features), H horizon, Q quantiles.

    ::

        direct:     s = recurrent(x_1..T);                 y_(1..H) = W s + b
        recursive:  s = recurrent(x_1..T);                 y_(h+1) = W s + b;  s = recurrent(y_(h+1), s)
        segments:   s = recurrent(relu(E [x_1..w]), ...);  y_segment m = W recurrent(p_m, s) + b

    ``segments`` reads w values as one step, and decodes all segments of the future at once, each from the same state
    and an embedding p_m of its place (SegRNN; Lin et al., 2023). The recursive way feeds forecasts back; the features,
    whose future is unknown, keep their last value.

    Args:
        targets: K.
        features: F.
        lookback: T.
        horizon: H.
        cell: a registered recurrent cell.
        hidden_size: units per layer and direction.
        num_layers: recurrent layers.
        bidirectional: read each window backwards too; not for ``recursive``.
        dropout: p between layers and before the head.
        decoding: ``direct``, ``recursive`` or ``segments``.
        segment_length: w; where it does not divide the look-back, the oldest values are left out.
        normalisation: per window: ``none``, ``last`` (the last value is subtracted) or ``standard`` (mean and deviation
            of the window; Kim et al., 2022); forecasts are scaled back.
        channel_independent: every target is read separately, with the features, by the same weights.
        quantiles: Q quantile forecasts besides the central one.

    Raises:
        OptionError: the look-back is shorter than a segment, or options exclude each other.

    Example:
        >>> model = Forecaster(2, 1, lookback=12, horizon=5, decoding="segments", segment_length=4, hidden_size=8)
        >>> model(torch.zeros(12, 3, 3)).shape
        torch.Size([5, 3, 2, 1])
    """

    def __init__(
        self,
        targets: int,
        features: int,
        *,
        lookback: int,
        horizon: int,
        cell: str = "gru",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.1,
        decoding: str = "direct",
        segment_length: int = 48,
        normalisation: str = "last",
        channel_independent: bool = False,
        quantiles: int = 0,
    ) -> None:
        super().__init__()
        if decoding == "segments" and lookback < segment_length:
            raise OptionError(
                "the look-back is shorter than a segment",
                expected=f"--lookback of at least {segment_length}, or a smaller --segment-length",
                got=f"{lookback}",
            )
        if decoding == "recursive" and bidirectional:
            raise OptionError("recursive forecasts only go forward", fix="omit --bidirectional")
        self.targets, self.features, self.lookback, self.horizon = targets, features, lookback, horizon
        self.decoding, self.normalisation, self.channel_independent = decoding, normalisation, channel_independent
        self.written = 1 + quantiles
        self.alone = 1 if channel_independent else targets
        self.segment = segment_length if decoding == "segments" else 1
        read = self.alone + features
        self.recurrent = Recurrent(
            cell,
            hidden_size if decoding == "segments" else read,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(dropout)
        width = hidden_size * (2 if bidirectional else 1)
        self.head = nn.Linear(width, self._steps_of_head() * self.alone * self.written)
        if decoding == "segments":
            self.read_segment = nn.Linear(segment_length * read, hidden_size)
            channels = hidden_size // 2 if channel_independent and targets > 1 else 0
            self.place = nn.Parameter(torch.randn(-(-horizon // segment_length), hidden_size - channels))
            self.channel = nn.Parameter(torch.randn(targets, channels))

    def _steps_of_head(self) -> int:
        return {"direct": self.horizon, "recursive": 1}.get(self.decoding, self.segment)

    def forward(self, past: Tensor) -> Tensor:
        """Forecast.

        Args:
            past: (T, B, C) scaled values, the last known step last.

        Returns:
            (H, B, K, 1 + Q): the central forecast, then the quantiles.
        """
        windows, level, scale = self._normalised(self._apart(past))
        if self.decoding == "direct":
            found = self._direct(windows)
        elif self.decoding == "recursive":
            found = self._recursive(windows)
        else:
            found = self._segments(windows)
        restored = found * scale[..., None] + level[..., None]
        batch = past.shape[1]
        return restored.reshape(self.horizon, batch, self.targets, self.written)

    def encoded(self, past: Tensor) -> Tensor:
        """What the recurrent layers read of (T, B, C) windows: (steps, sequences, I)."""
        windows, _, _ = self._normalised(self._apart(past))
        return self._read_segments(windows) if self.decoding == "segments" else windows

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``."""
        reasons = dict.fromkeys(choice.reason for _, choice in self.recurrent.choices)
        return {"implementation": self.recurrent.kernel or "not run yet", "reason": "; ".join(reasons)}

    def _apart(self, past: Tensor) -> Tensor:
        """Every target as a sequence of its own, where channels are independent: (T, B*K, 1 + F)."""
        if not self.channel_independent or self.targets == 1:
            return past
        steps, batch, _ = past.shape
        alone = past[:, :, : self.targets].reshape(steps, batch * self.targets, 1)
        if not self.features:
            return alone
        features = past[:, :, self.targets :].repeat_interleave(self.targets, dim=1)
        return torch.cat([alone, features], dim=2)

    def _normalised(self, past: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Windows without their own level and scale, and both of the targets: (1, sequences, K or 1)."""
        level = past.new_zeros(1, 1, past.shape[2])
        scale = torch.ones_like(level)
        if self.normalisation == "last":
            level = past[-1:]
        elif self.normalisation == "standard":
            level = past.mean(dim=0, keepdim=True)
            scale = (past.var(dim=0, unbiased=False, keepdim=True) + 1e-5).sqrt()
        windows = past if self.normalisation == "none" else (past - level) / scale
        return windows, level[:, :, : self.alone], scale[:, :, : self.alone]

    def _direct(self, windows: Tensor) -> Tensor:
        output, _ = self.recurrent(windows)
        summary = output[-1] if not self.recurrent.bidirectional else _last_of_both(output)
        written: Tensor = self.head(self.dropout(summary))
        return written.view(-1, self.horizon, self.alone, self.written).transpose(0, 1)

    def _recursive(self, windows: Tensor) -> Tensor:
        output, state = self.recurrent(windows)
        features = windows[-1:, :, self.alone :]
        steps: list[Tensor] = []
        while True:
            written = self.head(self.dropout(output[-1])).view(1, -1, self.alone, self.written)
            steps.append(written)
            if len(steps) == self.horizon:
                return torch.cat(steps)
            output, state = self.recurrent(torch.cat([written[..., 0], features], dim=2), state)

    def _read_segments(self, windows: Tensor) -> Tensor:
        count = self.lookback // self.segment
        recent = windows[-count * self.segment :]
        cut = recent.view(count, self.segment, *recent.shape[1:]).transpose(1, 2)
        return torch.relu(self.read_segment(cut.reshape(count, recent.shape[1], -1)))

    def _segments(self, windows: Tensor) -> Tensor:
        _, state = self.recurrent(self._read_segments(windows))
        sequences, places = windows.shape[1], self.place.shape[0]
        asked = self.place[:, None].expand(places, sequences, -1)
        if self.channel.shape[1]:
            channel = self.channel.repeat(sequences // self.targets, 1)
            asked = torch.cat([asked, channel.expand(places, -1, -1)], dim=2)
        output, _ = self.recurrent(asked.reshape(1, places * sequences, -1), spread_states(state, places))
        written: Tensor = self.head(self.dropout(output[0]))
        written = written.view(places, sequences, self.segment, self.alone, self.written)
        whole = written.transpose(1, 2).reshape(places * self.segment, sequences, self.alone, self.written)
        return whole[: self.horizon]


def _last_of_both(output: Tensor) -> Tensor:
    """The last state of each direction: the backward one ends at the first step."""
    half = output.shape[2] // 2
    return torch.cat([output[-1, :, :half], output[0, :, half:]], dim=1)


def spread_states(state: Any, times: int) -> Any:
    """Repeat a state (L*D, B, H), or a tuple of them, along the batch: (L*D, times * B, H).

    Example:
        >>> spread_states(torch.zeros(1, 2, 3), 4).shape
        torch.Size([1, 8, 3])
    """
    if isinstance(state, Tensor):
        return state.repeat(1, times, 1)
    parts: Sequence[Any] = state
    return tuple(spread_states(part, times) for part in parts)
