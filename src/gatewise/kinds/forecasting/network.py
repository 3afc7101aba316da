"""The forecasting network: recurrent layers over the past, and three ways to decode the future."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gatewise.errors import OptionError
from gatewise.nn import Recurrent

__all__ = ["SCALED", "Forecaster", "spread_states"]

SCALED = ("standard", "last-scaled")
"""The normalisations that divide by the window's deviation."""
# in deviations of the training part
_LEAST_DEVIATION = 0.1


class Forecaster(nn.Module):
    """Windows of scaled values in, forecasts in the same scale out.

    Axis letters: T look-back, B windows, C columns (K targets first, then F features, N columns x that are known for
    the future too, S constant ones), H horizon, Q quantiles.

    ::

        direct:     s = recurrent(x_1..T);                 y_(1..H) = W s + b
        recursive:  s = recurrent(x_1..T);                 y_(h+1) = W s + b;  s = recurrent(y_(h+1), s)
        segments:   s = recurrent(relu(E [x_1..w]), ...);  y_segment m = W recurrent(p_m, s) + b

    ``segments`` reads w values as one step, and decodes all segments of the future at once, each from the same state
    and an embedding p_m of its place (SegRNN; Lin et al., 2023). The recursive way feeds forecasts back; the features,
    whose future is unknown, keep their last value.

    Where columns k are known for the future too::

        direct:     r_(1..H) = recurrent'(k_(T+1)..k_(T+H), s);  y_h += V r_h   (encoder and decoder: Cho et al., 2014)
        recursive:  x_t holds k_(t+1), that of the step to forecast             (DeepAR; Salinas et al., 2020)
        segments:   p_m + U [k of segment m] in place of p_m

    Known columns with numbers are read relative to the window, in the past and the future alike; those with zeros and
    ones, and constant ones, as they are scaled.

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
        normalisation: per window: ``none``, ``last`` (the last value is subtracted), ``standard`` (mean and deviation
            of the window; Kim et al., 2022) or ``last-scaled`` (last value and deviation); forecasts are scaled back.
        channel_independent: every target is read separately, with the features, by the same weights.
        shortcut: a linear map of each target's window, the same for all targets, is added to its forecast (LSTNet's
            autoregressive part; Lai et al., 2018); it starts from zero. Not for ``recursive``.
        quantiles: Q quantile forecasts besides the central one.
        known: N.
        static: S.
        relative: of the known columns, which are normalised by the window; empty: none.
        known_normalisation: of those, as ``normalisation``, which is meant by None. A deviation counts at least a
            tenth of the scale, so that a change after a constant window stays small.

    Raises:
        OptionError: the look-back is shorter than a segment, or options exclude each other.

    Example:
        >>> model = Forecaster(2, 1, lookback=12, horizon=5, decoding="segments", segment_length=4, hidden_size=8)
        >>> model(torch.zeros(12, 3, 3)).shape
        torch.Size([5, 3, 2, 1])
    """

    _relative: Tensor

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
        known: int = 0,
        static: int = 0,
        relative: Sequence[bool] = (),
        known_normalisation: str | None = None,
        shortcut: bool = False,
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
        if decoding == "recursive" and shortcut:
            raise OptionError("recursive forecasts are fed back without a shortcut", fix="omit --shortcut")
        self.targets, self.features, self.lookback, self.horizon = targets, features, lookback, horizon
        self.known, self.static = known, static
        self.known_normalisation = (known_normalisation or normalisation) if any(relative) else "none"
        self.register_buffer("_relative", torch.tensor(relative, dtype=torch.bool), persistent=False)
        self.decoding, self.normalisation, self.channel_independent = decoding, normalisation, channel_independent
        self.written = 1 + quantiles
        self.alone = 1 if channel_independent else targets
        self.segment = segment_length if decoding == "segments" else 1
        read = self.alone + features + known + static
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
        if known and decoding == "segments":
            self.read_known = nn.Linear(segment_length * known, hidden_size)
        elif known and decoding == "direct":
            self.decoder = Recurrent(
                cell,
                known,
                hidden_size,
                num_layers=num_layers,
                bidirectional=bidirectional,
                dropout=dropout if num_layers > 1 else 0.0,
            )
            self.decoded = nn.Linear(width, self.alone * self.written, bias=False)
        self.shortcut = nn.Linear(lookback, horizon) if shortcut else None
        if self.shortcut is not None:
            nn.init.zeros_(self.shortcut.weight)
            nn.init.zeros_(self.shortcut.bias)

    def _steps_of_head(self) -> int:
        return {"direct": self.horizon, "recursive": 1}.get(self.decoding, self.segment)

    def forward(self, past: Tensor, ahead: Tensor | None = None) -> Tensor:
        """Forecast.

        Args:
            past: (T, B, C) scaled values, the last known step last.
            ahead: (H, B, N) scaled values of the known columns at the steps to forecast; None where N is 0.

        Returns:
            (H, B, K, 1 + Q): the central forecast, then the quantiles.
        """
        windows, level, scale, future = self._read(past, ahead)
        if self.decoding == "direct":
            found = self._direct(windows, future)
        elif self.decoding == "recursive":
            found = self._recursive(windows, future)
        else:
            found = self._segments(windows, future)
        restored = found * scale[..., None] + level[..., None]
        batch = past.shape[1]
        return restored.reshape(self.horizon, batch, self.targets, self.written)

    def encoded(self, past: Tensor, ahead: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """What the recurrent layers read of (T, B, C) windows: (steps, sequences, I), and ahead: (H, sequences, N)."""
        windows, _, _, future = self._read(past, ahead)
        if self.decoding == "recursive":
            return self._shifted(windows, future), future
        return (self._read_segments(windows) if self.decoding == "segments" else windows), future

    def _read(self, past: Tensor, ahead: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Normalised windows with their level and scale, and the known columns of the future, one per sequence."""
        if (ahead is None) != (self.known == 0):
            raise OptionError(
                "the known columns of the future do not fit the network",
                expected=f"{self.known} known columns",
                got="none" if ahead is None else f"{ahead.shape[2]}",
            )
        if ahead is not None and self.channel_independent and self.targets > 1:
            ahead = ahead.repeat_interleave(self.targets, dim=1)
        return self._normalised(self._apart(past), ahead)

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
        if past.shape[2] == self.targets:
            return alone
        features = past[:, :, self.targets :].repeat_interleave(self.targets, dim=1)
        return torch.cat([alone, features], dim=2)

    def _normalised(self, past: Tensor, ahead: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
        """Windows without their own level and scale, both of the targets: (1, sequences, K or 1), and the future."""
        fixed = past[:, :, self.alone + self.features :]
        past = past[:, :, : self.alone + self.features]
        level = past.new_zeros(1, 1, past.shape[2])
        scale = torch.ones_like(level)
        if self.normalisation != "none":
            level = past.mean(dim=0, keepdim=True) if self.normalisation == "standard" else past[-1:]
        if self.normalisation in SCALED:
            scale = (past.var(dim=0, unbiased=False, keepdim=True) + 1e-5).sqrt()
        windows = past if self.normalisation == "none" else (past - level) / scale
        if ahead is not None and self.known_normalisation != "none":
            known, ahead = self._normalised_known(fixed[:, :, : self.known], ahead)
            fixed = torch.cat([known, fixed[:, :, self.known :]], dim=2)
        if fixed.shape[2]:
            windows = torch.cat([windows, fixed], dim=2)
        return windows, level[:, :, : self.alone], scale[:, :, : self.alone], ahead

    def _normalised_known(self, past: Tensor, ahead: Tensor) -> tuple[Tensor, Tensor]:
        """Known columns of past and future without the window's level and scale; zeros and ones as they are."""
        level = past.mean(dim=0, keepdim=True) if self.known_normalisation == "standard" else past[-1:]
        scale = torch.ones_like(level)
        if self.known_normalisation in SCALED:
            scale = past.std(dim=0, unbiased=False, keepdim=True).clamp(min=_LEAST_DEVIATION)
        level = torch.where(self._relative, level, torch.zeros_like(level))
        scale = torch.where(self._relative, scale, torch.ones_like(scale))
        return (past - level) / scale, (ahead - level) / scale

    def _direct(self, windows: Tensor, future: Tensor | None) -> Tensor:
        output, state = self.recurrent(windows)
        summary = output[-1] if not self.recurrent.bidirectional else _last_of_both(output)
        head: Tensor = self.head(self.dropout(summary))
        written = self._with_shortcut(head.view(-1, self.horizon, self.alone, self.written).transpose(0, 1), windows)
        if future is None:
            return written
        read, _ = self.decoder(future, state)
        more: Tensor = self.decoded(self.dropout(read))
        return written + more.view(self.horizon, -1, self.alone, self.written)

    def _shifted(self, windows: Tensor, future: Tensor | None) -> Tensor:
        """Windows in which the known columns are those of the step that follows, as far as it is known."""
        if future is None:
            return windows
        start = self.alone + self.features
        end = start + self.known
        following = torch.cat([windows[1:, :, start:end], future[:1]])
        return torch.cat([windows[:, :, :start], following, windows[:, :, end:]], dim=2)

    def _recursive(self, windows: Tensor, future: Tensor | None) -> Tensor:
        output, state = self.recurrent(self._shifted(windows, future))
        start = self.alone + self.features
        features, static = windows[-1:, :, self.alone : start], windows[-1:, :, start + self.known :]
        steps: list[Tensor] = []
        while True:
            written = self.head(self.dropout(output[-1])).view(1, -1, self.alone, self.written)
            steps.append(written)
            if len(steps) == self.horizon:
                return torch.cat(steps)
            known = [] if future is None else [future[len(steps) : len(steps) + 1]]
            output, state = self.recurrent(torch.cat([written[..., 0], features, *known, static], dim=2), state)

    def _read_segments(self, windows: Tensor) -> Tensor:
        count = self.lookback // self.segment
        recent = windows[-count * self.segment :]
        cut = recent.view(count, self.segment, *recent.shape[1:]).transpose(1, 2)
        return torch.relu(self.read_segment(cut.reshape(count, recent.shape[1], -1)))

    def _segments(self, windows: Tensor, future: Tensor | None) -> Tensor:
        _, state = self.recurrent(self._read_segments(windows))
        sequences, places = windows.shape[1], self.place.shape[0]
        asked = self.place[:, None].expand(places, sequences, -1)
        if self.channel.shape[1]:
            channel = self.channel.repeat(sequences // self.targets, 1)
            asked = torch.cat([asked, channel.expand(places, -1, -1)], dim=2)
        if future is not None:
            # what lies beyond the horizon is not known: zero, the level of the window or the mean
            beyond = future.new_zeros(places * self.segment - self.horizon, *future.shape[1:])
            cut = torch.cat([future, beyond]).view(places, self.segment, sequences, self.known).transpose(1, 2)
            asked = asked + self.read_known(cut.reshape(places, sequences, -1))
        output, _ = self.recurrent(asked.reshape(1, places * sequences, -1), spread_states(state, places))
        written: Tensor = self.head(self.dropout(output[0]))
        written = written.view(places, sequences, self.segment, self.alone, self.written)
        whole = written.transpose(1, 2).reshape(places * self.segment, sequences, self.alone, self.written)
        return self._with_shortcut(whole[: self.horizon], windows)

    def _with_shortcut(self, written: Tensor, windows: Tensor) -> Tensor:
        """Forecasts (H, B, alone, 1 + Q), of the central value and quantiles alike, plus the map of the windows."""
        if self.shortcut is None:
            return written
        mapped: Tensor = self.shortcut(windows[..., : self.alone].movedim(0, -1))
        return written + mapped.movedim(-1, 0)[..., None]


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
