"""Marks of thousands that may be decimal marks too: named with --thousands, else refused or said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import exit_code, ran, refused
from gatewise import Forecaster, load_run
from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.signs import Marks, plain_numbers
from gatewise.kinds.forecasting.spec import SeriesSpec
from run_folders import without_checksums

TINY = ["--horizon", "2", "--lookback", "7", "--hidden", "4", "--epochs", "1", "--threads", "1"]
VALUES = [62_838 + 417 * (n % 7) + 31 * n for n in range(60)]
DAYS = [str(day)[:10] for day in pd.date_range("2025-01-01", periods=60)]
MARKS = {",": ",", ".": ".", "space": "\u202f", "'": "\u2019"}


def _table(folder: Path, words: list[str], name: str = "sales.csv") -> Path:
    path = folder / name
    path.write_text("day;sales\n" + "".join(f"{day};{word}\n" for day, word in zip(DAYS, words, strict=False)))
    return path


def _written(mark: str) -> list[str]:
    return [f"{value:,}".replace(",", MARKS[mark]) for value in VALUES]


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_that_is_named_separates_thousands(tmp_path: Path, mark: str) -> None:
    dataset = load_series(_table(tmp_path, _written(mark)), thousands=mark, horizon=2, lookback=7)
    assert dataset.series[0].values.ravel().tolist() == VALUES
    assert not any("--thousands" in note for note in dataset.notes)


def test_commas_that_may_be_either_are_refused_with_both_readings(tmp_path: Path) -> None:
    path = _table(tmp_path, _written(","))
    with pytest.raises(
        DataError, match=r"line 2: '62,838' .*--thousands , .*: 62838 instead of 62,838; or, .*: --decimal ,"
    ):
        load_series(path, horizon=2, lookback=7)
    decimals = load_series(path, decimal=",", horizon=2, lookback=7).series[0].values.ravel()
    np.testing.assert_allclose(decimals, np.array(VALUES) / 1000)


def test_points_that_may_be_either_are_read_as_decimal_points_which_is_said(tmp_path: Path) -> None:
    path = _table(tmp_path, _written("."))
    dataset = load_series(path, horizon=2, lookback=7)
    assert dataset.series[0].values[0, 0] == 62.838
    said = [note for note in dataset.notes if "decimal point" in note]
    assert said == [
        "the point in 62.838 and all numbers of the column 'sales' is read as a decimal point; where it separates "
        "thousands, so that this is 62838: --thousands ."
    ]
    one = _table(tmp_path, ["0.838", *_written(".")[1:]], "sure.csv")  # 0.838 is no 838
    assert not any("decimal point" in note for note in load_series(one, horizon=2, lookback=7).notes)
    other = _table(tmp_path, [*_written(".")[:-1], "64.5"], "other.csv")
    assert not any("decimal point" in note for note in load_series(other, horizon=2, lookback=7).notes)


def test_two_points_in_a_number_separate_thousands(tmp_path: Path) -> None:
    words = [f"{value * 20:,}".replace(",", ".") for value in VALUES]
    assert words[0] == "1.256.760"
    words[3] = "997"
    dataset = load_series(_table(tmp_path, words), horizon=2, lookback=7)
    assert dataset.series[0].values[:4].ravel().tolist() == [VALUES[0] * 20, VALUES[1] * 20, VALUES[2] * 20, 997]
    assert any("read without points of thousands" in note for note in dataset.notes)
    assert plain_numbers(pd.Series(["1.256.760", "1256760"]))[1] == []  # one of seven digits has none


def test_decimals_beside_thousands(tmp_path: Path) -> None:
    words = [f"{value + 0.25:,.2f}" for value in VALUES]
    german = [word.translate(str.maketrans(",.", ".,")) for word in words]
    swiss = [word.replace(",", "'").replace(".", ",") for word in words]
    for written, settings in ((words, {"thousands": ","}), (german, {"thousands": "."}), (swiss, {"thousands": "'"})):
        found = load_series(_table(tmp_path, written), horizon=2, lookback=7, **settings)  # type: ignore[arg-type]
        assert found.series[0].values.ravel().tolist() == [value + 0.25 for value in VALUES]


@pytest.mark.parametrize(("word", "mark"), [("62,83", ","), ("6283,838", ","), ("62.8", "."), ("62 83", "space")])
def test_a_mark_in_another_place_is_refused_with_its_line(tmp_path: Path, word: str, mark: str) -> None:
    words = _written(mark)
    words[4] = word
    with pytest.raises(DataError, match=rf"sales.csv, line 6: '{word}' in the column 'sales' is no number with"):
        load_series(_table(tmp_path, words), thousands=mark, target="sales", horizon=2, lookback=7)


def test_texts_that_are_no_numbers_are_left_alone(tmp_path: Path) -> None:
    table = pd.DataFrame({"day": DAYS, "sales": _written(","), "weather": ["sun, wind", "rain"] * 30})
    table.to_csv(tmp_path / "x.csv", index=False)
    dataset = load_series(tmp_path / "x.csv", target="sales", known="weather", thousands=",", horizon=2, lookback=7)
    assert dataset.covariates.known[0].categories == ("rain", "sun, wind")
    assert dataset.series[0].values[0, 0] == VALUES[0]


def test_one_mark_cannot_be_both() -> None:
    assert Marks(",", ".").decimal == Marks(thousands=".").decimal == ","
    for make in (Marks, lambda *given: SeriesSpec("x.csv", decimal=given[0], thousands=given[1])):
        with pytest.raises(OptionError, match="a comma cannot separate thousands and begin the decimals too"):
            make(",", ",")
    with pytest.raises(OptionError, match="thousands"):
        SeriesSpec("x.csv", thousands=";")


def test_a_run_remembers_what_it_read_with(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, run = _table(tmp_path, _written(",")), tmp_path / "run"
    assert "--thousands" in refused(["train", data, *TINY, "--out", run], capsys)
    assert exit_code(["train", data, *TINY, "--thousands", ",", "--out", run]) == 0
    assert json.loads((run / "spec.json").read_text())["data"]["thousands"] == ","
    assert load_run(run).data_spec.thousands == ","
    code, out, _ = ran(["predict", run, "--file", data], capsys)
    assert code == 0 and all(10_000 < float(line.split(",")[1]) < 200_000 for line in out.splitlines()[1:])
    _, measured, _ = ran(["evaluate", run, data, "--json"], capsys)
    german = _table(tmp_path, _written("."), "german.csv")
    _, again, _ = ran(["evaluate", run, german, "--thousands", ".", "--json"], capsys)
    assert json.loads(again)["mean_squared_error"] == json.loads(measured)["mean_squared_error"]
    code, out, _ = ran(["predict", run, "--file", german, "--thousands", "."], capsys)
    assert code == 0 and ";" in out  # the comma is then the decimal mark
    # a file with decimal commas: the mark of the training is not kept beside one that is named
    german.write_text("day;sales\n" + "".join(f"{day};{n},5\n" for n, day in enumerate(DAYS)))
    assert ran(["predict", run, "--file", german, "--decimal", ","], capsys)[0] == 0


def test_python_has_it_too() -> None:
    frame = pd.DataFrame({"day": DAYS, "sales": _written(",")})
    model = Forecaster(
        horizon=2, lookback=7, time="day", target="sales", thousands=",", hidden_size=4, epochs=1, threads=1
    )
    found = model.fit(frame).predict(frame=frame)
    assert found["sales"].between(10_000, 200_000).all()


@pytest.mark.parametrize(("mark", "sure"), [(".", "1.062.838"), (",", "1,062,838")])
def test_a_run_remembers_the_mark_that_it_found(
    tmp_path: Path, mark: str, sure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A shorter file may have no number that shows it."""
    words = _written(mark)
    data, run, short = _table(tmp_path, [sure, *words[1:]]), tmp_path / "run", _table(tmp_path, words[20:], "short.csv")
    assert exit_code(["train", data, *TINY, "--out", run]) == 0
    assert load_run(run).marks == Marks(thousands=mark)
    code, out, said = ran(["predict", run, "--file", short, "--json"], capsys)
    assert code == 0 and "decimal point" not in said
    digits = _table(tmp_path, [word.replace(mark, "") for word in words[20:]], "digits.csv")
    expected = json.loads(ran(["predict", run, "--file", digits, "--json"], capsys)[1])
    assert json.loads(out)["forecasts"] == expected["forecasts"]
    model = Forecaster(horizon=2, lookback=7, target="sales", time="day", hidden_size=4, epochs=1, threads=1)
    frame = pd.DataFrame({"day": DAYS, "sales": [sure, *words[1:]]})
    plain = frame.assign(sales=[float(word.replace(mark, "")) for word in frame["sales"]])
    pd.testing.assert_frame_equal(model.fit(frame).predict(frame=frame[20:]), model.predict(frame=plain[20:]))
    # not beside a column in which the mark begins decimals
    frame.assign(rate=[f"{n % 9}{mark}25" for n in range(60)]).to_csv(tmp_path / "both.csv", index=False, sep=";")
    dataset = load_series(tmp_path / "both.csv", target="sales", features="rate", horizon=2, lookback=7)
    assert dataset.thousands is None and dataset.series[0].values[1].tolist() == [VALUES[1], 1.25]
    record = json.loads((run / "scaler.json").read_text())
    (run / "scaler.json").write_text(json.dumps({**record, "thousands": "x"}))
    without_checksums(run)
    with pytest.raises(RunError, match=r"scaler.json is damaged.*a known mark of thousands"):
        load_run(run)


def test_a_run_whose_numbers_have_no_marks_keeps_the_files_of_before(tmp_path: Path) -> None:
    """An interrupted run of an earlier version resumes only where its files are derived as they were."""
    path, out = _table(tmp_path, [str(value) for value in VALUES]), tmp_path / "run"
    assert exit_code(["train", str(path), "--task", "forecasting", *TINY, "--out", str(out)]) == 0
    assert "thousands" not in json.loads((out / "scaler.json").read_text())
    assert load_run(out).thousands is None
