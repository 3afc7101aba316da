"""Times: read in every usual form, continued by the right step, written as they were given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.axis import Spacing, find_spacing
from gatewise.kinds.forecasting.series.forms import TimeForm, render
from gatewise.kinds.forecasting.series.reading import TimeColumn, TimeRules, read_times
from gatewise.kinds.forecasting.spec import SeriesSpec


def read(words: list[object], groups: list[str] | None = None, **rules: object) -> TimeColumn:
    places = [f"x.csv, line {row + 2}" for row in range(len(words))]
    return read_times(words, places, "time", TimeRules(**rules), groups)  # type: ignore[arg-type]


def next_words(words: list[object], count: int = 3, **rules: object) -> list[str]:
    """How the steps after a column are written."""
    found = read(words, **rules)
    ordered = np.sort(found.times)
    return found.form.written(find_spacing(ordered).after(ordered[-1], count))


def spelled(index: pd.DatetimeIndex, form: str) -> list[str]:
    return [render(moment.to_pydatetime(), form) for moment in index]


DAYS = pd.date_range("2026-01-10", periods=30, freq="D")
HOURS = pd.date_range("2026-01-01 13:00", periods=34, freq="h")
MONTHS = pd.date_range("2019-06-01", periods=30, freq="MS")


@pytest.mark.parametrize(
    ("index", "form", "following"),
    [
        (DAYS, "%Y-%m-%d", ["2026-02-09", "2026-02-10", "2026-02-11"]),
        (DAYS, "%Y%m%d", ["20260209", "20260210", "20260211"]),
        (DAYS, "%Y/%m/%d", ["2026/02/09", "2026/02/10", "2026/02/11"]),
        (DAYS, "%d.%m.%Y", ["09.02.2026", "10.02.2026", "11.02.2026"]),
        (DAYS, "%-d.%-m.%Y", ["9.2.2026", "10.2.2026", "11.2.2026"]),
        (DAYS, "%d.%m.%y", ["09.02.26", "10.02.26", "11.02.26"]),
        (DAYS, "%d/%m/%Y", ["09/02/2026", "10/02/2026", "11/02/2026"]),
        (DAYS, "%m/%d/%Y", ["02/09/2026", "02/10/2026", "02/11/2026"]),
        (DAYS, "%-m/%-d/%Y", ["2/9/2026", "2/10/2026", "2/11/2026"]),
        (DAYS, "%d %b %Y", ["09 Feb 2026", "10 Feb 2026", "11 Feb 2026"]),
        (HOURS, "%Y-%m-%d %H:%M:%S", ["2026-01-02 23:00:00", "2026-01-03 00:00:00", "2026-01-03 01:00:00"]),
        (HOURS, "%Y-%m-%dT%H:%M", ["2026-01-02T23:00", "2026-01-03T00:00", "2026-01-03T01:00"]),
        (HOURS, "%Y-%m-%dT%H:%M:%SZ", ["2026-01-02T23:00:00Z", "2026-01-03T00:00:00Z", "2026-01-03T01:00:00Z"]),
        (HOURS, "%d.%m.%Y %H:%M", ["02.01.2026 23:00", "03.01.2026 00:00", "03.01.2026 01:00"]),
        (HOURS, "%m/%d/%Y %I:%M %p", ["01/02/2026 11:00 PM", "01/03/2026 12:00 AM", "01/03/2026 01:00 AM"]),
        (MONTHS, "%Y-%m", ["2021-12", "2022-01", "2022-02"]),
        (MONTHS, "%Y%m", ["202112", "202201", "202202"]),
        (MONTHS, "%m.%Y", ["12.2021", "01.2022", "02.2022"]),
        (MONTHS, "%m/%Y", ["12/2021", "01/2022", "02/2022"]),
        (MONTHS, "%b %Y", ["Dec 2021", "Jan 2022", "Feb 2022"]),
        (MONTHS, "%d/%m/%Y", ["01/12/2021", "01/01/2022", "01/02/2022"]),
        (MONTHS, "%m/%d/%Y", ["12/01/2021", "01/01/2022", "02/01/2022"]),
        (pd.date_range("2015-01-01", periods=12, freq="QS"), "%YQ%q", ["2018Q1", "2018Q2", "2018Q3"]),
        (pd.date_range("2015-01-01", periods=12, freq="QS"), "%Y-Q%q", ["2018-Q1", "2018-Q2", "2018-Q3"]),
    ],
)
def test_times_go_on_as_they_are_written(index: pd.DatetimeIndex, form: str, following: list[str]) -> None:
    words = spelled(index, form)
    assert next_words(words) == following
    found = read(words)
    assert (found.times == index.to_numpy()).all()
    assert found.form.written(found.times) == words


@pytest.mark.parametrize(("form", "day_first"), [("%d.%m.%Y", True), ("%d.%m.%Y %H:%M", True), ("%m/%d/%Y", False)])
def test_output_can_be_parsed_by_pandas(tmp_path, form: str, day_first: bool) -> None:
    words = next_words(spelled(HOURS if "%H" in form else DAYS, form), 40)
    pd.DataFrame({"time": words}).to_csv(tmp_path / "x.csv", index=False)
    back = pd.read_csv(tmp_path / "x.csv", parse_dates=["time"], dayfirst=day_first)["time"]
    assert back.dtype.kind == "M" and back.is_monotonic_increasing


@pytest.mark.parametrize(
    ("alias", "first", "title", "following"),
    [
        ("ME", "2019-01-31", "every month", ["2021-07-31", "2021-08-31", "2021-09-30"]),
        ("QE", "2014-03-31", "every quarter", ["2021-09-30", "2021-12-31", "2022-03-31"]),
        ("YS", "1990-01-01", "every year", ["2020-01-01", "2021-01-01", "2022-01-01"]),
        ("YE", "1990-12-31", "every year", ["2020-12-31", "2021-12-31", "2022-12-31"]),
        ("B", "2026-01-01", "every business day", ["2026-02-12", "2026-02-13", "2026-02-16"]),
    ],
)
def test_calendar_steps(alias: str, first: str, title: str, following: list[str]) -> None:
    index = pd.date_range(first, periods=30, freq=alias)
    for rows in (index, index.delete([4, 11])):
        words = spelled(rows, "%Y-%m-%d")
        assert find_spacing(read(words).times).title == title
        assert next_words(words) == following


@pytest.mark.parametrize(("day", "following"), [(15, ["2026-02-15", "2026-03-15"]), (30, ["2026-02-28", "2026-03-30"])])
def test_months_on_any_day(day: int, following: list[str]) -> None:
    months = pd.date_range("2024-12-01", "2026-01-01", freq="MS")
    words = [f"{month:%Y-%m}-{min(day, month.days_in_month):02}" for month in months]
    assert next_words(words, 2) == following
    spacing = find_spacing(read(words).times)
    assert Spacing.from_dict(spacing.to_dict(), "x") == spacing and spacing.season == 12


def test_plain_years_and_numbers_stay_whole() -> None:
    assert next_words([str(year) for year in range(1990, 2020)]) == ["2020", "2021", "2022"]
    assert next_words(["0.5", "1.0", "1.5", "2.0"]) == ["2.5", "3.0", "3.5"]
    assert next_words([0, 10, 20, 30]) == ["40", "50", "60"]
    assert next_words([10_000_000.0 + 5 * step for step in range(6)], 1) == ["10000030"]


@pytest.mark.parametrize(("unit", "each"), [("seconds", 1), ("milliseconds", 1_000), ("nanoseconds", 1_000_000_000)])
def test_numbers_since_1970(unit: str, each: int) -> None:
    numbers = [(1_629_676_800 + 3_600 * step) * each for step in range(30)]
    words = [str(number) for number in numbers]
    assert next_words(words, 2) == [str(numbers[-1] + 3_600 * each), str(numbers[-1] + 7_200 * each)]
    found = read(words)
    assert found.times[0] == np.datetime64("2021-08-23T00:00") and unit in found.notes[0]
    assert find_spacing(found.times).season == 24
    index = found.form.index(found.times)
    assert index.dtype == np.int64 and index.tolist() == numbers
    monthly = [str(int(stamp.timestamp()) * each) for stamp in MONTHS]
    following = [pd.Timestamp("2021-12-01"), pd.Timestamp("2022-01-01")]
    assert next_words(monthly, 2) == [str(int(stamp.timestamp()) * each) for stamp in following]


def test_day_first_is_proved_or_refused() -> None:
    proved = read(spelled(DAYS, "%d/%m/%Y"))
    assert proved.notes == [
        "the dates in the column 'time' were read with the day first: the first number goes up to 31"
    ]
    assert read(spelled(DAYS, "%m/%d/%Y")).notes == []
    months = read(spelled(MONTHS, "%d/%m/%Y"))
    assert "only so do all rows follow each other in equal steps" in months.notes[0]
    assert "month first" in read(spelled(MONTHS, "%m/%d/%Y")).notes[0]
    with pytest.raises(DataError, match=r"line 3: '02/01/2020'.*day or the month first.*--date-format '%d/%m/%Y'"):
        read([f"{number:02}/01/2020" for number in range(1, 11)])
    with pytest.raises(DataError, match=r"line 4: day and month stand the other way round than in x.csv, line 3"):
        read(["01/02/2020", "13/01/2020", "01/13/2020"])


def test_training_data_decide_between_two_readings() -> None:
    words = [f"{number:02}/01/2020" for number in range(1, 11)]
    form = read(spelled(DAYS, "%d/%m/%Y")).form
    assert read(words, form=form).times[1] == np.datetime64("2020-01-02")
    american = read(spelled(DAYS, "%m/%d/%Y")).form
    assert read(words, form=american).times[1] == np.datetime64("2020-02-01")


def test_a_form_that_is_given_rules() -> None:
    words = [f"{number:02}/01/2020" for number in range(1, 11)]
    assert read(words, date_format="%d/%m/%Y").times[1] == np.datetime64("2020-01-02")
    assert next_words(words, 2, date_format="%m/%d/%Y") == ["11/01/2020", "12/01/2020"]
    assert next_words(["1.2.2020", "2.2.2020", "3.2.2020"], 1, date_format="%d.%m.%Y") == ["4.2.2020"]
    zoned = ["2020-01-01 00h +0100", "2020-01-01 01h +0100", "2020-01-01 02h +0100"]
    assert next_words(zoned, 1, date_format="%Y-%m-%d %Hh %z") == ["2020-01-01 03h +0100"]
    with pytest.raises(DataError, match=r"line 3: '13/13/2020'.*written as '%d/%m/%Y'"):
        read(["12/01/2020", "13/13/2020"], date_format="%d/%m/%Y")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"date_format": "%Q"}, "date_format cannot be read"),
        ({"date_format": "%d/%m"}, "no year"),
        ({"timezone": "Europe/Berln"}, "did you mean 'Europe/Berlin'"),
        ({"timezone": "berlin"}, "did you mean 'Europe/Berlin'"),
    ],
)
def test_settings_that_cannot_be_used(settings: dict[str, str], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        SeriesSpec("x.csv", **settings)


def local(start: str, periods: int, freq: str = "h", zone: str = "Europe/Berlin") -> pd.DatetimeIndex:
    return pd.date_range(start, periods=periods, freq=freq, tz=zone)


@pytest.mark.parametrize("start", ["2025-10-24 20:00", "2026-03-27 20:00"])
def test_local_hours_across_the_switch(start: str) -> None:
    index = local(start, 80)
    words = [str(stamp.tz_localize(None)) for stamp in index]
    found = read(words, timezone="Europe/Berlin")
    assert (found.times == index.tz_convert("UTC").tz_localize(None).to_numpy()).all()
    assert find_spacing(found.times) == Spacing("even", 3_600.0)
    assert found.form.written(found.times) == words
    assert next_words(words, 1, timezone="Europe/Berlin") == [str(index[-1].tz_localize(None) + pd.Timedelta("1h"))]
    backwards = read(words[::-1], timezone="Europe/Berlin")
    assert (backwards.times[::-1] == found.times).all()
    both = read(words + words, ["a"] * 80 + ["b"] * 80, timezone="Europe/Berlin")
    assert (both.times == np.concatenate([found.times] * 2)).all()


def test_forecasts_cross_the_switch() -> None:
    words = [str(stamp.tz_localize(None)) for stamp in local("2025-10-24 00:00", 50)]
    assert words[-1] == "2025-10-26 01:00:00"
    assert next_words(words, 4, timezone="Europe/Berlin") == [
        "2025-10-26 02:00:00",
        "2025-10-26 02:00:00",
        "2025-10-26 03:00:00",
        "2025-10-26 04:00:00",
    ]
    offsets = [stamp.isoformat() for stamp in local("2025-10-24 00:00", 50)]
    assert next_words(offsets, 3, timezone="Europe/Berlin")[1:] == [
        "2025-10-26T02:00:00+01:00",
        "2025-10-26T03:00:00+01:00",
    ]
    # without a zone nobody knows that the offset changes: the instants are right, and all offsets the same
    assert next_words(offsets, 3)[1:] == ["2025-10-26T03:00:00+02:00", "2025-10-26T04:00:00+02:00"]


@pytest.mark.parametrize(
    ("freq", "title"), [("D", "every day"), ("MS", "every month"), ("B", "every business day"), ("W", "every week")]
)
def test_days_and_longer_steps_go_by_the_wall_clock(freq: str, title: str) -> None:
    index = local("2025-09-01", 80, freq)
    offsets = [stamp.isoformat() for stamp in index]
    after = (index[-1] + index.freq).isoformat()
    for rules in ({}, {"timezone": "Europe/Berlin"}):
        found = read(offsets, **rules)
        assert find_spacing(found.times).title == title and found.form.clock == "wall"
        assert found.form.written(found.times) == offsets if rules else True
    assert next_words(offsets, 1, timezone="Europe/Berlin") == [after]


@pytest.mark.parametrize("style", ["+02:00", "+0200", "+02", " +02:00", "Z", " UTC", "-03:30"])
def test_offsets_stay_as_they_are(style: str) -> None:
    words = [f"2026-01-01T{hour:02}:00:00{style}" for hour in range(20)]
    assert next_words(words, 1) == [f"2026-01-01T20:00:00{style}"]
    assert read(words).form.written(read(words).times) == words


def test_stamps_keep_their_zone() -> None:
    index = local("2025-10-24", 80)
    found = read(index.tolist())
    assert found.form.index(found.times).equals(index)
    assert find_spacing(found.times) == Spacing("even", 3_600.0)
    days = read(local("2025-10-01", 40, "D").tolist())
    after = days.form.index(find_spacing(days.times).after(days.times[-1], 1))
    assert after[0] == pd.Timestamp("2025-11-10", tz="Europe/Berlin")


def test_an_hour_that_cannot_be_told_apart() -> None:
    words = [str(stamp.tz_localize(None)) for stamp in local("2025-10-25 20:00", 12)]
    shuffled = [words[row] for row in np.random.default_rng(0).permutation(12)]
    with pytest.raises(DataError, match=r"comes twice in autumn in Europe/Berlin.*sort the rows by time"):
        read(shuffled, timezone="Europe/Berlin")
    with pytest.raises(DataError, match=r"line 3: the time 2026-03-29 02:30:00 .* does not exist in Europe/Berlin"):
        read(["2026-03-29 01:30", "2026-03-29 02:30"], timezone="Europe/Berlin")


def test_shorter_and_longer_words_are_written_as_the_longest() -> None:
    words = ["2026-01-01", "2026-01-01 12:00:00", "2026-01-02", "2026-01-02 12:00:00"]
    assert next_words(words, 2) == ["2026-01-03 00:00:00", "2026-01-03 12:00:00"]


def test_more_digits_where_two_times_would_be_the_same() -> None:
    form = TimeForm(format="%Y-%m-%d")
    times = np.array(["2026-01-01T00:00", "2026-01-01T08:00"], dtype="datetime64[us]")
    assert form.written(times) == ["2026-01-01 00:00:00", "2026-01-01 08:00:00"]
    tenths = TimeForm(format="%H:%M:%S", digits=1)
    assert tenths.written(times[:1] + np.array([250_000]).astype("timedelta64[us]")) == ["00:00:00.3"]


@pytest.mark.parametrize("bad", ["31/02/2020", "2020-13-01", "soon", "25:00", "2020-01-01 25:00"])
def test_what_is_no_time(bad: str) -> None:
    good = spelled(DAYS, "%d/%m/%Y" if "/" in bad else "%Y-%m-%d")
    with pytest.raises(DataError, match=rf"line 7: '{bad}' in the column 'time' is not a time.*--date-format"):
        read([*good[:5], bad, *good[5:]])
    with pytest.raises(DataError, match=rf"line 2: '{bad}' in the column 'time' is not a time"):
        read([bad, *good])


def test_years_that_no_calendar_has() -> None:
    with pytest.raises(DataError, match="line 2: '0000-01-01' in the column 'time' is not a time"):
        read(["0000-01-01", "0000-01-02", "0000-01-03"])
    with pytest.raises(DataError, match="past the year 9999"):
        next_words(["9999-12-29", "9999-12-30", "9999-12-31"])
