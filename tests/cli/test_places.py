"""Commands work wherever one stands, and whatever lies there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import gatewise
from commands import ran
from gatewise.cli import main
from gatewise.errors import DataError
from gatewise.training.registry import known_names, task_of
from small_data import FLAGS, write_reviews

COLUMNS = ["--text", "review", "--label", "mood"]


def test_a_known_name_wins_over_a_file_or_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, task in known_names().items():
        (tmp_path / name).mkdir()
        assert task_of(name) == task
        (tmp_path / name).rmdir()
        (tmp_path / name).write_text("in the way")
        assert task_of(name) == task
        (tmp_path / name).unlink()


def test_a_path_means_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imdb").mkdir()
    with pytest.raises(DataError, match="is a folder"):
        gatewise.compare(Path("imdb"), cells=["gru"], out="result")
    with pytest.raises(DataError, match="is a folder"):
        gatewise.compare("./imdb", cells=["gru"], out="result")


@pytest.mark.slow
def test_the_result_may_have_the_name_of_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    flags = ["--cells", "gru", "--epochs", "1", "--length", "10", "--examples", "200", "--hidden", "8", "--no-cost"]
    words: list[str | Path] = ["compare", "adding", *flags, "--threads", "1", "--out", "adding"]
    assert ran(words, capsys)[0] == 0
    code, out, err = ran(words, capsys)
    assert code == 0 and "reused)" in out, err
    assert ran(["inspect", "adding", "--steps", "5", "--sequences", "2"], capsys)[0] == 0


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained in its folder, with the data's name relative to it."""
    folder = tmp_path_factory.mktemp("home")
    write_reviews(folder / "reviews.csv", 80)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as leave:
        patch.chdir(folder)
        main(["train", "reviews.csv", *COLUMNS, *FLAGS, "--epochs", "1", "--cell", "gru", "--out", "run"])
    assert not leave.value.code
    return folder / "run"


def test_inspect_finds_the_data_from_another_folder(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words: list[str | Path] = ["inspect", run, "--sequences", "2", "--steps", "5"]
    code, out, err = ran([*words, "--out", "memory.png"], capsys)
    assert code == 0 and "GRU, trained" in out, err
    assert (tmp_path / "memory.png").exists()
    (run.parent / "reviews.csv").rename(run.parent / "elsewhere.csv")
    try:
        code, _, err = ran(words, capsys)
        assert code == 2 and "reviews.csv" in err and "fix:" in err
    finally:
        (run.parent / "elsewhere.csv").rename(run.parent / "reviews.csv")


def test_a_central_european_file_is_read_in_its_encoding(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained with ``--encoding cp1250``: evaluate and predict read their files so without being asked again."""
    words = {"pěkný": "glad", "skvělý": "glad", "špatný": "sad", "hrozný": "sad"}
    rows = [f"{word} film číslo {number},{mood}" for number in range(30) for word, mood in words.items()]
    for name in ("filmy.csv", "nové.csv"):
        (tmp_path / name).write_bytes("\n".join(["text,label", *rows]).encode("cp1250"))
    (tmp_path / "texty.txt").write_bytes("skvělý film\nhrozný film\n".encode("cp1250"))
    (tmp_path / "texty-utf8.txt").write_text("skvělý film\nhrozný film\n", encoding="utf-8")
    out = tmp_path / "run"
    train = ["train", tmp_path / "filmy.csv", "--encoding", "cp1250", "--cell", "gru", *FLAGS, "--out", out]
    code, _, err = ran(train, capsys)
    assert code == 0, err
    vocabulary = json.loads((out / "vocabulary.json").read_text(encoding="utf-8"))["words"]
    assert {"pěkný", "špatný", "hrozný"} <= set(vocabulary)
    code, evaluated, err = ran(["evaluate", out, tmp_path / "nové.csv", "--json"], capsys)
    assert code == 0 and json.loads(evaluated)["n"] == 120, err
    typed = ran(["predict", out, "skvělý film", "hrozný film", "--json"], capsys)[1]
    assert ran(["predict", out, "--file", tmp_path / "texty.txt", "--json"], capsys)[1] == typed
    code, table, err = ran(["predict", out, "--file", tmp_path / "nové.csv", "--json"], capsys)
    assert code == 0 and len(table.splitlines()) == 120, err
    assert json.loads(table.splitlines()[0])["row"]["text"] == "pěkný film číslo 0"


def test_vectors_of_words_do_not_decide_the_kind() -> None:
    """``--embeddings`` is of the data for tagging, and of the model for classification."""
    assert task_of("reviews.csv", given=("embeddings",)) == "classification"
    assert task_of("reviews.csv", given=("embeddings", "separator")) == "classification"
    assert task_of("news.conll", given=("embeddings",)) == task_of("news.txt", given=("embeddings",)) == "tagging"
    assert task_of("reviews.csv", given=("embeddings", "scheme")) == "tagging"
