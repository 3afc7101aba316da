"""`Forecaster`, and the command line on a person's own series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit

from commands import exit_code
from gatewise import Forecaster, TextClassifier, load_run
from gatewise.errors import DataError, GatewiseError, OptionError, RunError

SMALL = {"hidden_size": 8, "epochs": 1, "threads": 1, "batch_size": 16}


def sales(rows: int = 100) -> pd.DataFrame:
    days = pd.date_range("2026-01-01", periods=rows, freq="D")
    week = np.tile([5.0, 6.0, 7.0, 8.0, 9.0, 3.0, 2.0], rows // 7 + 1)[:rows]
    return pd.DataFrame({"sales": week, "visitors": week * 10 + 1}, index=days)


def test_frame_in_frame_out() -> None:
    model = Forecaster(horizon=3, lookback=14, target="sales", features="visitors", quantiles="0.1,0.9", **SMALL)
    found = model.fit(sales()).predict()
    assert list(found.columns) == ["sales", "sales_0.1", "sales_0.9"]
    assert found.index.tolist() == pd.date_range("2026-04-11", periods=3, freq="D").tolist()
    assert np.isfinite(found.to_numpy()).all() and (found["sales_0.1"] <= found["sales_0.9"]).all()
    assert len(model.predict(2)) == 2
    with pytest.raises(OptionError, match="quantiles end at the horizon"):
        model.predict(4)


def test_series_in_series_out_and_further_than_the_horizon() -> None:
    series = sales()["sales"]
    model = Forecaster(horizon=2, lookback=14, **SMALL).fit(series)
    found = model.predict(5)
    assert isinstance(found, pd.Series) and found.name == "sales" and len(found) == 5
    np.testing.assert_array_equal(found[:2], model.predict())
    grown = pd.concat([series, found[:2]])
    np.testing.assert_allclose(found[2:4], model.predict(2, grown), rtol=1e-5)


def test_columns_may_be_named_by_numbers_as_pandas_numbers_them() -> None:
    numbered = sales().set_axis([0, 1], axis=1)
    named = numbered.set_axis(["0", "1"], axis=1)
    found = Forecaster(horizon=2, lookback=14, target=0, features=1, **SMALL).fit(numbered).predict()
    expected = Forecaster(horizon=2, lookback=14, target="0", features="1", **SMALL).fit(named).predict()
    np.testing.assert_array_equal(found.to_numpy(), expected.to_numpy())


def test_groups_are_continued_one_by_one() -> None:
    first, second = sales(), sales(90)
    frame = pd.concat([first.assign(shop="a"), (second * 100).assign(shop="b")]).reset_index(names="day")
    model = Forecaster(horizon=2, lookback=14, time="day", target="sales", group="shop", **SMALL).fit(frame)
    found = model.predict()
    assert found.index.names == ["shop", "day"] and len(found) == 4
    assert found.loc["b"].index[0] == pd.Timestamp("2026-04-01") and (found.loc["b"] > 50).all().all()
    later = frame.assign(sales=np.where(frame["shop"] == "a", 1e6, frame["sales"]))
    changed = model.predict(frame=later)
    np.testing.assert_allclose(changed.loc["b"], found.loc["b"], rtol=1e-6)


def test_same_seed_same_forecast_and_clone() -> None:
    model = Forecaster(horizon=2, lookback=10, transform="difference", **SMALL)
    first = model.fit(sales()).predict()
    again = clone(model).fit(sales()).predict()
    pd.testing.assert_frame_equal(first, again)
    assert clone(model).get_params() == model.get_params()


def test_saved_run_can_be_opened(tmp_path: Path) -> None:
    model = Forecaster(horizon=2, lookback=10, target="sales", **SMALL).fit(sales())
    trained = load_run(model.save(tmp_path / "run"))
    found = trained.future(model._table)[0].values
    np.testing.assert_array_equal(found, model.predict().to_numpy())


def test_backtest_learns_from_the_past_alone() -> None:
    frame = sales()
    model = Forecaster(horizon=7, lookback=14, target="sales", **SMALL)
    found = model.backtest(frame, folds=2)
    assert found["origin"].tolist() == [pd.Timestamp("2026-03-27"), pd.Timestamp("2026-04-03")]
    later = frame.copy()
    later.iloc[-7:] *= 1000
    changed = model.backtest(later, folds=2)
    pd.testing.assert_series_equal(found.iloc[0], changed.iloc[0])
    assert changed["mean_absolute_error"][1] > 100 * found["mean_absolute_error"][1]
    last = frame["sales"].iloc[-15]
    expected = np.abs(frame["sales"].iloc[-14:-7] - last).mean()
    assert found["persistence_mean_absolute_error"][0] == pytest.approx(expected)


def test_backtest_sets_each_forecast_against_its_own_time() -> None:
    """A missing row shifts no later one, and what is not known is not measured."""
    whole = sales()["sales"].to_frame()
    whole.iloc[-9] = np.nan  # the last known row
    frame = whole.drop(whole.index[-5])
    model = Forecaster(horizon=7, lookback=14, target="sales", **SMALL)
    (row,) = model.backtest(frame, folds=1).to_dict("records")
    past = frame.loc[: row["origin"]]
    forecast = model.fit(past).predict()
    truth = frame.loc[frame.index > row["origin"], "sales"]
    assert isinstance(forecast, pd.DataFrame)
    truth = truth[truth.index.isin(forecast.index)]
    assert len(truth) == 5  # of seven rows, which take eight days; the forecast begins at the row that is not known
    expected = (forecast["sales"].reindex(truth.index) - truth).abs().mean()
    assert row["mean_absolute_error"] == pytest.approx(expected)
    last = past["sales"].dropna().iloc[-1]
    assert row["persistence_mean_absolute_error"] == pytest.approx((truth - last).abs().mean())


def test_backtest_numbers_the_rows_of_each_group_where_there_are_no_times() -> None:
    """Rows of one group behind those of the other are no later than they."""
    frame = pd.concat([sales().assign(shop="a"), sales().assign(shop="b", sales=lambda rows: rows["sales"] * 10)])
    model = Forecaster(horizon=3, lookback=14, target="sales", group="shop", **SMALL)
    stacked = model.backtest(frame.reset_index(drop=True), folds=2)
    assert stacked["origin"].tolist() == [93.0, 96.0]
    timed = clone(model).set_params(time="day").backtest(frame.reset_index(names="day"), folds=2)
    errors = [name for name in stacked if name.endswith("error")]
    pd.testing.assert_frame_equal(stacked[errors], timed[errors], rtol=1e-5)


@pytest.mark.parametrize(
    ("frame", "settings", "words"),
    [
        (pd.DataFrame({"name": ["a", "b"]}), {}, "no column of numbers"),
        ([1, 2, 3], {}, "not a pandas object"),
        (sales(), {"horizon": 0}, "horizon is out of range"),
        (sales(12), {}, "too short"),
        (sales().assign(sales=np.inf), {"target": "sales"}, "infinite"),
        (sales().assign(sales="much"), {"target": "sales"}, "not a number"),
        (sales().assign(sales=1.0), {"target": "sales"}, "never changes"),
        (sales(), {"target": "sails"}, "did you mean 'sales'"),
        (sales(), {"lookback": 10, "decoding": "segments"}, "shorter than a segment"),
    ],
)
def test_what_cannot_be_fitted(frame: object, settings: dict[str, object], words: str) -> None:
    with pytest.raises(GatewiseError, match=words):
        Forecaster(**{"horizon": 2, "lookback": 14, **SMALL, **settings}).fit(frame)  # type: ignore[arg-type]


def test_a_series_that_is_too_short_to_be_continued() -> None:
    model = Forecaster(horizon=2, lookback=14, target="sales", **SMALL).fit(sales())
    with pytest.raises(DataError, match="too short to be continued"):
        model.predict(frame=sales(13))
    with pytest.raises(OptionError, match="horizon is out of range"):
        model.predict(0)


def test_a_group_too_short_keeps_no_other_from_its_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = pd.concat([sales().assign(shop="a"), sales(9).assign(shop="new")]).reset_index(names="day")
    model = Forecaster(horizon=2, lookback=14, time="day", target="sales", group="shop", **SMALL).fit(frame)
    with pytest.warns(UserWarning, match="left out.*14 steps.*new"):
        found = model.predict()
    assert found.index.get_level_values("shop").tolist() == ["a", "a"] and np.isfinite(found.to_numpy()).all()
    alone = clone(model).fit(frame[frame["shop"] == "a"]).predict()
    np.testing.assert_array_equal(found, alone)
    with pytest.warns(UserWarning, match="new"):
        assert np.isfinite(model.backtest(frame, folds=1)["mean_absolute_error"]).all()
    with pytest.raises(DataError, match="too short to be continued"):
        model.predict(frame=frame[frame["shop"] == "new"])
    run, file = model.save(tmp_path / "run"), tmp_path / "sales.csv"
    frame.to_csv(file, index=False)
    assert exit_code(["predict", run, "--file", file]) == 0
    said = capsys.readouterr()
    assert [line.split(",")[0] for line in said.out.splitlines()] == ["shop", "a", "a"]
    assert said.err.count("new") == 1 and ".py" not in said.err


def test_train_and_predict_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = sales().reset_index(names="day")
    table.to_csv(tmp_path / "sales.csv", index=False)
    run = tmp_path / "run"
    options = ["--time", "day", "--target", "sales", "--features", "visitors", "--horizon", "3", "--lookback", "14"]
    small = ["--hidden", "8", "--epochs", "1", "--threads", "1", "--quantiles", "0.1,0.9", "--out", str(run)]
    assert exit_code(["train", tmp_path / "sales.csv", *options, *small]) == 0
    out = capsys.readouterr().out
    assert "windows" in out and "mean squared error" in out
    assert json.loads((run / "spec.json").read_text())["task"] == "forecasting"
    assert exit_code(["predict", run, "--file", tmp_path / "sales.csv", "--out", tmp_path / "next.csv"]) == 0
    found = pd.read_csv(tmp_path / "next.csv")
    assert found.columns.tolist() == ["day", "sales", "sales_0.1", "sales_0.9"]
    assert found["day"].tolist() == ["2026-04-11", "2026-04-12", "2026-04-13"]
    capsys.readouterr()
    assert exit_code(["predict", run, "--file", tmp_path / "sales.csv"]) == 0
    assert capsys.readouterr().out.splitlines() == (tmp_path / "next.csv").read_text().splitlines()
    table.drop(columns="visitors").to_csv(tmp_path / "less.csv", index=False)
    assert exit_code(["predict", run, "--file", tmp_path / "less.csv"]) == 2
    assert "visitors" in capsys.readouterr().err


def test_bad_horizon_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sales().to_csv(tmp_path / "sales.csv")
    assert exit_code(["train", tmp_path / "sales.csv", "--target", "sales", "--horizon", "0"]) == 2
    assert "horizon is out of range" in capsys.readouterr().err


def test_a_saved_forecaster_opens_with_all_its_settings(tmp_path) -> None:
    days = pd.date_range("2026-01-01", periods=60, freq="D")
    frame = pd.DataFrame({"sales": np.tile([5.0, 6.0, 7.0], 20)}, index=days)
    settings = {"horizon": 2, "lookback": 6, "hidden_size": 5, "epochs": 1, "threads": 1, "optimizer": "sgd"}
    fitted = Forecaster(**settings, warm_up=0.25, weight_decay=0.01, averaging=0.5, quantiles="0.1,0.9").fit(frame)
    loaded = Forecaster.load(fitted.save(tmp_path / "run"))
    assert loaded.get_params() == fitted.get_params()
    pd.testing.assert_frame_equal(loaded.predict(frame=frame), fitted.predict())
    with pytest.raises(DataError, match="no series of its own"):
        loaded.predict()
    with pytest.raises(RunError, match="is no classification"):
        TextClassifier.load(tmp_path / "run")


def test_missing_targets_at_the_end_are_forecast_as_on_the_command_line(tmp_path: Path) -> None:
    whole = sales()
    ended = whole.copy()
    ended.iloc[-3:, ended.columns.get_loc("sales")] = np.nan
    settings = {"horizon": 3, "lookback": 14, "target": "sales", **SMALL}
    fitted = Forecaster(**settings).fit(ended)
    assert "3 rows after the last target left out: the forecast begins there" in fitted.notes_
    found = fitted.predict()
    assert found.index.tolist() == whole.index[-3:].tolist()
    pd.testing.assert_frame_equal(found, Forecaster(**settings).fit(whole[:-3]).predict())
    pd.testing.assert_frame_equal(fitted.predict(frame=ended), found)
    run, file, out = fitted.save(tmp_path / "run"), tmp_path / "ended.csv", tmp_path / "out.csv"
    ended.reset_index(names=fitted._trained.time).to_csv(file, index=False)
    assert exit_code(["predict", run, "--file", file, "--out", out]) == 0
    np.testing.assert_allclose(pd.read_csv(out)["sales"], found["sales"], rtol=1e-6)
    # horizons are measured that have targets, as of the rows without them
    measured = [fitted.backtest(frame, folds=2) for frame in (ended, whole[:-3])]
    pd.testing.assert_frame_equal(*measured)
    # gaps before the end are still filled
    ended.iloc[-9, ended.columns.get_loc("sales")] = np.nan
    assert any("1 missing value was filled" in note for note in Forecaster(**settings).fit(ended).notes_)


def test_score_is_the_skill_of_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = sales()
    model = Forecaster(horizon=2, lookback=7, target="sales", **SMALL).fit(frame[:70])
    found = model.score(frame)
    file = tmp_path / "sales.csv"
    frame.reset_index(names=model._trained.time).to_csv(file, index=False)
    capsys.readouterr()
    assert exit_code(["evaluate", model.save(tmp_path / "run"), file, "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    assert found == pytest.approx(measured["skill"]) and measured["in_training"] is False
    # by hand: all windows whose steps ahead are behind the 70 rows of the fit
    errors, naive = [], []
    values = frame["sales"].to_numpy()
    for origin in range(69, len(frame) - 2):
        forecast = model.predict(frame=frame[: origin + 1])["sales"].to_numpy()
        errors.append(((forecast - values[origin + 1 : origin + 3]) ** 2).mean())
        naive.append(((values[origin] - values[origin + 1 : origin + 3]) ** 2).mean())
    assert found == pytest.approx(1 - np.mean(errors) / np.mean(naive), rel=1e-4)
    assert model.score(frame, None) == found


def test_score_says_what_flatters_it_and_is_no_number_without_moves() -> None:
    frame = sales()
    model = Forecaster(horizon=2, lookback=7, target="sales", **SMALL).fit(frame)
    with pytest.warns(UserWarning, match="the network was trained on.*later rows"):
        assert np.isfinite(model.score(frame))
    days = pd.date_range(frame.index[-1] + pd.Timedelta("1D"), periods=30)
    later = pd.DataFrame({"sales": 5.0}, index=days)
    assert np.isnan(model.score(later))
    with pytest.raises(DataError, match="too short to be measured"):
        model.score(later[:5])


def test_a_search_scores_by_it() -> None:
    search = GridSearchCV(
        Forecaster(horizon=1, lookback=7, target="sales", **SMALL),
        {"hidden_size": [2, 4]},
        cv=TimeSeriesSplit(2, test_size=15),
    )
    search.fit(sales())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all() and search.best_params_["hidden_size"] in (2, 4)


def test_a_backtest_without_times_counts_the_rows_whose_target_is_not_known() -> None:
    rows = sales()[["sales"]].reset_index(drop=True)
    rows.iloc[-9:-7] = np.nan  # the last two of the known rows
    model = Forecaster(horizon=7, lookback=14, target="sales", **SMALL)
    (found,) = model.backtest(rows, folds=1).to_dict("records")
    forecast = model.fit(rows[:-7]).predict()["sales"].to_numpy()
    # its first two steps are those two rows, so that the last two rows are not forecast
    expected = np.abs(forecast[2:] - rows["sales"].to_numpy()[-7:-2]).mean()
    assert found["mean_absolute_error"] == pytest.approx(expected)
