"""Times from a file or frame to the forecast of it: the same form, the same zone."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import exit_code
from gatewise import Forecaster
from gatewise.errors import DataError
from run_folders import without_checksums

SMALL = {"hidden_size": 4, "epochs": 1, "threads": 1, "batch_size": 16}
FLAGS = ["--target", "y", "--horizon", "3", "--lookback", "6", "--hidden", "4", "--epochs", "1", "--threads", "1"]


def table(path: Path, words: list[str]) -> Path:
    steps = np.arange(len(words))
    pd.DataFrame({"when": words, "y": np.sin(steps) + steps / 50}).to_csv(path, index=False)
    return path


def trained(folder: Path, words: list[str], *more: str, time: bool = True) -> Path:
    data = table(folder / "data.csv", words)
    run = folder / "run"
    given = ["--time", "when"] if time else []
    assert exit_code(["train", data, *given, *FLAGS, *more, "--out", run]) == 0
    return run


HOURS = pd.date_range("2025-10-23 20:00", periods=75, freq="h", tz="Europe/Berlin")
MONTHS = pd.date_range("2016-12-01", periods=75, freq="MS")


@pytest.mark.parametrize(
    ("words", "more", "following"),
    [
        ([f"{day:%d/%m/%Y}" for day in MONTHS], [], ["01/03/2023", "01/04/2023", "01/05/2023"]),
        (
            [str(hour.tz_localize(None)) for hour in HOURS],
            ["--timezone", "Europe/Berlin"],
            ["2025-10-26 22:00:00", "2025-10-26 23:00:00", "2025-10-27 00:00:00"],
        ),
        (
            [hour.isoformat() for hour in HOURS],
            [],
            ["2025-10-26T22:00:00+01:00", "2025-10-26T23:00:00+01:00", "2025-10-27T00:00:00+01:00"],
        ),
        (
            [str(1_629_680_000 + 60 * step) for step in range(75)],
            [],
            ["1629684500", "1629684560", "1629684620"],
        ),
    ],
)
def test_predict_writes_times_as_the_file_does(
    tmp_path: Path, words: list[str], more: list[str], following: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path, words, *more)
    assert exit_code(["predict", run, "--file", tmp_path / "data.csv", "--out", tmp_path / "next.csv"]) == 0
    found = pd.read_csv(tmp_path / "next.csv", dtype={"when": str})
    assert found["when"].tolist() == following
    if words[0].isdigit():
        assert pd.read_csv(tmp_path / "next.csv")["when"].dtype == np.int64
    else:
        assert pd.read_csv(tmp_path / "next.csv", parse_dates=["when"])["when"].dtype.kind == "M"


def test_a_predicted_file_may_be_written_otherwise(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    days = pd.date_range("2026-01-01", periods=75, freq="D")
    run = trained(tmp_path, [f"{day:%d/%m/%Y}" for day in days])
    later = days[-9:] + pd.Timedelta("25D")
    assert (later.day <= 12).all()
    for form in ("%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y"):
        other = table(tmp_path / "other.csv", [day.strftime(form) for day in later])
        capsys.readouterr()
        assert exit_code(["predict", run, "--file", other]) == 0
        expected = [(later[-1] + pd.Timedelta(days=step)).strftime(form) for step in (1, 2, 3)]
        assert [line.split(",")[0] for line in capsys.readouterr().out.splitlines()[1:]] == expected
    ambiguous = table(tmp_path / "other.csv", [f"{number:02}/07/2026" for number in range(1, 11)])
    assert exit_code(["predict", run, "--file", ambiguous]) == 0
    assert capsys.readouterr().out.splitlines()[1].startswith("11/07/2026,")


@pytest.mark.parametrize("freq", ["h", "D"])
def test_a_zoned_index_stays_zoned(freq: str) -> None:
    index = pd.date_range("2025-08-20", periods=75, freq=freq, tz="Europe/Berlin")
    frame = pd.DataFrame({"y": np.sin(np.arange(75))}, index=index)
    model = Forecaster(horizon=3, lookback=6, **SMALL).fit(frame)
    assert model.predict().index.equals(pd.date_range(index[-1] + index.freq, periods=3, freq=freq, name="time"))
    moved = frame.copy()
    moved.index = index + pd.Timedelta("60D")
    assert str(model.predict(frame=moved).index.tz) == "Europe/Berlin"


def test_an_hour_that_comes_twice_names_the_fix(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = table(tmp_path / "data.csv", [str(hour.tz_localize(None)) for hour in HOURS])
    assert exit_code(["train", data, "--time", "when", *FLAGS, "--out", tmp_path / "run"]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "2025-10-26 02:00:00 comes twice" in said and "--timezone" in said and "Traceback" not in said
    assert not (tmp_path / "run").exists()


def test_an_old_run_without_the_form_is_opened(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=75, freq="D")
    run = trained(tmp_path, [f"{day:%Y-%m-%d}" for day in days])
    record = json.loads((run / "scaler.json").read_text())
    del record["form"], record["time"]
    (run / "scaler.json").write_text(json.dumps(record))
    without_checksums(run)
    assert exit_code(["predict", run, "--file", tmp_path / "data.csv", "--out", tmp_path / "next.csv"]) == 0
    assert pd.read_csv(tmp_path / "next.csv")["when"][0] == "2026-03-17"


def test_a_daylight_gap_is_refused_with_its_row() -> None:
    index = pd.date_range("2026-03-28", periods=75, freq="h")
    frame = pd.DataFrame({"y": np.arange(75.0)}, index=index)
    with pytest.raises(DataError, match=r"row 26: the time 2026-03-29 02:00:00 .* does not exist in Europe/Berlin"):
        Forecaster(horizon=3, lookback=6, timezone="Europe/Berlin", **SMALL).fit(frame)
