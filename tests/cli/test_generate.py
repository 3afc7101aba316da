"""`gatewise generate` and `gatewise recipes`, as a person types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import ran
from gatewise.cli import main
from small_text import LANGUAGE_SETTINGS, write_text_file

FLAGS = [word for name, value in LANGUAGE_SETTINGS.items() for word in ("--" + name.replace("_", "-"), str(value))]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("language")
    text = write_text_file(folder / "small.txt", 300)
    with pytest.raises(SystemExit) as leave:
        main(["train", str(text), "--cell", "gru", *FLAGS, "--out", str(folder / "run")])
    assert not leave.value.code
    return folder / "run"


def test_a_seed_repeats_the_text(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", run, "--prompt", "the clouds are in the", "--tokens", "12", "--temperature", "0.8"]
    code, out, err = ran([*words, "--seed", "3"], capsys)
    assert code == 0 and err == ""
    assert out.startswith("the clouds are in the ") and len(out.split()) >= 14
    assert ran([*words, "--seed", "3"], capsys)[1] == out


def test_the_table_of_next_tokens(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["generate", run, "--prompt", "the clouds are in the", "--next", "4"]
    code, out, _ = ran(words, capsys)
    assert (
        code == 0
        and len(out.splitlines()) == 4
        and all(" % " in line or line.endswith("%") for line in out.splitlines())
    )
    record = json.loads(ran([*words, "--json"], capsys)[1])
    assert [entry["token"] for entry in record["tokens"]] == [line.split()[0] for line in out.splitlines()]


def test_strange_words_are_told_and_read_as_unknown(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(["generate", run, "--prompt", "the zebra", "--tokens", "3", "--seed", "1"], capsys)
    assert code == 0 and out.startswith("the zebra") and "'zebra'" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--temperature", "0"], "--top-k 1"),
        (["--temperature", "-1"], "temperature"),
        (["--top-k", "0"], "top_k"),
        (["--top-p", "1.5"], "top_p"),
        (["--tokens", "0"], "tokens"),
        (["--next", "0"], "next"),
        (["--json"], "--next"),
    ],
)
def test_bad_options(run: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str) -> None:
    code, out, err = ran(["generate", run, "--prompt", "the", *words], capsys)
    assert code == 2 and out == "" and said in err and "Traceback" not in err


def test_a_folder_that_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = ran(["generate", tmp_path / "none"], capsys)
    assert code == 2 and "no run folder" in err


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(["recipes"], capsys)
    assert code == 0 and {"ptb-articles", "ptb-awd", "ptb-cpu"} <= {line.split()[0] for line in out.splitlines()}
