"""Pictures and recordings of one's own on the page of `gatewise explain`."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile
from explain_browser import opened, settled
from page_frames import decoded
from PIL import Image

import browser
from gatewise.serving.explain import networks as places
from gatewise.serving.explain import write_page
from gatewise.serving.explain.app import guarded_page
from gatewise.serving.explain.networks import Networks, Question
from gatewise.serving.running import running
from small_sounds import chirp


def _picture(light: tuple[int, int, int] = (220, 30, 30), size: tuple[int, int] = (40, 30)) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", size, (10, 10, 10)).save(file, "PNG")
    drawn = Image.open(file)
    drawn.paste(light, (0, 0, size[0] // 2, size[1]))
    file = io.BytesIO()
    drawn.save(file, "PNG")
    return file.getvalue()


def _sound(samples: np.ndarray, rate: int = 16_000) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format="WAV")
    return file.getvalue()


def _post(url: str, **given: Any) -> httpx.Response:
    return httpx.post(url, timeout=120, **given)  # reasons take seconds where the machine has much to do


@pytest.fixture(scope="module")
def recogniser(runs: Callable[[str], Path]) -> Networks:
    return Networks([runs("recordings")])


@pytest.fixture(scope="module")
def hearing(recogniser: Networks) -> Iterator[str]:
    with running(guarded_page(recogniser)) as address:
        yield address


def test_a_picture_becomes_an_example_that_is_read_as_from_the_command_line(
    captioning: str, captioner: Networks, tmp_path: Path
) -> None:
    content, name = _picture(), "my <b>bar</b>\n.png"
    before = len(captioner.networks[0].examples)
    said = _post(f"{captioning}/api/file", params={"name": name}, content=content)
    assert said.json() == {"example": before, "title": "my <b>bar</b> .png", "text": None, "truth": None}
    frame = _post(f"{captioning}/api/read", json={"run": 0, "example": before})
    header, _ = decoded(frame.content)
    file = tmp_path / "bar.png"
    file.write_bytes(content)
    expected = captioner.networks[0].reader.parse(str(file))
    assert [each["text"] for each in header["written"]["steps"]] == [step.label for step in expected.written]
    given = captioner.networks[0].input_of(Question(example=before))
    assert np.array_equal(given.encoded, expected.encoded)


def test_a_recording_is_heard_with_what_was_done_to_it(hearing: str, recogniser: Networks) -> None:
    both = np.stack([chirp("up", rate=16_000)] * 2, axis=1)
    said = _post(f"{hearing}/api/file", params={"name": "up.wav"}, content=_sound(both))
    number = said.json()["example"]
    header, _ = decoded(_post(f"{hearing}/api/read", json={"run": 0, "example": number}).content)
    assert header["notes"][:2] == ["2 channels were mixed to one", "resampled from 16,000 to 8,000 samples per second"]
    reasons = _post(f"{hearing}/api/reasons", json={"run": 0, "example": number, "method": "gradient-x-input"})
    assert len(reasons.json()["values"]) == len(header["steps"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the picture is no picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "the picture is no picture"),
        (_picture(size=(400, 300))[:200], "damaged or cut off"),
        (_picture(size=(5000, 4000)), "too many pixels"),
    ],
)
def test_what_is_no_picture_is_refused_and_not_kept(
    captioning: str, captioner: Networks, content: bytes, words: str
) -> None:
    before = len(captioner.networks[0].examples)
    answer = _post(f"{captioning}/api/file", params={"name": "x.png"}, content=content)
    assert answer.status_code == 422 and words in answer.json()["message"]
    assert len(captioner.networks[0].examples) == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no sound", "cannot be read as sound"),
        (_sound(np.zeros(8000, np.float32)), "silent"),
        (_sound(np.full(100, 0.5, np.float32)), "shorter than a frame"),
        (_sound(np.full(61 * 8000, 0.5, np.float32), 8000), "60 s"),
    ],
)
def test_what_is_no_recording_is_refused(hearing: str, content: bytes, words: str) -> None:
    answer = _post(f"{hearing}/api/file", content=content)
    assert answer.status_code == 422 and words in answer.json()["message"]


def test_a_file_may_be_larger_than_a_question_but_has_a_limit_too(captioning: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (800, 800, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "BMP")
    assert len(file.getvalue()) > 1 << 20
    assert _post(f"{captioning}/api/file", content=file.getvalue()).status_code == 200
    assert _post(f"{captioning}/api/read", content=file.getvalue()).status_code == 413
    for content in (bytes(places.MOST_BYTES + 1), iter([bytes(1 << 20)] * 17)):
        answer = _post(f"{captioning}/api/file", content=content)
        assert answer.status_code == 413 and "16,777,216" in answer.json()["error"]["message"]


def test_only_so_many_files_are_kept(runs: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_MOST_FILES", 2)
    networks = Networks([runs("pictures")])
    for name in ("one.png", "two.png"):
        networks.add(_picture(), name)
    with pytest.raises(places.DataError, match="keeps 2 files"):
        networks.add(_picture(), "three.png")


def test_networks_that_read_texts_take_no_files(runs: Callable[[str], Path]) -> None:
    networks = Networks([runs("reviews")])
    assert networks.describe()["file"] is None
    with pytest.raises(places.DataError, match="read no files"):
        networks.add(_picture(), "one.png")


@pytest.mark.slow
@pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium to draw pages with")
@pytest.mark.parametrize("width", [390, 1280])
def test_a_picture_is_opened_on_the_page(chromium: Any, captioning: str, width: int) -> None:
    with opened(chromium, captioning, width=width) as page:
        settled(page)
        field = page.get_by_label("or open a picture")
        assert field.get_attribute("accept") == "image/*"
        field.set_input_files({"name": "red <i>.png", "mimeType": "image/png", "buffer": _picture()})
        page.locator("#example option", has_text="red <i>.png").wait_for(state="attached")
        settled(page)
        assert "red <i>.png" in page.locator("#example option:checked").inner_text()
        assert page.locator(".chooser .message").is_hidden()
        shown = page.evaluate("() => gatewisePage.views[0].reading.picture.png")
        # what cannot be read is said, and what was read stays
        field.set_input_files({"name": "text.png", "mimeType": "image/png", "buffer": b"no picture"})
        page.locator(".chooser .message", has_text="text.png: the picture is no picture").wait_for()
        assert page.evaluate("() => gatewisePage.views[0].reading.picture.png") == shown
        field.set_input_files({"name": "large.png", "mimeType": "image/png", "buffer": bytes(17 << 20)})
        page.locator(".chooser .message", has_text="large.png: the picture is too large").wait_for()
        assert "at most 16 MB; got: 17 MB" in page.locator(".chooser .message").inner_text()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        # the same file again, and an example of the data, after which nothing is refused any more
        field.set_input_files({"name": "red <i>.png", "mimeType": "image/png", "buffer": _picture((30, 200, 30))})
        page.wait_for_function(f"() => gatewisePage.views[0].reading.picture.png !== {shown!r}")
        assert page.locator(".chooser .message").is_hidden()


@pytest.mark.slow
@pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium to draw pages with")
def test_a_recording_is_opened_on_the_page_and_the_file_to_pass_on_opens_none(
    chromium: Any, hearing: str, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    with opened(chromium, hearing) as page:
        settled(page)
        sound = _sound(chirp("down", 2, 7, 8_000), 8_000)
        page.get_by_label("or open a recording").set_input_files(
            {"name": "down.wav", "mimeType": "audio/wav", "buffer": sound}
        )
        page.locator("#example option", has_text="down.wav").wait_for(state="attached")
        settled(page)
        assert page.locator(".answer").inner_text()
    file = write_page([runs("recordings")], [], tmp_path / "page.html", examples=[0])
    with opened(chromium, file.as_uri()) as page:
        settled(page)
        assert page.locator("#file").count() == 0
