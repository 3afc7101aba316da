"""The names of the months in some languages, in full and short."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["names_of_months"]

# fmt: off
_NAMES = (
    "January February March April May June July August September October November December",
    "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec",
    "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "Jan Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "Jän Feb Mär Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "Jan Feb Mrz Apr Mai Jun Jul Aug Sep Okt Nov Dez",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "janv févr mars avr mai juin juil août sept oct nov déc",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "ene feb mar abr may jun jul ago sep oct nov dic",
    "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "gen feb mar apr mag giu lug ago set ott nov dic",
    "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "jan fev mar abr mai jun jul ago set out nov dez",
    "januari februari maart april mei juni juli augustus september oktober november december",
    "jan feb mrt apr mei jun jul aug sep okt nov dec",
)
# fmt: on


def names_of_months(words: Sequence[str]) -> tuple[str, ...]:
    """All twelve names as these words have them: language, length, case, a point at the end; empty: they are none.

    Args:
        words: names of months.

    Example:
        >>> names_of_months(["MAI", "JUN"])[:3], names_of_months(["May", "Autumn"])
        (('JAN', 'FEB', 'MÄR'), ())
    """
    written = set(words)
    for language in _NAMES:
        names = tuple(language.split())
        for point in ("", "."):
            for case in (str, str.capitalize, str.upper, str.lower):
                found = tuple(f"{case(name)}{point}" for name in names)
                if written and written <= set(found):
                    return found
    return ()
