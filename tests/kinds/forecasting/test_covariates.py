"""Columns that are known for the future, and constant ones: what is read of them, what is not, and that they help."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from commands import exit_code
from gatewise import Forecaster as Estimator
from gatewise import load_run
from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.kinds.forecasting import report
from gatewise.kinds.forecasting.baseline_models import RidgeOnWindow
from gatewise.kinds.forecasting.kind import ForecastingKind
from gatewise.kinds.forecasting.network import Forecaster
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.scaling import fit_scaling
from gatewise.kinds.forecasting.spec import SeriesSpec
from gatewise.kinds.forecasting.windows import ScaledSeries
from gatewise.nn import Recurrent

SMALL = {"horizon": 3, "lookback": 6, "hidden_size": 4, "epochs": 1, "threads": 1, "batch_size": 16}
FLAGS = ["--horizon", "3", "--lookback", "6", "--hidden", "4", "--epochs", "1", "--threads", "1"]
DECODINGS = ("direct", "recursive", "segments")


def shops(rows: int = 60, ahead: int = 3) -> pd.DataFrame:
    """Sales of two shops that a promotion raises by 3; the last rows have no sales yet."""
    found = []
    for number, (name, city, area) in enumerate((("a", "Bonn", 100.0), ("b", "Kiel", 300.0))):
        generator = np.random.default_rng(number)
        promotion = generator.integers(0, 2, rows + ahead)
        sales = 10.0 * (number + 1) + 3.0 * promotion + 0.1 * generator.normal(size=rows + ahead)
        sales[rows:] = np.nan
        columns = {"day": pd.date_range("2026-01-01", periods=rows + ahead), "shop": name, "city": city, "area": area}
        found.append(pd.DataFrame({**columns, "promotion": promotion, "sales": sales}))
    return pd.concat(found, ignore_index=True)


def load(path: Path, **settings: Any) -> Any:
    given = {"target": "sales", "group": "shop", "time": "day", "horizon": 3, "lookback": 6}
    return load_series(path, **{**given, **settings})


def written(folder: Path, frame: pd.DataFrame) -> Path:
    frame.to_csv(folder / "sales.csv", index=False)
    return folder / "sales.csv"


@pytest.mark.parametrize("decoding", DECODINGS)
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "mingru", "minlstm"])
@pytest.mark.parametrize("independent", [False, True])
def test_every_step_reads_what_is_known_of_it(decoding: str, cell: str, independent: bool) -> None:
    torch.manual_seed(0)
    model = Forecaster(
        2, 1, lookback=8, horizon=6, cell=cell, hidden_size=6, decoding=decoding, segment_length=3, known=2, static=1,
        channel_independent=independent, quantiles=1,
    ).eval()  # fmt: skip
    past, ahead = torch.randn(8, 3, 2 + 1 + 2 + 1), torch.randn(6, 3, 2)
    found = model(past, ahead)
    assert found.shape == (6, 3, 2, 2)
    for step in range(6):
        moved = ahead.clone()
        moved[step, 1] += 1.0
        change = (model(past, moved) - found).abs().amax(dim=(2, 3))
        # no other window; this step; in one direction of time nothing before it, in segments nothing outside its own
        assert change[:, [0, 2]].max() == 0 and change[step, 1] > 1e-6
        untouched = slice(0, step) if decoding != "segments" else slice(0, step - step % 3)
        assert change[untouched, 1].sum() == 0
    moved = past.clone()
    moved[:, 1, -1] += 1.0
    assert (model(moved, ahead) - found).abs()[:, 1].min() > 0


@pytest.mark.parametrize("decoding", DECODINGS)
def test_gradients_reach_every_weight_and_both_directions_read_ahead(decoding: str) -> None:
    torch.manual_seed(0)
    model = Forecaster(1, 0, lookback=8, horizon=5, hidden_size=4, decoding=decoding, segment_length=4, known=1)
    model(torch.randn(8, 3, 2), torch.randn(5, 3, 1)).square().sum().backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in model.parameters() if each.numel())
    if decoding == "direct":
        both = Forecaster(1, 0, lookback=8, horizon=5, hidden_size=4, bidirectional=True, known=1).eval()
        past, ahead = torch.randn(8, 1, 2), torch.randn(5, 1, 1)
        moved = ahead.clone()
        moved[4] += 1.0
        assert (both(past, moved) - both(past, ahead))[0].abs().max() > 1e-6


def test_recursive_reads_the_values_of_the_step_that_it_forecasts() -> None:
    torch.manual_seed(0)
    model = Forecaster(
        1, 1, lookback=6, horizon=3, hidden_size=5, decoding="recursive", normalisation="none", known=1, static=1
    ).eval()
    past, ahead = torch.randn(6, 2, 4), torch.randn(3, 2, 1)
    past[:, :, 3] = past[0, :, 3]
    found = model(past, ahead)
    known = torch.cat([past[:, :, 2:3], ahead])
    grown = past[:, :, :2]
    for step in range(3):
        inputs = torch.cat([grown, known[1 : len(grown) + 1], past[:1, :, 3:].expand(len(grown), -1, -1)], dim=2)
        output, _ = model.recurrent(inputs)
        following = model.head(output[-1])
        torch.testing.assert_close(following, found[step, :, 0], rtol=0, atol=1e-5)
        grown = torch.cat([grown, torch.cat([following, past[-1, :, 1:2]], dim=1)[None]])


def test_direct_by_hand() -> None:
    torch.manual_seed(0)
    model = Forecaster(1, 0, lookback=6, horizon=3, cell="lstm", hidden_size=5, known=2).eval()
    past, ahead = torch.randn(6, 2, 3), torch.randn(3, 2, 2)
    windows = torch.cat([past[:, :, :1] - past[-1:, :, :1], past[:, :, 1:]], dim=2)
    output, state = model.recurrent(windows)
    read, _ = model.decoder(ahead, state)
    expected = model.head(output[-1]).T + model.decoded(read)[:, :, 0] + past[-1, :, 0]
    torch.testing.assert_close(model(past, ahead)[:, :, 0, 0], expected, rtol=0, atol=1e-6)
    with pytest.raises(OptionError, match="do not fit the network"):
        model(past)


@pytest.mark.parametrize("decoding", DECODINGS)
@pytest.mark.parametrize("transform", ["value", "difference"])
def test_nothing_else_of_the_future_is_read(tmp_path: Path, decoding: str, transform: str) -> None:
    frame = shops().assign(visitors=np.arange(126.0))
    fixed = {"features": "visitors", "known": "promotion", "static": "city,area", "group": "shop", "time": "day"}
    options = {**SMALL, **fixed, "target": "sales", "decoding": decoding, "segment_length": 3, "transform": transform}
    model = Estimator(**options).fit(frame)
    forecast = model.predict()
    future = frame["sales"].isna()
    other = frame.copy()
    other.loc[future, "visitors"] = [-1e6, np.nan, 1e9] * 2
    pd.testing.assert_frame_equal(model.predict(frame=other), forecast)
    # the same of rows that have targets, in the middle of a file: a window reads its own past and the known columns
    dataset = load(written(tmp_path, frame.dropna()), **{**fixed, "decimal": "."})
    windows = dataset.windows("validation")
    found = model._trained._values(dataset.series, windows)[0]
    origin = int(windows.origins[0])
    for column, changes in ((0, False), (1, False), (2, True)):
        moved = load(tmp_path / "sales.csv", **fixed)
        moved.series[0].values[origin + 1 :, column] = 1.0 - moved.series[0].values[origin + 1 :, column]
        again = model._trained._values(moved.series, windows)[0]
        assert (not np.array_equal(again[0], found[0])) == changes
    other.loc[future, "promotion"] = 1 - other.loc[future, "promotion"]
    assert not np.allclose(model.predict(frame=other), forecast)


def test_scalings_and_ridge_read_no_later_rows(tmp_path: Path) -> None:
    frame = shops().dropna()
    frame["price"] = np.random.default_rng(0).normal(5.0, 1.0, len(frame))
    dataset = load(written(tmp_path, frame), known="promotion,price", static="city,area")
    assert dataset.covariates.known_names == ("promotion", "price")
    assert dataset.covariates.static_names == ("city=Bonn", "city=Kiel", "area")
    np.testing.assert_allclose([each.static for each in dataset.series], [[1, 0, -1], [0, 1, 1]])
    scaling = fit_scaling(dataset.series[0], 1, "value")
    # zeros and ones stay as they are; other numbers by the training part
    assert scaling.mean[1] == 0 and scaling.deviation[1] == 1
    border = dataset.series[0].borders[0]
    assert scaling.mean[2] == pytest.approx(dataset.series[0].values[:border, 2].mean())
    scalings = [fit_scaling(each, 1, "value") for each in dataset.series]
    ridge = RidgeOnWindow().fit(dataset, scalings)
    assert ridge.parameters == (6 * 3 + 3 * 2 + 3 + 1) * 3
    # the promotion of the very step explains the sales, which no window of the past does
    windows = dataset.windows("test")
    plain = load(tmp_path / "sales.csv")
    naive = RidgeOnWindow().fit(plain, [fit_scaling(each, 1, "value") for each in plain.series])
    errors = [
        np.square(each.predict(data, windows) - data.truth(windows)).mean()
        for each, data in ((ridge, dataset), (naive, plain))
    ]
    assert errors[0] < 0.25 < 2 < errors[1]
    other = load(tmp_path / "sales.csv", known="promotion,price", static="city,area")
    other.series[0].values[int(windows.origins[0]) + 1 :, 0] = 1e6
    found, again = (ridge.predict(data, windows) for data in (dataset, other))
    np.testing.assert_array_equal(found[0], again[0])


def test_without_them_nothing_changes(tmp_path: Path) -> None:
    path = written(tmp_path, shops().dropna())
    plain, more = load(path), load(path, known="promotion")
    assert plain.fingerprint != more.fingerprint
    assert plain.series[0].values.shape[1] == 1 and plain.static(plain.windows("test")).shape[1] == 0
    # the network is the one that it always was, and draws no other random numbers
    torch.manual_seed(0)
    network = Forecaster(1, 0, lookback=6, horizon=3, hidden_size=5, dropout=0.0)
    drawn = torch.rand(3)
    torch.manual_seed(0)
    recurrent, head = Recurrent("gru", 1, 5), torch.nn.Linear(5, 3)
    torch.testing.assert_close(torch.rand(3), drawn, rtol=0, atol=0)
    past = torch.randn(6, 4, 1)
    expected = head(recurrent(past - past[-1:])[0][-1]).T + past[-1, :, 0]
    torch.testing.assert_close(network(past)[:, :, 0, 0], expected, rtol=0, atol=0)
    scalings = [fit_scaling(each, 1, "value") for each in plain.series]
    scaled = ScaledSeries(plain.series, scalings, 1, "value", lookback=6, horizon=3)
    assert scaled.ahead(plain.windows("test"), np.arange(2)) is None
    assert scaled.past(plain.windows("test"), np.arange(2)).shape == (6, 2, 1)


@pytest.mark.slow
def test_a_known_column_helps() -> None:
    frame = shops(200, 20)
    options = {**SMALL, "target": "sales", "group": "shop", "time": "day", "hidden_size": 8, "epochs": 30, "lr": 0.01}
    options["learning_rate"] = options.pop("lr")
    past = frame.dropna()
    with_it = Estimator(**options, known="promotion").backtest(past, folds=1)["mean_absolute_error"][0]
    without = Estimator(**options).backtest(past, folds=1)["mean_absolute_error"][0]
    assert with_it < 0.6 < without


def test_predict_reads_the_rows_after_the_last_target_or_a_second_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = written(tmp_path, shops()), tmp_path / "run"
    given = ["--target", "sales", "--group", "shop", "--known", "promotion", "--static", "city"]
    assert exit_code(["train", data, *given, *FLAGS, "--out", run]) == 0
    record = json.loads((run / "scaler.json").read_text())
    assert [each["name"] for each in record["known"]] == ["promotion"]
    assert record["static"][0]["categories"] == ["Bonn", "Kiel"]
    capsys.readouterr()
    assert exit_code(["predict", run, "--file", data, "--out", tmp_path / "one.csv"]) == 0
    assert "6 rows after the last target" in capsys.readouterr().err
    one = pd.read_csv(tmp_path / "one.csv")
    assert one.columns.tolist() == ["shop", "day", "sales"] and len(one) == 6
    assert one["day"].tolist() == ["2026-03-02", "2026-03-03", "2026-03-04"] * 2
    frame = shops()
    past, future = frame.dropna(), frame[frame["sales"].isna()]
    past.to_csv(tmp_path / "past.csv", index=False)
    future[["shop", "day", "promotion"]].sample(frac=1, random_state=0).to_csv(tmp_path / "next.csv", index=False)
    second = ["--file", str(tmp_path / "past.csv"), "--future", str(tmp_path / "next.csv")]
    assert exit_code(["predict", run, *second, "--out", tmp_path / "two.csv"]) == 0
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    # a second file goes before the rows of the first
    future.assign(promotion=1 - future["promotion"]).to_csv(tmp_path / "next.csv", index=False)
    assert exit_code(["predict", run, "--file", data, *second[2:], "--out", tmp_path / "two.csv"]) == 0
    assert not np.allclose(pd.read_csv(tmp_path / "two.csv")["sales"], one["sales"])
    capsys.readouterr()
    assert exit_code(["evaluate", run, data, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    trained = load_run(run)
    tested = trained.test(ForecastingKind().load(trained.spec.data)).metrics
    assert found["mean_squared_error"] == pytest.approx(tested["mean_squared_error"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.dropna(), "needs promotion for each of the next 3 steps of the series 'a'.*2026-03-02"),
        (lambda frame: frame.drop(index=61), "a row with promotion for 2026-03-03.*got: 2 of 3 steps.*--future"),
        (
            lambda frame: frame.assign(promotion=frame["promotion"].where(frame.index != 61)),
            "line 63: the known column 'promotion' has no value.*0 where there is none",
        ),
        (lambda frame: frame.drop(columns="promotion"), "column 'promotion' is not in"),
        (lambda frame: frame.assign(promotion=frame["promotion"].map(lambda n: f"{n}x" if n else n)), "not a number"),
    ],
)
def test_missing_known_values_are_named(tmp_path: Path, change: Any, words: str) -> None:
    data = written(tmp_path, shops())
    run = tmp_path / "run"
    given = ["--target", "sales", "--group", "shop", "--known", "promotion"]
    assert exit_code(["train", data, *given, *FLAGS, "--out", run]) == 0
    change(shops()).to_csv(data, index=False)
    from gatewise.kinds.forecasting import commands
    from gatewise.training.kind import Request

    with pytest.raises(DataError, match=words):
        commands.predict(load_run(run), Request(run, file=data))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"static": "promotion"}, "line 3: the static column 'promotion' is not constant in the series 'a'"),
        ({"static": "nothing"}, "column 'nothing' is not in sales.csv"),
        ({"known": "sales"}, "'sales' is named for two things"),
        ({"known": "promotion", "features": "promotion"}, "'promotion' is named for two things"),
        ({"static": "city", "group": None}, "static columns need several series"),
        ({"known": "word"}, "has 126 different texts"),
        ({"known": "late"}, "'late' is empty in the whole training part"),
        ({"static": "blank"}, "the static column 'blank' is empty in the series 'a'"),
    ],
)
def test_columns_that_cannot_be_covariates(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    frame = shops()
    frame["promotion"] = frame.groupby("shop").cumcount() % 2
    frame["word"], frame["blank"] = [f"w{number}x" for number in range(126)], ""
    frame["late"] = np.where(frame.groupby("shop").cumcount() == 59, "fair", "")
    with pytest.raises(GatewiseError, match=words):
        load(written(tmp_path, frame), **settings)


def test_texts_and_yes_and_no(tmp_path: Path) -> None:
    frame = shops()
    day = frame.groupby("shop").cumcount()
    frame["holiday"] = np.where(day % 7 == 0, "Sunday", np.where(day == 58, "Fair", ""))
    frame["open"] = np.where(day % 2 == 0, "yes", "no")
    dataset = load(written(tmp_path, frame), known="holiday,open")
    assert dataset.covariates.known_names == ("holiday=Sunday", "open")
    assert any("'Fair'" in note and "read as none" in note for note in dataset.notes)
    np.testing.assert_array_equal(dataset.series[0].values[:8, 1:].T, [[1] + [0] * 6 + [1], [1, 0] * 4])
    assert any("6 rows after the last target" in note for note in dataset.notes)
    described = ForecastingKind().describe(dataset)
    assert described["known"] == ["holiday", "open"] and "static" not in described


def test_the_estimator_takes_the_future_and_backtests_with_it(tmp_path: Path) -> None:
    frame = shops()
    model = Estimator(**SMALL, target="sales", group="shop", time="day", known="promotion", static=["city"]).fit(frame)
    expected = model.predict()
    past, future = frame.dropna(), frame.loc[frame["sales"].isna(), ["shop", "day", "promotion"]]
    pd.testing.assert_frame_equal(model.predict(frame=past, future=future), expected)
    with pytest.raises(DataError, match=r"needs promotion.*next 3 steps"):
        model.predict(frame=past)
    with pytest.raises(DataError, match=r"next 5 steps.*got: 3 of 5 steps"):
        model.predict(5)
    # fewer steps than trained for need no more rows than that
    short = model.predict(1, frame=past, future=future.groupby("shop").head(1))
    np.testing.assert_allclose(short["sales"], expected["sales"].groupby("shop").head(1))
    back = model.backtest(frame, folds=2, refit=False)
    assert len(back) == 2 and back["in_training"].all()
    # a series that ends before the others is measured as far as its known columns reach
    ended = frame.drop(index=frame.index[(frame["shop"] == "b") & (frame["day"] > "2026-02-26")])
    assert len(model.backtest(ended, folds=2, refit=False)) == 2
    again = Estimator.load(model.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.predict(frame=frame), expected)
    assert again.known == "promotion" and again.static == ["city"]
    with pytest.raises(OptionError, match="reads no column that is known"):
        Estimator(**SMALL, target="sales", group="shop", time="day").fit(past).predict(future=future)
    # by index, with periods
    indexed = frame.assign(day=frame["day"].dt.to_period("D")).set_index(["day", "shop"])[["sales", "promotion"]]
    other = Estimator(**SMALL, target="sales", known="promotion").fit(indexed)
    found = other.predict()
    assert found.index.names == ["day", "shop"] and isinstance(found.index.levels[0], pd.PeriodIndex)
    later = indexed[indexed["sales"].isna()][["promotion"]]
    pd.testing.assert_frame_equal(other.predict(frame=indexed.dropna(), future=later), found)


def test_forecasts_further_than_trained_read_the_known_columns_of_each_step(tmp_path: Path) -> None:
    frame = shops(60, 7)
    model = Estimator(**SMALL, target="sales", group="shop", time="day", known="promotion").fit(frame)
    found = model.predict(7)
    assert len(found) == 14 and np.isfinite(found.to_numpy()).all()
    np.testing.assert_array_equal(found.groupby("shop").head(3), model.predict())
    moved = frame.copy()
    moved.loc[66, "promotion"] = 1 - moved.loc[66, "promotion"]
    changed = np.flatnonzero(model.predict(7, frame=moved)["sales"].to_numpy() != found["sales"].to_numpy())
    assert changed.tolist() == [6]


def test_a_future_is_for_predictions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OptionError, match="read by predictions alone"):
        SeriesSpec("x.csv", target="y", future="next.csv")
    data, run = written(tmp_path, shops().dropna()), tmp_path / "run"
    assert exit_code(["train", data, "--target", "sales", "--group", "shop", *FLAGS, "--out", run]) == 0
    assert exit_code(["predict", run, "--file", data, "--future", data]) == 2
    assert "this network reads none" in " ".join(capsys.readouterr().err.split())


def test_the_report_names_them() -> None:
    def said(**details: list[str]) -> list[str]:
        data = SimpleNamespace(details=details)
        return list(report.notes(SimpleNamespace(comparison=SimpleNamespace(data=data))))  # type: ignore[arg-type]

    assert said(features=["visitors"]) == []
    assert said(features=[], known=["promotion", "price"], static=["city"]) == [
        "Cells and ridge also read promotion, price (up to the last step that is forecast); city (constant in a "
        "series). Persistence, seasonal naive and drift do not."
    ]


def test_decimal_commas_of_covariates_are_numbers(tmp_path: Path) -> None:
    """As those of the targets, found in each column by themselves; else each number would be a text of its own."""
    frame = shops()
    frame["promotion"], frame["area"] = frame["promotion"] * 0.5 + 0.25, frame["area"] + 0.5
    plain, commas = tmp_path / "plain.csv", tmp_path / "commas.csv"
    frame.to_csv(plain, index=False)
    frame.to_csv(commas, index=False, sep=";", decimal=",")
    given = {"known": "promotion", "static": "area"}
    one, two, said = load(plain, **given), load(commas, **given), load(commas, decimal=",", **given)
    assert "numbers with a decimal comma in promotion, area" in two.notes
    assert two.covariates == one.covariates == said.covariates
    assert two.fingerprint == one.fingerprint == said.fingerprint
