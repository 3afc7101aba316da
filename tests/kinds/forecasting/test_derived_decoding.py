"""How far a forecast of hours looks back, and how it is decoded, where nobody says."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import exit_code
from gatewise import load_run
from gatewise.kinds.forecasting.decoding import with_decoding
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.lookback import LOOKBACK, default_lookback
from gatewise.kinds.forecasting.series.records import Series
from gatewise.kinds.forecasting.spec import ForecastModelSpec, SeriesSpec
from gatewise.training.run_spec import RunSpec
from run_folders import without_checksums

TINY = ["--hidden", "4", "--epochs", "1", "--threads", "1"]


def hours(path: Path, rows: int = 900) -> Path:
    """Hourly load with a daily wave and quiet weekends."""
    times = pd.date_range("2026-01-05", periods=rows, freq="h")
    load = 50 + 9 * np.sin(np.arange(rows) * np.pi / 12) - 20 * (times.day_of_week >= 5)
    pd.DataFrame({"time": times, "load": load.round(3)}).to_csv(path, index=False)
    return path


def network(run: Path) -> tuple[str, int, int]:
    model = load_run(run).model
    return model.decoding, model.segment, model.lookback


@pytest.mark.parametrize(
    ("step", "horizon", "rows", "expected"),
    [
        (3_600.0, 24, 900, 168),
        (1_800.0, 48, 4_000, 336),
        (900.0, 4, 4_000, 672),
        (3_600.0, 1, 900, LOOKBACK),
        (86_400.0, 14, 900, LOOKBACK),
        (60.0, 60, 4_000, LOOKBACK),
        (604_800.0, 4, 900, LOOKBACK),
        (3_600.0, 24, 400, 120),
    ],
)
def test_several_hours_are_forecast_from_a_week(step: float, horizon: int, rows: int, expected: int) -> None:
    series = Series("", np.arange(rows), np.ones((rows, 1)), (rows, rows, rows))
    found, notes = default_lookback([series], horizon, Spacing("even", step))
    assert found == expected
    assert bool(notes) == (rows == 400)


@pytest.mark.parametrize(
    ("lookback", "horizon", "season", "expected"),
    [
        (72, 24, 24, ("segments", 24)),
        (71, 24, 24, ("direct", 48)),
        (72, 1, 24, ("direct", 48)),
        (60, 5, None, ("direct", 48)),
        (60, 5, 1, ("direct", 48)),
        (60, 14, 7, ("segments", 7)),
    ],
)
def test_seasons_are_segments(lookback: int, horizon: int, season: int | None, expected: tuple[str, int]) -> None:
    found = with_decoding(ForecastModelSpec(), lookback, horizon, season)
    assert (found.decoding, found.segment_length) == expected
    direct = with_decoding(ForecastModelSpec(decoding="direct"), lookback, horizon, season)
    assert direct.decoding == "direct"
    own = with_decoding(ForecastModelSpec(segment_length=12), lookback, horizon, season)
    assert (own.decoding, own.segment_length) == (expected[0], 12)


def test_a_run_keeps_the_decoding_that_was_derived(tmp_path: Path) -> None:
    path, run = hours(tmp_path / "load.csv"), tmp_path / "run"
    command = ["train", path, "--horizon", "24", *TINY, "--out", run]
    assert exit_code(command) == 0
    assert network(run) == ("segments", 24, 168)
    assert exit_code(["predict", run, "--file", path, "--out", tmp_path / "next.csv"]) == 0
    assert len(pd.read_csv(tmp_path / "next.csv")) == 24
    given = [*command[:-1], tmp_path / "given", "--decoding", "direct", "--lookback", "60"]
    assert exit_code(given) == 0
    assert network(tmp_path / "given") == ("direct", 1, 60)
    # a run in which the decoding is damaged is refused, one without a record but with settings opens
    scaler = run / "scaler.json"
    record = json.loads(scaler.read_text())
    assert (record.pop("decoding"), record.pop("segment_length")) == ("segments", 24)
    scaler.write_text(json.dumps(record))
    without_checksums(run)
    assert exit_code(["predict", run, "--file", path, "--out", tmp_path / "again.csv"]) == 2
    older = tmp_path / "given" / "scaler.json"
    record = json.loads(older.read_text())
    del record["decoding"], record["segment_length"]
    older.write_text(json.dumps(record))
    spec = tmp_path / "given" / "spec.json"
    spec.write_text(
        json.dumps(
            json.loads(spec.read_text()) | {"model": json.loads(spec.read_text())["model"] | {"segment_length": 48}}
        )
    )
    without_checksums(tmp_path / "given")
    assert network(tmp_path / "given") == ("direct", 1, 60)


def test_a_run_of_before_resumes_with_what_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, run = hours(tmp_path / "load.csv"), tmp_path / "run"
    command = ["train", path, "--horizon", "24", *TINY, "--out", run]
    assert exit_code([*command, "--decoding", "direct", "--segment-length", "48", "--lookback", "60"]) == 0
    capsys.readouterr()
    assert exit_code(command) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "--lookback 60" in said and "--decoding direct" in said


def test_a_run_of_before_there_was_a_shortcut_opens_and_resumes_without_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = hours(tmp_path / "load.csv"), tmp_path / "run"
    command = ["train", path, "--horizon", "24", *TINY, "--out", run]
    assert exit_code(command) == 0
    spec = json.loads((run / "spec.json").read_text())
    assert spec["model"].pop("shortcut") is False
    (run / "spec.json").write_text(json.dumps(spec))
    without_checksums(run)
    assert load_run(run).model.shortcut is None
    assert exit_code(command) == 0
    capsys.readouterr()
    assert exit_code([*command, "--shortcut"]) == 2
    assert "expected: shortcut True got: shortcut False" in " ".join(capsys.readouterr().err.split())
    # a comparison of before finds its runs again
    old, new = (RunSpec(SeriesSpec("a.csv"), ForecastModelSpec(shortcut=given)) for given in (False, True))
    assert "shortcut" not in old.to_identity()["model"] and new.to_identity()["model"]["shortcut"] is True
