"""The page of `gatewise explain` as one file to pass on, and the command that writes or serves it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from page_frames import decoded

from gatewise.cli import main
from gatewise.errors import DataError
from gatewise.serving.explain import write_page
from gatewise.serving.explain.exported import bundle

TEXT = "the wonderful film, a <script>alert(1)</script> dreadful plot"


def test_modules_join_into_one_script() -> None:
    script = bundle()
    assert not re.search(r"^(import|export) ", script, re.MULTILINE)
    assert script.index("class RunView") < script.index("new RunView")


def test_the_file_to_pass_on_holds_everything(pair: list[Path], tmp_path: Path) -> None:
    place = write_page(pair, [TEXT, "</script><b>a clumsy film", "नमस्ते 🎬 مرحبا film"], tmp_path / "page.html")
    page = place.read_text(encoding="utf-8")
    assert len(page.encode()) < 3_000_000
    assert page.count("<script") == 2 and "http" not in page.replace("http-equiv", "").replace(
        "http://www.w3.org/2000/svg", ""
    )
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)
    assert policy is not None and "unsafe" not in policy[1] and "connect-src" not in policy[1]
    for tag, mark in (('<script type="module">', "</script>"), ("<style>", "</style>")):
        body = page.split(tag)[1].split(mark)[0]
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"sha256-{digest}" in policy[1]
    content = json.loads(page.split('id="content">')[1].split("</script>")[0])
    assert not any(word in page for word in (str(pair[0].parent), shlex.quote(str(pair[1])), "gatewise explain /"))
    assert [each["text"] for each in content["page"]["examples"]][1] == "</script><b>a clumsy film"
    # a GRU of one layer and an LSTM of two, three inputs
    assert len(content["readings"]) == 9
    # the upper layer is shown first, as by the server
    assert [each["place"] for each in content["readings"] if each["run"] == 1][:2] == [
        "recurrent/1/forward",
        "recurrent/0/forward",
    ]
    header, _ = decoded(zlib.decompress(base64.b64decode(content["readings"][0]["bytes"])))
    assert header["gates"][0]["values"]["type"] == "uint16"
    assert {each["target"] for each in content["readings"][0]["reasons"]} == {"glad", "sad"}


@pytest.mark.slow
def test_the_file_has_reasons_of_all_taggers_for_each_word_that_one_explains(
    runs: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(runs("tags"), tmp_path / "other")
    known: dict[int, int] = {}
    monkeypatch.setattr(
        "gatewise.kinds.tagging.reader.TagReader._surest", lambda self, found: known.setdefault(id(self), len(known))
    )
    page = write_page([runs("tags"), tmp_path / "other"], ["the envoy left Bonn"], tmp_path / "page.html").read_text()
    content = json.loads(page.split('id="content">')[1].split("</script>")[0])
    with_reasons = [each for each in content["readings"] if "reasons" in each]
    assert len(with_reasons) == 2
    for each in with_reasons:
        found = {(why["method"], why["at"]) for why in each["reasons"]}
        assert {at for _, at in found} == {0, 1} and len(found) == 6


@pytest.mark.slow
def test_a_file_that_would_be_too_large_keeps_what_fits(
    pair: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a film and a plot " * 10
    one = write_page(pair, [text], tmp_path / "one.html").stat().st_size
    monkeypatch.setattr("gatewise.serving.explain.exported._MOST_BYTES", int(1.5 * one) + 50_000)
    said: list[str] = []
    page = write_page(pair, [text + str(number) for number in range(6)], tmp_path / "some.html", say=said.append)
    kept = json.loads(page.read_text().split('id="content">')[1].split("</script>")[0])["page"]["examples"]
    assert 1 <= len(kept) < 6 and said == [f"{len(kept)} of 6 inputs are in the file: more than that would pass 3 MB."]
    monkeypatch.setattr("gatewise.serving.explain.exported._MOST_BYTES", 60_000)
    with pytest.raises(DataError, match="too large"):
        write_page(pair, [text], tmp_path / "none.html")


def test_the_command_writes_the_file_and_refuses_what_does_not_fit(
    pair: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def explained(*words: str | Path) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            main(["explain", *(str(word) for word in words)])
        return int(ended.value.code or 0), capsys.readouterr().err

    code, err = explained(*pair, "a hollow film", "--out", tmp_path / "page.html")
    assert code == 0 and f"Page: {tmp_path / 'page.html'}" in err and (tmp_path / "page.html").stat().st_size > 50_000
    code, err = explained(*pair, "--example", "9999", "--out", tmp_path / "other.html")
    assert code == 2 and "there is no test example 9999" in err and not (tmp_path / "other.html").exists()
    code, err = explained(*pair, *pair, "--out", tmp_path / "other.html")
    assert code == 2 and "too many runs for one page" in err


@pytest.mark.slow
def test_without_a_browser_the_address_is_printed_and_control_c_ends_it(pair: list[Path]) -> None:
    command = [sys.executable, "-m", "gatewise", "explain", str(pair[0]), "a film", "--no-browser"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        try:
            assert found is not None and line.startswith("Open ")
            page = httpx.get(f"{found[0]}api/page").json()
            assert page["first"] == {"text": "a film"} and page["command"].startswith("gatewise explain ")
        finally:
            process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) in (0, 130, -signal.SIGINT)
