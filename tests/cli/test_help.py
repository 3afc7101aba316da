"""The help of all commands is in one form: options of one meaning are called and described alike."""

from __future__ import annotations

import re
from functools import cache

import pytest
import typer
from typer.testing import CliRunner

from gatewise.cli.app import app

NAMES = sorted(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
DIFFERENT = {"--out", "--json", "--text", "--target", "--tokens", "--attention"}
"""Options whose value differs: a folder or a file; and what explain, generate and bench call otherwise."""


@cache
def _shown(*words: str, columns: int = 120) -> str:
    ran = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": str(columns)})
    assert ran.exit_code == 0
    return ran.stdout


def _options(shown: str) -> list[tuple[str, str]]:
    """Each option with what stands behind it for its value."""
    return re.findall(r"^  (--[a-z-]+|-h)(?:, --[a-z-]+)*(?: ([A-Z]\S*))?(?=\s|$)", shown, re.MULTILINE)


@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("words", [(), *((name,) for name in NAMES)])
def test_nothing_is_cut_and_all_is_said_in_one_way(words: tuple[str, ...], columns: int) -> None:
    shown = _shown(*words, columns=columns)
    assert max(map(len, shown.splitlines())) <= columns
    assert shown.startswith(f"Usage: gatewise{''.join(f' {word}' for word in words)} [OPTIONS]")
    for sign in ("\N{HORIZONTAL ELLIPSIS}", "<", "[default", "[required", "(default:", "x>=", "{", "\u256d"):
        assert sign not in shown, sign
    flat = " ".join(shown.split())
    # the default is said after the sentence, not within it
    assert not re.search(r"\(default [^()]*\)\.", flat)


def test_what_every_command_has_stands_last() -> None:
    for name in NAMES:
        own = re.search(r"^Options\n(.*?)(?=^\S|\Z)", _shown(name), re.MULTILINE | re.DOTALL)
        assert own is not None
        flags = [flag for flag, _ in _options(own[1])]
        assert flags[-1] == "-h" and ("--import" not in flags or flags[-2] == "--import")


def test_an_option_has_one_kind_of_value_in_all_commands() -> None:
    found: dict[str, set[str]] = {}
    for name in NAMES:
        for flag, value in _options(_shown(name)):
            found.setdefault(flag, set()).add(value.replace("[,N]", "").replace("[,X]", ""))
    assert {flag: values for flag, values in found.items() if len(values) > 1 and flag not in DIFFERENT} == {}
    assert len(found) > 150


def test_defaults_and_bounds_are_said_alike() -> None:
    flat = " ".join(_shown("inspect").split())
    assert (
        "--steps N Steps of each sequence. (default 101, at least 2)" in flat
        and "Usage: gatewise inspect [OPTIONS] RUN..." in flat
    )
    assert "(default --browser)" in _shown("explain") and "(required)" in _shown("listen")
