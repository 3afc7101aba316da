"""`gatewise explain` and `gatewise.explain`, as a person uses them."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from readable import Runs
from rich.console import Console

import gatewise
from commands import ran
from gatewise.cli.explain_display import show_explanations
from gatewise.inspection.explaining import explanation_of

HOSTILE = "a wonderful <script>alert('x')</script> film & plot زائد 😀"


def _run(words: list[Any], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    return ran(["explain", *words], capsys)


@pytest.fixture(scope="module")
def place(runs: Runs) -> Path:
    runs("reviews")
    return runs.place("reviews")


def test_text_is_explained_in_words(place: Path, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = _run([place, "a wonderful film with a dreadful plot"], capsys)
    assert code == 0 and err == "" and "\x1b" not in out
    chances = runs("reviews")[0].predict_proba(["a wonderful film with a dreadful plot"])[0]
    assert f"{100 * chances.max():.1f} %" in out
    for name in (
        "GRU",
        "Answer",
        "For it",
        "Against it",
        "Reasons",
        "Checked",
        "Gates",
        "Memory",
        "completeness error",
    ):
        assert name in out
    assert "wonderful(" in out or "dreadful(" in out, "without colour the strongest words have their numbers"


def test_words_that_need_explaining_are_explained_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = _run([place, "a wonderful film", "a dull plot", "--text"], capsys)
    assert code == 0 and out.count("ln(p / (1 - p))") == out.count("completeness error: ") == 1
    assert out.index("For it") < out.index("  log-odds: ") and "Lyapunov" not in out


@pytest.mark.parametrize(
    ("words", "said"),
    [(["good", " "], "input 2 is empty"), (["good", "--out", "page.txt"], "a name that ends in .html")],
)
def test_what_cannot_be_explained_is_refused(
    place: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = _run([place, *words], capsys)
    assert code == 2 and out == "" and said in " ".join(err.split())


def test_inputs_are_read_from_standard_input(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `predict RUN -` does; the text "-" itself is a line, or written " -"."""

    def typed(content: bytes, *words: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
        return _run([place, "--json", *words], capsys)

    code, out, err = typed("a wonderful film\r\n\nein schöner Film".encode(), "-")
    assert code == 0, err
    assert out == _run([place, "--json", "a wonderful film", "ein schöner Film"], capsys)[1]
    assert len(out.splitlines()) == 2
    code, _, err = typed(b"a film", "-", "a film")
    assert code == 2 and "`-` is standard input, and stands beside texts" in err
    code, _, err = typed(b" \n", "-")
    assert code == 2 and "standard input holds nothing to read" in err
    code, _, err = typed(b"a good film\n\x81\n", "-")
    assert code == 2 and "standard input is not UTF-8: byte 0x81 in line 2" in err


def test_runs_stand_side_by_side_on_examples(place: Path, runs: Runs, capsys: pytest.CaptureFixture[str]) -> None:
    runs("reviews, both directions")
    words = [place, runs.place("reviews, both directions"), "--example", 2, "--example", 3, "--json", "--gates"]
    code, out, _ = _run(words, capsys)
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [each["cell"] for each in records] == ["gru", "lstm", "gru", "lstm"]
    assert records[0]["input"]["text"] == records[1]["input"]["text"] != records[2]["input"]["text"]
    for each in records:
        steps = len(each["input"]["steps"])
        assert len(each["answers"]["after"]) == len(each["reasons"]["values"]) == steps
        assert all(len(gate["values"]) == steps for gate in each["gates"])
        assert each["answers"]["followed"] in ("glad", "sad") and each["input"]["truth"] in ("glad", "sad")
        assert each["reasons"]["complete"] and each["reasons"]["removal"]["removed"][0] == 0
    assert len(records[1]["memory"]) == 4 and records[0]["memory"][0]["half_lives"]


@pytest.mark.slow
def test_more_is_measured_on_request(place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = tmp_path / "why.png"
    code, out, err = _run([place, HOSTILE, "--flow", "--like", 2, "--parallel", "--png", picture], capsys)
    assert code == 0 and f"Picture: {picture}" in err
    assert picture.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    for words in ("before training:", "trained:", "clipping at", "Like step 2", "test example", "Lyapunov exponent"):
        assert words in out
    assert "<script>" in out and "زائد" in out


def test_colours_are_those_of_the_reasons_and_can_be_turned_off(place: Path, runs: Runs) -> None:
    trained, _ = runs("reviews")
    reader = trained.reader()
    found = explanation_of(trained, reader, reader.parse(HOSTILE), run="here")
    coloured, plain = io.StringIO(), io.StringIO()
    show_explanations([found], Console(file=coloured, force_terminal=True, color_system="truecolor", width=100))
    show_explanations([found], Console(file=plain, force_terminal=True, no_color=True, width=100))
    assert "48;2;" in coloured.getvalue() and "48;2;" not in plain.getvalue()
    assert "[+" in plain.getvalue() and "[+" not in coloured.getvalue().splitlines()[1]


@pytest.mark.parametrize(
    ("text", "brackets"),
    [
        ("a wonderful (dreadful) plot", r"\[[^]]*\]"),
        ("a [wonderful](dreadful) plot", r"\{[^}]*\}"),
        ("a wonderful, dreadful plot", r"\([^)]*\)"),
    ],
)
def test_reasons_stand_in_brackets_that_the_text_has_not(
    place: Path, capsys: pytest.CaptureFixture[str], text: str, brackets: str
) -> None:
    """`((-0.0047)a(` could be read in two ways."""
    code, out, _ = _run([place, text], capsys)
    line = out.splitlines()[1].strip()
    assert code == 0 and re.search(brackets, line)
    assert re.sub(brackets, "", line) == text


def test_signs_are_quoted_in_lists_and_no_reason_is_a_power_of_ten(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`words not known: war, ,, aber, (` and `Der(-6.3e-05)` were hard to read; long facts went on at the edge."""
    monkeypatch.setenv("COLUMNS", "60")
    code, out, _ = _run([place, "the zwerg, (a dreadful) film # and a wonderful plot!"], capsys)
    assert code == 0 and max(map(len, out.splitlines())) <= 60
    assert "read as [unknown]: the, zwerg, ',', '(', a" in " ".join(out.split())
    assert "e-0" not in out and "integrated gradients of" in " ".join(out.split())
    assert "without the 1 " not in " ".join(out.split())
    facts = out[out.index("  Answer") :].splitlines()
    assert all(line.startswith(("  Note: ", "        ")) or line[2:3].strip() for line in facts if line.strip())
    assert any(line.startswith(" " * 14) for line in facts), "what does not fit is indented"


def test_a_notebook_shows_it_without_taking_the_text_for_html(place: Path) -> None:
    found = gatewise.explain(place, HOSTILE)
    page = found._repr_html_()
    assert (
        "<script>" not in page
        and "&lt;" in page
        and "alert" in page
        and page.count("<span") == len(found.reading.input.steps)
    )
    assert found.answer in page and "completeness error" in page
    values = found.reasons.per_step
    assert [step for step, _, _ in found.strongest(1)] == [int(values.argmax())]
    assert all(value < 0 for _, _, value in found.strongest(3, against=True))
    json.dumps(found.to_dict(gates=True), allow_nan=False)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["series, everything", "series, segments", "text", "tags", "adding", "parity"])
def test_every_kind_is_explained(name: str, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs(name)
    code, out, err = _run([runs.place(name), "--example", 2, "--png", tmp_path / "a.svg", "--flow"], capsys)
    assert code == 0 and "Answer" in out and "Gradient" in out, err
    found = gatewise.explain(runs.place(name))
    assert "completeness" in found._repr_html_()
    if name == "series, everything":
        assert "wind" in out and "<table" in found._repr_html_()
        code, out, _ = _run([runs.place(name), runs.folder / "series.csv"], capsys)
        assert code == 0 and "2021-05-16" in out


def test_mistakes_are_named(place: Path, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for words, expected in (
        ([tmp_path / "none", "text"], "there is no run folder"),
        ([place, "text", "--target", "happy"], "there is no answer 'happy'"),
        ([place, "text", "--method", "oclusion"], "did you mean 'occlusion'?"),
        ([place, "text", "--example", 2], "inputs and --example exclude each other"),
        ([place, "--example", 100_000], "there is no test example 100000"),
        ([place, "--example", 100_000], "fix: --example "),
        ([place, "--example", 100_000, "--out", tmp_path / "page.html"], "fix: --example "),
        ([place, "text", "--gates"], "--gates goes with --json"),
        ([place, "text", "--png", tmp_path / "a.gif"], "PNG or SVG"),
        ([place, "text", "--like", 9], "there is no step 9"),
        ([*[place] * 7, "text"], "too many runs"),
    ):
        code, _, err = _run(words, capsys)
        assert code == 2 and expected in err and "Traceback" not in err, err
