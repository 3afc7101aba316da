"""A person's own rows: a column of times that nobody named, indexes of pandas, backtests, files that stay whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import exit_code
from gatewise import Forecaster, load_run
from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.training.registry import kind_of
from run_folders import without_checksums

SMALL = {"horizon": 3, "lookback": 6, "hidden_size": 4, "epochs": 1, "threads": 1, "batch_size": 16}
FLAGS = ["--target", "y", "--horizon", "3", "--lookback", "6", "--hidden", "4", "--epochs", "1", "--threads", "1"]
DAYS = pd.date_range("2026-01-01", periods=80, freq="D")


def frame(rows: int = 80, **columns: object) -> pd.DataFrame:
    steps = np.arange(rows)
    return pd.DataFrame({"day": DAYS[:rows], "y": np.sin(steps / 2) + steps / 50, **columns})


def two(rows: int = 80) -> pd.DataFrame:
    first = frame(rows)
    return pd.concat([first.assign(shop="a"), first.assign(shop="b", y=first["y"] * 100 + 1)])


def notes(path: Path, **settings: object) -> tuple[str, ...]:
    return load_series(path, target="y", horizon=3, lookback=6, **settings).notes  # type: ignore[arg-type]


def test_the_only_column_of_times_is_used(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    frame().to_csv(path, index=False)
    dataset = load_series(path, target="y", horizon=3, lookback=6)
    named = load_series(path, time="day", target="y", horizon=3, lookback=6)
    assert dataset.time == "day" and dataset.fingerprint == named.fingerprint
    assert "the column 'day' was used as the time of each row; --time names another" in dataset.notes
    frame().set_index("day").rename_axis(None).to_csv(path)
    assert "the column without a name was used" in " ".join(notes(path))
    frame()[::-1].to_csv(path, index=False)
    assert load_series(path, target="y", horizon=3, lookback=6).fingerprint == named.fingerprint
    two().to_csv(path, index=False)
    assert load_series(path, target="y", group="shop", horizon=3, lookback=6).spacing.title == "every day"


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (two().drop(columns="shop"), "'day' holds times and was not used: a time comes twice.*--group"),
        (frame().sample(frac=1, random_state=0), "'day' holds times and was not used: its rows are in no order"),
        (frame(until=DAYS + pd.Timedelta("1D")), "the columns 'day' and 'until' hold times and none was used.*--time"),
        (frame(day=[f"{n:02}/01/2026" for n in range(1, 11)] * 8), "'day' holds times and was not used: .*day or the"),
    ],
)
def test_other_columns_of_times_are_named(tmp_path: Path, rows: pd.DataFrame, words: str) -> None:
    rows.to_csv(tmp_path / "x.csv", index=False)
    found = notes(tmp_path / "x.csv")
    with pytest.raises(DataError, match=words):
        raise DataError(" | ".join(found))


def test_no_column_of_times_is_imagined(tmp_path: Path) -> None:
    frame(day=[f"case {n}" for n in range(80)], code=[f"A-{n}" for n in range(80)], n=range(80)).to_csv(
        tmp_path / "x.csv", index=False
    )
    assert notes(tmp_path / "x.csv") == ()


def test_a_noticed_column_is_used_by_predict_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = tmp_path / "x.csv", tmp_path / "run"
    frame().to_csv(data, index=False)
    assert exit_code(["train", data, *FLAGS, "--out", run]) == 0
    holes = frame().drop(index=[70])
    holes.loc[72, "y"] = np.nan
    holes.to_csv(data, index=False)
    capsys.readouterr()
    assert exit_code(["predict", run, "--file", data]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith("2026-03-22,")
    assert "Note: 1 missing step was filled" in said.err and "Note: 1 missing value was filled" in said.err


def test_the_forecast_never_replaces_its_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = tmp_path / "x.csv", tmp_path / "run"
    frame().to_csv(data, index=False)
    before = data.read_bytes()
    assert exit_code(["train", data, *FLAGS, "--out", run]) == 0
    (tmp_path / "link.csv").symlink_to(data)
    for out in (data, tmp_path / "run" / ".." / "x.csv", tmp_path / "link.csv"):
        assert exit_code(["predict", run, "--file", data, "--out", out]) == 2
        assert "--out is the file that is read" in capsys.readouterr().err
    assert data.read_bytes() == before and (tmp_path / "link.csv").is_symlink()


@pytest.mark.parametrize("names", [["shop", "day"], [None, None]])
def test_an_index_of_group_and_time_is_groups(names: list[str | None]) -> None:
    rows = two()
    indexed = rows.set_index(["shop", "day"])
    indexed.index.names = names
    model = Forecaster(**SMALL).fit(indexed)
    plain = Forecaster(**SMALL, time="day", group="shop", target="y").fit(rows)
    found = model.predict()
    assert found.index.names == [names[0] or "series", names[1] or "time"]
    np.testing.assert_array_equal(found.to_numpy(), plain.predict().to_numpy())
    assert found.index.tolist() == plain.predict().index.tolist()
    swapped = Forecaster(**SMALL).fit(indexed["y"].swaplevel()).predict()
    # the times stand first, as they do in what was given
    assert swapped.index.names == found.index.names[::-1] and swapped.index.is_monotonic_increasing
    assert swapped.index.tolist()[:2] == [(found.index[0][1], "a"), (found.index[0][1], "b")]
    np.testing.assert_array_equal(swapped.swaplevel().loc[found.index].to_numpy(), found["y"].to_numpy())
    assert len(model.backtest(indexed, folds=1)) == 1


def test_an_index_with_too_many_levels() -> None:
    rows = two().assign(town="x").set_index(["town", "shop", "day"])
    with pytest.raises(DataError, match=r"more than one level besides the time.*group="):
        Forecaster(**SMALL).fit(rows)


def test_frames_with_one_column_and_lists_of_names(tmp_path: Path) -> None:
    rows = frame().set_index("day")
    expected = Forecaster(**SMALL).fit(rows["y"]).predict()
    for given in (rows, rows.rename(columns={"y": 0}), rows.astype("Float64"), rows.rename(columns={"y": "time"})):
        found = Forecaster(**SMALL).fit(given).predict()
        assert isinstance(found, pd.DataFrame) and found.index.equals(expected.index)
        np.testing.assert_array_equal(found.iloc[:, 0], expected)
    wide = rows.assign(z=rows["y"] ** 2, w=1.0 * np.arange(80) % 7)
    model = Forecaster(**SMALL, target=["y", "z"], features=["w"]).fit(wide)
    assert model.predict().columns.tolist() == ["y", "z"]
    again = Forecaster.load(model.save(tmp_path / "run"))
    assert again.get_params() == model.get_params()
    np.testing.assert_array_equal(again.predict(frame=wide), model.predict())
    assert model.predict().index.name == "day"


def test_a_backtest_says_when_it_runs_into_the_training_rows() -> None:
    rows = frame().set_index("day")
    model = Forecaster(**SMALL)
    with pytest.raises(Exception, match="not fitted"):
        model.backtest(rows, folds=1, refit=False)
    assert not model.backtest(rows, folds=2)["in_training"].any()
    model.fit(rows[:70])
    with pytest.warns(UserWarning, match="trained on.*in_training"):
        found = model.backtest(rows, folds=5, refit=False)
    assert found["in_training"].tolist() == [True, True, False, False, False]
    assert not model.backtest(rows, folds=3, refit=False)["in_training"].any()
    # the last fold's forecast is the model's own of the rows before it
    forecast = model.predict(frame=rows[:77])["y"]
    expected = (forecast - rows["y"][77:]).abs().mean()
    assert found["mean_absolute_error"].iloc[-1] == pytest.approx(expected)
    with pytest.raises(OptionError, match="folds is out of range"):
        model.backtest(rows, folds=0)


def test_a_zoned_backtest_names_zoned_origins() -> None:
    rows = frame().set_index("day").tz_localize("Europe/Berlin")
    found = Forecaster(**SMALL).fit(rows[:70]).backtest(rows, folds=2, refit=False)
    assert found["origin"].tolist() == rows.index[[73, 76]].tolist() and not found["in_training"].any()


def evaluated(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, object]:
    capsys.readouterr()
    assert exit_code(["evaluate", *arguments, "--json"]) == 0
    found: dict[str, object] = json.loads(capsys.readouterr().out)
    return found


def test_evaluate_measures_what_was_not_trained_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = tmp_path / "x.csv", tmp_path / "run"
    whole = two(70)
    whole.to_csv(data, index=False)
    given = ["--group", "shop", "--quantiles", "0.1,0.9", *FLAGS]
    assert exit_code(["train", data, *given, "--out", run]) == 0
    trained = load_run(run)
    tested = trained.test(kind_of("forecasting").load(trained.spec.data)).metrics
    found = evaluated(capsys, str(run), str(data))
    # on its own file, the windows are those of the test part
    assert found["mean_squared_error"] == pytest.approx(tested["mean_squared_error"])
    assert found["coverage"] == tested["coverage"] and found["in_training"] is False
    assert found["windows"] == tested["n"]
    assert (found["first"], found["last"]) == ("2026-02-26", "2026-03-11")
    naive = found["persistence"]
    assert isinstance(naive, dict)
    skill = 1 - float(str(found["mean_squared_error"])) / naive["mean_squared_error"]
    assert found["skill"] == pytest.approx(skill)
    later = two(80)
    later[later["day"] >= DAYS[60]].to_csv(tmp_path / "later.csv", index=False)
    found = evaluated(capsys, str(run), str(tmp_path / "later.csv"))
    assert (found["first"], found["last"], found["windows"]) == ("2026-03-08", "2026-03-21", 24)
    later[later["day"] < DAYS[50]].to_csv(tmp_path / "early.csv", index=False)
    found = evaluated(capsys, str(run), str(tmp_path / "early.csv"))
    assert found["in_training"] is True and any("flatter" in note for note in found["notes"])  # type: ignore[union-attr]
    assert exit_code(["evaluate", run, data]) == 0
    said = capsys.readouterr().out
    assert "coverage of the outer quantiles" in said
    assert "persistence" in said and "mean absolute scaled error" in said and "24 windows" in said


@pytest.mark.parametrize(
    "settings",
    [
        ["value", "last"],
        ["value", "none"],
        ["value", "standard"],
        ["value", "last-scaled", "--shortcut"],
        ["difference", "last"],
        ["log-return", "last"],
    ],
)
def test_a_constant_series_that_was_not_trained_on_stays_constant(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What other shops' growth had taught was added in units of 1: 0.004 became 0.03."""
    rising = two().assign(y=lambda rows: rows["y"] * 3 + 500 + rows.groupby("shop").cumcount())
    rising.to_csv(tmp_path / "rising.csv", index=False)
    flags = [*FLAGS, "--group", "shop", "--transform", settings[0], "--normalisation", *settings[1:]]
    assert exit_code(["train", tmp_path / "rising.csv", *flags, "--cell", "gru", "--out", tmp_path / "run"]) == 0
    constants = {"small": 0.004, "large": 5.25e6, "negative": -70.0, "zero": 0.0}
    if settings[0] == "log-return":
        constants = {name: value for name, value in constants.items() if value > 0}
    pd.concat([frame(y=value, shop=name) for name, value in constants.items()]).to_csv(
        tmp_path / "new.csv", index=False
    )
    assert exit_code(["predict", tmp_path / "run", "--file", tmp_path / "new.csv", "--out", tmp_path / "out.csv"]) == 0
    found = pd.read_csv(tmp_path / "out.csv")
    assert len(found) == 3 * len(constants)
    for name, value in constants.items():
        rows = found.loc[found["shop"] == name, "y"]
        assert rows.to_list() == pytest.approx([value] * 3, rel=1e-9, abs=1e-10), name
    capsys.readouterr()
    moving = frame(shop="moves").assign(y=[20.0] * 70 + [20.0, 21, 19, 22, 21, 25, 24, 22, 21, 23])
    moving.to_csv(tmp_path / "moves.csv", index=False)
    assert exit_code(["evaluate", tmp_path / "run", tmp_path / "moves.csv", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["windows"] > 5 and all(abs(each) < 1e4 for each in numbers_in(record))


def numbers_in(record: object) -> list[float]:
    """All numbers of a record."""
    if isinstance(record, dict):
        return [number for each in record.values() for number in numbers_in(each)]
    if isinstance(record, list):
        return [number for each in record for number in numbers_in(each)]
    return [record] if isinstance(record, float) else []


def test_evaluate_on_a_series_that_is_new(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    two().to_csv(tmp_path / "x.csv", index=False)
    assert exit_code(["train", tmp_path / "x.csv", "--group", "shop", *FLAGS, "--out", run]) == 0
    two().assign(shop="new")[:80].to_csv(tmp_path / "new.csv", index=False)
    found = evaluated(capsys, str(run), str(tmp_path / "new.csv"))
    assert found["in_training"] is False and found["windows"] == 14
    two()[:8].to_csv(tmp_path / "short.csv", index=False)
    assert exit_code(["evaluate", run, tmp_path / "short.csv"]) == 2
    assert "too short to be measured" in " ".join(capsys.readouterr().err.split())
    assert exit_code(["evaluate", run, tmp_path / "nothing.csv"]) == 2
    assert exit_code(["evaluate", run, tmp_path / "x.csv", "--timezone", "Nowhere"]) == 2
    assert "timezone is not known" in " ".join(capsys.readouterr().err.split())


def test_a_damaged_last_time_is_refused(tmp_path: Path) -> None:
    run = Forecaster(**SMALL).fit(frame()).save(tmp_path / "run")
    text = (run / "scaler.json").read_text()
    (run / "scaler.json").write_text(text.replace('"2026-03-21', '"soon-2026-03-21'))
    without_checksums(run)
    with pytest.raises(GatewiseError, match=r"scaler\.json is damaged"):
        load_run(run)


def test_decimal_commas(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = tmp_path / "x.csv", tmp_path / "run"
    frame(y=1234.5 + frame()["y"]).to_csv(tmp_path / "points.csv", index=False)
    words = ["1." + f"{value + 234.5:07.3f}".replace(".", ",") for value in frame()["y"]]
    assert words[0].startswith("1.234,5")
    frame(day=[f"{day:%d.%m.%Y}" for day in DAYS], y=words).to_csv(data, index=False, sep=";")
    assert exit_code(["train", data, *FLAGS, "--out", run]) == 0
    assert "numbers with a decimal comma in y" in " ".join(capsys.readouterr().out.split())
    series = load_series(data, target="y", horizon=3, lookback=6)
    assert "numbers with a decimal comma in y" in series.notes
    read = load_series(data, target="y", decimal=",", horizon=3, lookback=6).series[0].values
    np.testing.assert_array_equal(read, series.series[0].values)
    np.testing.assert_allclose(read[:, 0], pd.read_csv(tmp_path / "points.csv")["y"], atol=6e-4)
    assert exit_code(["predict", run, "--file", data, "--out", tmp_path / "next.csv"]) == 0
    found = pd.read_csv(tmp_path / "next.csv", sep=";", decimal=",")
    assert found["day"].tolist() == ["22.03.2026", "23.03.2026", "24.03.2026"]
    assert found["y"].between(1000, 1500).all()
    (tmp_path / "either.csv").write_text("day;y\n2026-01-01;1,500\n2026-01-02;2,500\n")
    with pytest.raises(DataError, match=r"'1,500' .* is not a number.*--decimal ,"):
        load_series(tmp_path / "either.csv", target="y")
    (tmp_path / "bad.csv").write_text("day;y\n2026-01-01;1,5\n2026-01-02;2.5\n")
    with pytest.raises(DataError, match=r"line 3: '2.5' .* is not a number; expected: a number such as 1234,5"):
        load_series(tmp_path / "bad.csv", target="y", decimal=",")


@pytest.mark.parametrize("option", ["target", "features", "known"])
def test_words_that_could_mean_several_columns_are_said_to_mean_one(option: str, tmp_path: Path) -> None:
    path = tmp_path / "levels.csv"
    frame(a=np.arange(80) % 7, b=np.arange(80) % 5).assign(**{"a,b": np.arange(80) % 3}).to_csv(path, index=False)

    def load(words: str) -> tuple[tuple[str, ...], list[str]]:
        given = {"target": "y", option: words}
        found = load_series(path, horizon=3, lookback=6, **given)
        of = {"target": found.targets, "features": found.features, "known": found.covariates.columns("known")}
        return of[option], [note for note in found.notes if "is read as the column" in note]

    one, notes = load("a,b")
    assert one[-1] == "a,b"
    assert notes == ["'a,b' is read as the column of this name, not as the columns 'a' and 'b': for these write 'a, b'"]
    assert load("a, b") == (("a", "b"), [])


def test_a_column_whose_own_name_has_commas_is_read_and_forecast(tmp_path: Path) -> None:
    name = "level (m, left, new)"
    path, out, answers = tmp_path / "levels.csv", tmp_path / "run", tmp_path / "answers.csv"
    frame(flow=np.arange(80) % 7, plan=np.arange(80) % 5).rename(columns={"y": name, "plan": "plan, b"}).to_csv(
        path, index=False
    )
    found = load_series(path, target=f"flow, {name}", features="plan, b", horizon=3, lookback=6)
    assert (found.targets, found.features) == (("flow", name), ("plan, b",))
    small = [*FLAGS[2:], "--out", str(out)]
    assert exit_code(["train", path, "--target", name, "--features", "flow", *small]) == 0
    assert exit_code(["predict", out, "--file", path, "--out", answers]) == 0
    assert list(pd.read_csv(answers).columns) == ["day", name]
    assert exit_code(["train", path, "--target", "level (m", *small]) == 2
