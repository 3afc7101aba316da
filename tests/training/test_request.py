"""What every kind's `predict` and `evaluate` share: where texts come from, and what is refused first."""

from __future__ import annotations

import gzip
import io
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from gatewise.data.seen import Overlap
from gatewise.errors import DataError, OptionError, StorageError
from gatewise.training.overlap import overlap_record, print_overlap
from gatewise.training.registry import kind_of
from gatewise.training.request import Request, batches, check_out, given_texts
from gatewise.training.trained_network import _no_command

RUN = Path("run")


def test_texts_are_the_arguments_then_the_file_then_standard_input(tmp_path, monkeypatch):
    file = tmp_path / "texts.txt"
    file.write_bytes(gzip.compress("eins\r\n\r\nzwei\u2028noch zwei\rdrei".encode()))
    assert list(given_texts(Request(RUN, ("a", ""), file))) == ["a", ""], "arguments come first"
    assert list(given_texts(Request(RUN, file=file))) == ["eins", "", "zwei\u2028noch zwei", "drei"]
    for request in (Request(RUN), Request(RUN, file=Path("-"))):
        monkeypatch.setattr(sys, "stdin", io.StringIO("one\r\n\ntwo"))
        assert list(given_texts(request)) == ["one", "", "two"]
    with pytest.raises(DataError, match="does not exist"):
        list(given_texts(Request(RUN, file=tmp_path / "nowhere.txt")))


def test_lines_that_are_typed_come_out_one_by_one():
    arriving = iter(["one", "two", "three"])
    first = next(batches(arriving, 1))
    assert first == ["one"] and next(arriving) == "two", "nothing was read ahead"
    assert list(batches([], 3)) == []


@pytest.mark.parametrize(("out", "json"), [("a.jsonl", True), ("a.NDJSON", True), ("a.csv", False), (None, False)])
def test_the_ending_of_the_output_asks_for_json(out, json):
    request = Request(RUN, out=None if out is None else Path(out))
    assert request.writes_json is json
    assert Request(RUN, out=request.out, as_json=True).writes_json


def test_an_output_that_is_the_input_or_cannot_be_written_is_refused(tmp_path):
    file = tmp_path / "texts.txt"
    file.write_text("a\n")
    (tmp_path / "same").symlink_to(file)
    with pytest.raises(OptionError, match="is the input file"):
        check_out(Request(RUN, file=file, out=tmp_path / "same"))
    for out in (tmp_path, tmp_path / "nowhere" / "out.txt"):
        with pytest.raises(StorageError, match="cannot write"):
            check_out(Request(RUN, file=file, out=out))
    check_out(Request(RUN, file=file, out=tmp_path / "new.txt"))


@pytest.mark.parametrize("name", ["a.png", "a.WAV", "a.html", "a.csv.gz", "a.xlsx", "a.onnx"])
def test_text_is_not_written_under_the_ending_of_another_kind_of_file(name, tmp_path):
    with pytest.raises(OptionError, match=r"has the ending of an? .*a name for text, CSV or JSON.*ends in \.csv"):
        check_out(Request(RUN, out=tmp_path / name))
    file = tmp_path / "rows.txt"
    file.write_text("a\n")
    for kind in ("translation", "tagging", "forecasting"):
        with pytest.raises(OptionError, match="has the ending of"):
            kind_of(kind).check_request("predict", None, Request(RUN, file=file, out=tmp_path / name))
    for fine in ("a", "a.txt", "a.de", "a.csv", "a.jsonl", "a.v2"):
        check_out(Request(RUN, out=tmp_path / fine))


@pytest.mark.parametrize(("kind", "use"), [("language-modelling", "gatewise generate"), ("probe", "gatewise inspect")])
def test_a_kind_without_predictions_names_the_command_that_it_has(kind, use):
    trained = SimpleNamespace(spec=SimpleNamespace(task=kind))
    assert str(_no_command("predict", trained, Request(RUN)).fix).startswith(f"{use} run")


def test_a_file_that_was_trained_on_is_said_before_its_figure(capsys):
    overlap = Overlap(np.array([True, False, False]), np.array([False, True, False]))
    print_overlap(overlap, "sentence", lambda: "BLEU 12.0")
    assert "1 of 3 sentences was in the training part" in capsys.readouterr().out
    print_overlap(overlap._replace(training=np.zeros(3, bool), validation=np.zeros(3, bool)), "text", str)
    assert capsys.readouterr().out == "", "nothing to warn of"
    print_overlap(None, "text", str)
    assert "does not hold which texts it was trained on" in capsys.readouterr().err
    assert overlap_record(overlap, {"accuracy": 1.0}) == {
        "in_training": 1,
        "in_validation": 1,
        "others": {"accuracy": 1.0},
    }


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])  # the second where the locale is C
def test_standard_input_in_another_encoding_is_refused(monkeypatch: pytest.MonkeyPatch, errors: str) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b"sch\xf6n\n"), encoding="utf-8", errors=errors)
    monkeypatch.setattr("sys.stdin", stream)
    with pytest.raises(DataError, match="standard input is not UTF-8; got: byte 0xf6"):
        list(given_texts(Request(RUN)))
