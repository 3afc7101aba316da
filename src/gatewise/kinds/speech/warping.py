"""Dynamic time warping to templates (Sakoe and Chiba, 1978), all templates of a recording at once. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from gatewise.kinds.speech.features import Frames

__all__ = ["TemplateModel", "warped_distances"]

_STRIDE = 2
Numbers = npt.NDArray[np.int64]


def warped_distances(frames: Frames, templates: Frames, lengths: Numbers) -> npt.NDArray[np.float32]:
    r"""The cost of the best alignment of frames with each template, per step of both.

    .. math:: D_{ts} = d(x_t, y_s) + \min(D_{t-1,s}, D_{t,s-1}, D_{t-1,s-1} + d(x_t, y_s)), \quad D_{TS} / (T + S)

    with Euclidean distances d; a diagonal step counts twice (the symmetric form). Computed along anti-diagonals.

    Args:
        frames: (T, M).
        templates: (R, S, M), padded.
        lengths: (R,) frames of each.

    Returns:
        (R,).

    Example:
        >>> line = np.arange(4, dtype=np.float32)[:, None]
        >>> warped_distances(line, np.repeat(line, 2, axis=0)[None], np.array([8])).tolist()
        [0.0]
    """
    steps, (count, size, _) = len(frames), templates.shape
    squares = (templates**2).sum(axis=2)[:, None] + (frames**2).sum(axis=1)[None, :, None]
    costs = np.sqrt(np.maximum(squares - 2 * np.einsum("tm,rsm->rts", frames, templates, optimize=True), 0))
    never = np.float32(np.inf)
    # column t of each diagonal array stands for D[t, diagonal - t]
    before = np.full((count, steps), never, dtype=np.float32)
    last = before.copy()
    ends = np.empty(count, dtype=np.float32)
    rows = np.arange(steps)
    for diagonal in range(steps + size - 1):
        column = diagonal - rows
        inside = (column >= 0) & (column < size)
        cost = np.where(inside, costs[:, rows, np.clip(column, 0, size - 1)], never)
        if diagonal == 0:
            best = np.where(rows == 0, cost, never)
            best = np.broadcast_to(best, cost.shape)
        else:
            above = np.concatenate([np.full((count, 1), never, dtype=np.float32), last[:, :-1]], axis=1)
            corner = np.concatenate([np.full((count, 1), never, dtype=np.float32), before[:, :-1]], axis=1)
            best = cost + np.minimum(np.minimum(above, last), corner + cost)
        before, last = last, best.astype(np.float32)
        done = lengths - 1 + steps - 1 == diagonal
        ends[done] = last[done, steps - 1]
    found: npt.NDArray[np.float32] = (ends / (steps + lengths)).astype(np.float32)
    return found


class TemplateModel:
    """The text of the nearest templates among the training recordings.

    Args:
        templates: of each text, at most; evenly from the training part.
        neighbours: how many of the nearest vote.
    """

    def __init__(self, templates: int = 30, neighbours: int = 3) -> None:
        self.templates, self.neighbours = templates, neighbours

    def fit(self, frames: Sequence[Frames], texts: Sequence[str]) -> TemplateModel:
        """Choose the templates among normalised frames (T, M)."""
        chosen: list[int] = []
        for text in sorted(set(texts)):
            rows = [row for row, each in enumerate(texts) if each == text]
            places = np.unique(np.linspace(0, len(rows) - 1, min(self.templates, len(rows))).round().astype(int))
            chosen += [rows[place] for place in places]
        kept = [frames[row][::_STRIDE] for row in chosen]
        self._lengths = np.array([len(each) for each in kept], dtype=np.int64)
        self._values = np.zeros((len(kept), int(self._lengths.max()), kept[0].shape[1]), dtype=np.float32)
        for row, each in enumerate(kept):
            self._values[row, : len(each)] = each
        self._texts: list[str] = [texts[row] for row in chosen]
        return self

    @property
    def parameters(self) -> int:
        """Numbers of all templates."""
        return int(self._lengths.sum() * self._values.shape[2])

    def predict(self, frames: Sequence[Frames]) -> list[str]:
        """The text of each recording."""
        return [self._nearest(each[::_STRIDE]) for each in frames]

    def _nearest(self, frames: Frames) -> str:
        distances = warped_distances(frames, self._values, self._lengths)
        order = np.argsort(distances, kind="stable")[: self.neighbours]
        votes = Counter(self._texts[row] for row in order)
        most = max(votes.values())
        winner: str = next(self._texts[row] for row in order if votes[self._texts[row]] == most)
        return winner
