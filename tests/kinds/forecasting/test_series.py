"""Series: order of time, windows, scalers, gaps; nothing that comes later is ever fitted."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gatewise.kinds.forecasting.series.axis import find_spacing
from gatewise.kinds.forecasting.series.building import GAP
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.records import PARTS, Series, SeriesDataset
from gatewise.kinds.forecasting.series.scaling import fit_scaling, inverse_transform, transformed


def wave(path: Path, rows: int = 120, start: str = "2026-01-01", **columns: np.ndarray) -> pd.DataFrame:
    days = pd.date_range(start, periods=rows, freq="D")
    steps = np.arange(rows)
    frame = pd.DataFrame({"date": days, "sales": 20 + 5 * np.sin(steps / 3) + steps / 10, **columns})
    frame.to_csv(path, index=False)
    return frame


def load(path: Path, **settings: object) -> SeriesDataset:
    return load_series(path, **{"time": "date", "target": "sales", "horizon": 3, "lookback": 10, **settings})


def two_shops(path: Path) -> None:
    first, second = wave(path), wave(path)
    second["sales"] *= 1000
    pd.concat([first.assign(shop="a"), second.assign(shop="b")]).to_csv(path, index=False)


def test_parts_follow_each_other_in_time(tmp_path: Path) -> None:
    two_shops(tmp_path / "sales.csv")
    dataset = load(tmp_path / "sales.csv", group="shop")
    for each in dataset.series:
        assert each.borders == (84, 96, 120)
        assert (np.diff(each.times) > np.timedelta64(0)).all()
    times = {
        part: [dataset.series[s].times[o + 1] for s, o in zip(*dataset.windows(part), strict=True)] for part in PARTS
    }
    assert max(times["train"]) < min(times["validation"]) and max(times["validation"]) < min(times["test"])


@pytest.mark.parametrize("part", PARTS)
def test_no_window_crosses_a_border_or_a_group(tmp_path: Path, part: str) -> None:
    two_shops(tmp_path / "sales.csv")
    dataset = load(tmp_path / "sales.csv", group="shop")
    windows = dataset.windows(part)
    past, truth = dataset.past(windows), dataset.truth(windows)
    assert len(past) == dataset.sizes[part] > 0
    for place, (series, origin) in enumerate(zip(*windows, strict=True)):
        start, end = dataset.series[series].rows(part)
        assert start <= origin + 1 and origin + dataset.horizon < end
        whole = np.concatenate([past[place], truth[place]])[:, 0]
        # the second shop sells a thousand times as much: a mixed window would show both sizes
        assert (whole > 1000).all() if dataset.series[series].name == "b" else (whole < 1000).all()
    last = [dataset.series[series].times[origin] for series, origin in zip(*windows, strict=True)]
    assert (np.diff(np.array(last)) >= np.timedelta64(0)).all()


def test_every_test_step_is_forecast_and_the_look_back_reaches_into_the_part_before(tmp_path: Path) -> None:
    wave(tmp_path / "sales.csv")
    dataset = load(tmp_path / "sales.csv")
    origins = dataset.windows("test").origins
    assert origins[0] == 95 and origins[-1] == 120 - 3 - 1 and dataset.sizes["test"] == 24 - 3 + 1
    assert "look-back may reach into the part before" in dataset.split_note


@pytest.mark.parametrize("transform", ["value", "difference", "log-return"])
def test_shuffled_future_changes_nothing_that_is_fitted(transform: str) -> None:
    random = np.random.default_rng(0)
    values = random.lognormal(size=(50, 2))
    times = np.arange(50.0)
    first = Series("", times, values, (30, 40, 50))
    later = values.copy()
    later[30:] = random.permutation(later[30:]) * 100
    second = Series("", times, later, (30, 40, 50))
    before, after = fit_scaling(first, 1, transform), fit_scaling(second, 1, transform)
    for field in dataclasses.fields(before):
        np.testing.assert_array_equal(getattr(before, field.name), getattr(after, field.name))


@pytest.mark.parametrize("transform", ["value", "difference", "log-return"])
def test_transforms_are_inverted_exactly(transform: str) -> None:
    values = np.random.default_rng(1).lognormal(size=(30, 2))
    steps = transformed(values, 2, transform)
    back = inverse_transform(steps[None, 20:], values[None, 19], transform)
    np.testing.assert_allclose(back[0], values[20:], rtol=1e-12)


def test_features_are_not_transformed() -> None:
    values = np.random.default_rng(2).lognormal(size=(5, 2))
    np.testing.assert_array_equal(transformed(values, 1, "log-return")[:, 1], values[:, 1])


@pytest.mark.parametrize("transform", ["difference", "log-return"])
def test_no_difference_is_taken_across_a_hole(transform: str) -> None:
    values = np.random.default_rng(3).lognormal(size=(40, 2))
    jump = np.concatenate([values[:20], values[20:] * [1000.0, 1.0]])
    holed = Series("", np.arange(40.0), jump, (30, 35, 40), (20, 32))
    steps = transformed(jump, 1, transform, breaks=holed.breaks)
    assert steps[20, 0] == steps[32, 0] == 0 and steps[20, 1] == jump[20, 1]
    scaling, logs = fit_scaling(holed, 1, transform), np.log(jump[:, 0])
    taken = np.delete(np.diff(jump[:30, 0]), 19)
    assert scaling.naive_error[0] == pytest.approx(np.abs(taken).mean())
    learnt = taken if transform == "difference" else np.delete(np.diff(logs[:30]), 19)
    assert scaling.deviation[0] == pytest.approx(np.concatenate([[0.0], learnt]).std())


def test_missing_steps_are_filled_from_the_past(tmp_path: Path) -> None:
    frame = wave(tmp_path / "sales.csv")
    frame.drop(index=[50, 51]).to_csv(tmp_path / "sales.csv", index=False)
    dataset = load(tmp_path / "sales.csv")
    values = dataset.series[0].values[:, 0]
    assert len(values) == 120 and values[50] == values[51] == values[49]
    assert any(note.startswith("2 missing steps were filled") for note in dataset.notes)


def test_long_gaps_cut_the_series(tmp_path: Path) -> None:
    frame = wave(tmp_path / "sales.csv")
    frame.drop(index=range(40, 40 + GAP + 1)).to_csv(tmp_path / "sales.csv", index=False)
    dataset = load(tmp_path / "sales.csv")
    each = dataset.series[0]
    assert each.breaks == (40,) and len(each.values) == 120 - GAP - 1
    for origin in dataset.windows("train").origins:
        assert not origin - dataset.lookback + 1 < 40 <= origin + dataset.horizon


def test_missing_values_are_filled_and_long_runs_left_out(tmp_path: Path) -> None:
    frame = wave(tmp_path / "sales.csv")
    frame.loc[[3, 30, 31], "sales"] = np.nan
    frame.loc[60:69, "sales"] = np.nan
    frame.to_csv(tmp_path / "sales.csv", index=False)
    each = load(tmp_path / "sales.csv").series[0]
    assert np.isfinite(each.values).all() and len(each.values) == 110 and each.breaks == (60,)
    assert each.values[31, 0] == each.values[29, 0]
    assert "3 missing values were filled with the last value before them" in load(tmp_path / "sales.csv").notes


def test_the_share_of_the_test_part_that_is_carried_forward_is_reported(tmp_path: Path) -> None:
    frame = wave(tmp_path / "sales.csv", visitors=np.arange(120.0))
    assert "missing" not in load(tmp_path / "sales.csv").split_note
    frame.loc[[5, 50, 118], "sales"] = np.nan  # one of the 24 steps of the test part
    frame.loc[100:103, "visitors"] = np.nan
    frame.drop(index=[110, 111]).to_csv(tmp_path / "sales.csv", index=False)
    dataset = load(tmp_path / "sales.csv", features="visitors")
    assert dataset.series[0].rows("test") == (96, 120)
    assert "; 12 % of its values are missing and count as the last one" in dataset.split_note


def test_unsorted_rows_are_sorted(tmp_path: Path) -> None:
    frame = wave(tmp_path / "sales.csv")
    ordered = load(tmp_path / "sales.csv")
    frame.sample(frac=1, random_state=3).to_csv(tmp_path / "sales.csv", index=False)
    shuffled = load(tmp_path / "sales.csv")
    assert shuffled.fingerprint == ordered.fingerprint and "rows were sorted by time" in shuffled.notes


def test_fingerprint_knows_values_and_horizon(tmp_path: Path) -> None:
    frame = wave(tmp_path / "sales.csv")
    first = load(tmp_path / "sales.csv").fingerprint
    assert load(tmp_path / "sales.csv", horizon=4).fingerprint != first
    frame.loc[119, "sales"] += 1e-9
    frame.to_csv(tmp_path / "sales.csv", index=False)
    assert load(tmp_path / "sales.csv").fingerprint != first


@pytest.mark.parametrize("suffix", [".tsv", ".jsonl", ".parquet"])
def test_formats_give_the_same_series(tmp_path: Path, suffix: str) -> None:
    frame = wave(tmp_path / "sales.csv")
    path = tmp_path / f"sales{suffix}"
    if suffix == ".tsv":
        frame.to_csv(path, index=False, sep="\t")
    elif suffix == ".jsonl":
        frame.assign(date=frame["date"].astype(str)).to_json(path, orient="records", lines=True, double_precision=15)
    else:
        pytest.importorskip("pyarrow")
        frame.to_parquet(path)
    first, other = load(tmp_path / "sales.csv").series[0], load(path).series[0]
    np.testing.assert_array_equal(first.times, other.times)
    np.testing.assert_allclose(first.values, other.values, rtol=1e-12)


@pytest.mark.parametrize(
    ("alias", "rule", "season", "following"),
    [
        ("h", "even", 24, "2026-01-31T00"),
        ("D", "even", 7, "2026-01-31"),
        ("B", "business", 5, "2026-02-02"),
        ("MS", "calendar", 12, "2026-02-01"),
        ("ME", "calendar", 12, "2026-02-28"),
    ],
)
def test_spacing_is_found_and_continued(alias: str, rule: str, season: int, following: str) -> None:
    times = pd.date_range(end="2026-01-31", periods=40, freq=alias).to_numpy().astype("datetime64[us]")
    if alias == "h":
        times = pd.date_range(end="2026-01-30 23:00", periods=40, freq="h").to_numpy().astype("datetime64[us]")
    if alias == "D":
        times = pd.date_range(end="2026-01-30", periods=40, freq="D").to_numpy().astype("datetime64[us]")
    spacing = find_spacing(times)
    assert (spacing.rule, spacing.season) == (rule, season)
    assert spacing.after(times[-1], 1)[0] == np.datetime64(following)


def test_uneven_times_are_taken_row_by_row(tmp_path: Path) -> None:
    frame = wave(tmp_path / "sales.csv")
    random = np.random.default_rng(5)
    frame["date"] = pd.Timestamp("2026-01-01") + pd.to_timedelta(np.cumsum(random.integers(40, 9000, 120)), unit="s")
    frame.to_csv(tmp_path / "sales.csv", index=False)
    dataset = load(tmp_path / "sales.csv")
    assert dataset.spacing.rule == "uneven" and len(dataset.series[0].values) == 120
    assert any("a row is a step" in note for note in dataset.notes)


def test_rows_without_times(tmp_path: Path) -> None:
    wave(tmp_path / "sales.csv").drop(columns="date").to_csv(tmp_path / "sales.csv", index=False)
    dataset = load(tmp_path / "sales.csv", time=None)
    assert dataset.spacing.rule == "rows" and dataset.series[0].borders == (84, 96, 120)


def test_offsets_become_utc(tmp_path: Path) -> None:
    frame = wave(tmp_path / "sales.csv")
    plain = load(tmp_path / "sales.csv")
    words = [f"{day}T02:00:00+02:00" if n % 2 else f"{day}T00:00:00Z" for n, day in enumerate(frame["date"].dt.date)]
    frame.assign(date=words).to_csv(tmp_path / "sales.csv", index=False)
    zoned = load(tmp_path / "sales.csv")
    np.testing.assert_array_equal(zoned.series[0].times, plain.series[0].times)
    assert "times were converted to UTC from 2 different offsets" in zoned.notes


def test_groups_that_cannot_be_learnt_from_are_left_out(tmp_path: Path) -> None:
    long, short, still = wave(tmp_path / "a.csv"), wave(tmp_path / "a.csv", 20, "2026-04-10"), wave(tmp_path / "a.csv")
    still["sales"] = 7.0
    every = [long.assign(shop="long"), short.assign(shop="short"), still.assign(shop="still")]
    pd.concat(every).to_csv(tmp_path / "sales.csv", index=False)
    dataset = load(tmp_path / "sales.csv", group="shop")
    assert [each.name for each in dataset.series] == ["long"]
    assert sum("left out" in note for note in dataset.notes) == 2
