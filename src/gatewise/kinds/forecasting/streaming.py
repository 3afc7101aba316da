"""A forecaster as values arrive: after every row, a forecast from the last rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from gatewise.errors import ConversionError, DataError, OptionError, did_you_mean
from gatewise.kinds.forecasting.series.records import Series, Windows
from gatewise.nn.streams import each_row_products, runs_row_by_row
from gatewise.training.streaming import Advance, Advanced, Arrived, State, Streaming, numbers_of

if TYPE_CHECKING:
    from gatewise.kinds.forecasting.trained import TrainedForecaster

__all__ = ["ForecastStreaming"]

Array = npt.NDArray[np.float64]


class ForecastStreaming(Streaming):
    """Reads rows; once there are as many as the look-back, each is answered by a forecast.

    A forecaster is trained on windows, each relative to its own last values: a window that moves by a step is another
    sequence, not one step more of the same. So the state is the last rows, and the forecast is the one that `gatewise
    predict` makes of them.

    Args:
        trained: the forecaster.

    Raises:
        ConversionError: it reads columns that a stream does not have: those known for the future, or constant ones.
    """

    unit: ClassVar[str] = "row"
    message: ClassVar[Mapping[str, Any]] = {
        "values": {"type": "array", "description": "rows: lists in the order of the columns, or objects by name"}
    }
    settings_schema: ClassVar[Mapping[str, Any]] = {
        "series": {"type": "string", "description": "which of the series it was trained on; its scale is used"}
    }

    def __init__(self, trained: TrainedForecaster) -> None:
        if trained.covariates.known or trained.covariates.static:
            names = [column.name for column in (*trained.covariates.known, *trained.covariates.static)]
            raise ConversionError(
                "a stream has no columns that are known for the future or constant",
                got=", ".join(names),
                fix="send requests with whole tables, which have them",
            )
        self.trained, self.columns = trained, (*trained.targets, *trained.features)
        self.lookback, self.transform = trained.lookback, trained.data_spec.transform
        self.kept = self.lookback + (0 if self.transform == "value" else 1)
        model = trained.model
        self._batched = model.normalisation in ("none", "last") and runs_row_by_row(model.recurrent)

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Which series it is; where there is one, that."""
        found, names = super().settings(given), list(self.trained.scalings)
        name = found.get("series", names[0] if len(names) == 1 else None)
        if name not in self.trained.scalings:
            shown = ", ".join(map(repr, names[:10])) + (" ..." if len(names) > 10 else "")
            raise OptionError(
                "the stream has to say which series it continues" if name is None else f"there is no series {name!r}",
                expected=f"series: one of {shown}",
                fix=did_you_mean(str(name), names) if name is not None else None,
            )
        return {"series": name}

    def initial(self, settings: Mapping[str, Any]) -> State:
        """No rows."""
        return {"rows": np.zeros((0, len(self.columns)))}

    def arrived(self, message: Mapping[str, Any], rest: str, settings: Mapping[str, Any]) -> Arrived:
        """The rows."""
        rows = numbers_of(message, self.columns)
        targets = rows[:, : len(self.trained.targets)]
        if self.transform == "log-return" and (targets <= 0).any():
            raise DataError("a value is not positive", expected="positive values: the network reads logarithms")
        return Arrived(rows)

    def advance(self, streams: Sequence[Advance]) -> list[Advanced]:
        """Read rows of many streams at once."""
        windows: list[tuple[str, Array]] = []
        states: list[State] = []
        waiting: list[list[int]] = []
        for each in streams:
            before = each.state["rows"]
            rows = np.concatenate([before, np.asarray(each.steps)])
            missing = []
            for end in range(len(before) + 1, len(rows) + 1) if each.every else [len(rows)]:
                missing.append(max(0, self.lookback - end))
                if end >= self.lookback:
                    windows.append((each.settings["series"], rows[max(0, end - self.kept) : end]))
            states.append({"rows": rows[-self.kept :].copy()})
            waiting.append(missing)
        forecasts = iter(self._forecasts(windows))
        return [
            Advanced(state, [{"waiting_for": count} if count else next(forecasts) for count in missing])
            for state, missing in zip(states, waiting, strict=True)
        ]

    def _forecasts(self, windows: Sequence[tuple[str, Array]]) -> list[dict[str, Any]]:
        if self._batched and windows:
            with each_row_products():
                return self._answers(windows)
        return [answer for window in windows for answer in self._answers([window])]

    def _answers(self, windows: Sequence[tuple[str, Array]]) -> list[dict[str, Any]]:
        series, scalings = [], []
        for name, rows in windows:
            end = len(rows)
            series.append(Series(name, np.arange(float(end)), rows, (end, end, end)))
            scalings.append(self.trained.scalings[name])
        places = np.arange(len(series), dtype=np.int64)
        origins = np.array([len(rows) - 1 for _, rows in windows], dtype=np.int64)
        with torch.inference_mode(), np.errstate(over="ignore", invalid="ignore"):
            central, quantiles = self.trained._values(series, Windows(places, origins), scalings)
        if not all(np.isfinite(values).all() for values in (central, *quantiles.values())):
            raise DataError("the forecast is not finite after these values", fix="check their scale")
        answers = []
        for place in range(len(series)):
            answer: dict[str, Any] = {"forecast": self._by_target(central[place])}
            if quantiles:
                found = {f"{level:g}": self._by_target(values[place]) for level, values in quantiles.items()}
                answer["quantiles"] = found
            answers.append(answer)
        return answers

    def _by_target(self, values: Array) -> dict[str, list[float]]:
        return {name: values[:, column].tolist() for column, name in enumerate(self.trained.targets)}
