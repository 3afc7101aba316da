"""Checks of settings about times, before any file is read. Imports no torch, and pandas neither."""

from __future__ import annotations

from datetime import datetime

from gatewise.errors import OptionError, did_you_mean

__all__ = ["DECIMALS", "EXCEL", "THOUSANDS", "check_marks", "check_times", "with_weekday"]

EXCEL = "excel"
"""The ``date_format`` of numbers that count days as Excel does: 45000.5."""
DECIMALS = (".", ",")
THOUSANDS = (",", ".", "space", "'")
_SAMPLE = datetime(2021, 3, 1)


def with_weekday(date_format: str) -> str:
    """A form of ISO weeks with the day that ``strptime`` wants beside them; any other form as it is.

    Example:
        >>> with_weekday("%G-W%V"), with_weekday("%Y-%m-%d")
        ('%G-W%V-%u', '%Y-%m-%d')
    """
    named = any(day in date_format for day in ("%u", "%a", "%A", "%w"))
    return f"{date_format}-%u" if "%V" in date_format and not named else date_format


def check_marks(decimal: str, thousands: str | None) -> None:
    """Refuse one mark that separates thousands and begins the decimals too.

    Args:
        decimal: the decimal mark; beside points of thousands it is the comma, whatever stands here.
        thousands: one of `THOUSANDS`; None: found.

    Raises:
        OptionError: both are the comma.

    Example:
        >>> check_marks(",", ".")
        >>> check_marks(",", ",")
        Traceback (most recent call last):
        gatewise.errors.OptionError: a comma cannot separate thousands and begin the decimals too; ...
    """
    if decimal == thousands == ",":
        raise OptionError(
            "a comma cannot separate thousands and begin the decimals too",
            expected="two different marks",
            got="--decimal , and --thousands ,",
            fix="--decimal , for 62,5; --thousands , for 62,838.5",
        )


def check_times(date_format: str | None, timezone: str | None) -> None:
    """Refuse a form of dates that cannot be read back, and a time zone that nobody knows.

    Args:
        date_format: as for ``strptime``, or ``excel``; None: found in the file.
        timezone: name of a time zone; None: none.

    Raises:
        OptionError: one of them cannot be used.

    Example:
        >>> check_times("%d/%m/%Y", "Europe/Berlin")
        >>> check_times("%d/%m", None)
        Traceback (most recent call last):
        gatewise.errors.OptionError: date_format has no year; ...
    """
    if date_format is not None and date_format != EXCEL:
        try:
            form = with_weekday(date_format)
            read = datetime.strptime(_SAMPLE.strftime(form.replace("%z", "+0000")), form)
        except ValueError as error:
            raise OptionError(
                "date_format cannot be read",
                expected="directives of strptime, such as '%d/%m/%Y' or '%Y-%m-%d %H:%M'; or excel",
                got=repr(date_format),
                fix="write it as in Python's datetime.strptime",
            ) from error
        if (read.year, read.month) not in ((2021, 3), (2021, 1)):
            raise OptionError(
                "date_format has no year", expected="%Y or %y, as in '%d/%m/%Y'", got=repr(date_format), fix="add it"
            )
    if timezone is not None:
        from zoneinfo import available_timezones

        names = available_timezones()
        if timezone not in names:
            raise OptionError(
                "timezone is not known",
                expected="a name such as Europe/Berlin, America/New_York or UTC",
                got=repr(timezone),
                fix=_near(timezone, sorted(names)),
            )


def _near(name: str, names: list[str]) -> str:
    """The nearest name, by its last part too; all of them would fill the screen."""
    found = did_you_mean(name, names)
    if found.startswith("did"):
        return found
    cities = {each.rpartition("/")[2]: each for each in names}
    by_city = did_you_mean(name.rpartition("/")[2].replace(" ", "_"), cities)
    if by_city.startswith("did"):
        return f"did you mean {cities[by_city.split(chr(39))[1]]!r}?"
    return "use a name of the IANA list, which begins with the continent"
