"""What the trials of a search say beside the settings that they chose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = ["ModelSearch", "SearchAnalysis"]


@dataclass(frozen=True, kw_only=True)
class ModelSearch:
    """The trials of one cell or baseline.

    Attributes:
        name: of the model.
        title: as a reader knows it.
        kind: ``recurrent`` or ``baseline``.
        trials: of each search.
        searches: how many there were: one, or one per seed.
        best: the best validation figure expected of 1, 2, ... trials.
        shares: by setting, the share of the figures' variance that it alone explains (fANOVA); empty: too few trials,
            or nothing varied.
        explained: how well settings predict the figure of a trial that was left out, R²; None: there are no shares.
    """

    name: str
    title: str
    kind: Literal["recurrent", "baseline"]
    trials: int
    searches: int
    best: tuple[float, ...]
    shares: Mapping[str, float] = field(default_factory=dict)
    explained: float | None = None


@dataclass(frozen=True, kw_only=True)
class SearchAnalysis:
    """The trials of a search.

    Attributes:
        metric: figure on the validation part by which was chosen.
        in_order: the curves follow the trials' own order, because later ones depend on earlier ones (tpe); else the
            order is random.
        models: in the record's order.
    """

    metric: str
    in_order: bool
    models: tuple[ModelSearch, ...]
