"""The page of `gatewise explain` in a real browser: typing, choosing, resizing, hostile text, a server that goes."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from explain_browser import opened, settled

import browser
from gatewise.cli import main
from gatewise.serving.explain import write_page
from gatewise.serving.explain.app import guarded_page
from gatewise.serving.explain.networks import Networks
from gatewise.serving.running import running
from small_data import FLAGS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium to draw pages with"),
]
TEXT = "the film was wonderful but the plot was dreadful and hollow"
_FIRST_PIXEL = "() => Array.from(document.querySelector('.map canvas').getContext('2d').getImageData(0, 0, 1, 1).data)"


@pytest.fixture(scope="module")
def three(runs: Callable[[str], Path]) -> list[Path]:
    """RNN, LSTM and GRU that read the same reviews."""
    gru = runs("reviews")
    places = []
    for cell in ("rnn", "lstm"):
        place = gru.parent / f"{cell} beside"
        if not place.exists():
            data = ["train", str(gru.parent / "reviews.csv"), "--text", "review", "--label", "mood", *FLAGS]
            with pytest.raises(SystemExit) as ended:
                main([*data, "--epochs", "1", "--cell", cell, "--out", str(place)])
            assert not ended.value.code
        places.append(place)
    return [*places, gru]


@pytest.fixture(scope="module")
def networks(three: list[Path]) -> Networks:
    return Networks(three)


@pytest.fixture(scope="module")
def url(networks: Networks) -> Iterator[str]:
    with running(guarded_page(networks)) as address:
        yield address


def _typed(page: Any, text: str) -> None:
    page.fill("#text", text)
    settled(page)


def _tokens(page: Any, run: int = 0) -> list[str]:
    found: list[str] = page.locator(".tokens").nth(run).locator(".token").all_inner_texts()
    return found


def test_typing_moves_answer_map_and_reasons(chromium: Any, url: str) -> None:
    with opened(chromium, url) as page:
        _typed(page, "the film")
        first = page.locator(".answer").first.inner_text()
        page.focus("#text")
        page.keyboard.press("End")
        page.keyboard.type(" was wonderful", delay=5)
        settled(page)
        assert _tokens(page) == ["the", "film", "was", "wonderful"]
        assert page.locator(".answer").first.inner_text() != first
        filled = page.evaluate(
            "() => { const c = document.querySelector('.map canvas'), d = c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data; let n = 0;"
            " for (let x = 0; x < c.width; x++) n += d[4 * x + 3] > 0; return [n, c.width, c.height]; }"
        )
        assert filled == [4, 16, 8]
        coloured = page.locator(".tokens").first.locator(".token.for, .token.against").count()
        assert coloured >= 1
        assert page.locator(".bars path").first.get_attribute("d") is not None
        page.fill("#text", "")
        page.wait_for_timeout(100)
        assert page.locator(".nothing").is_visible() and not page.locator(".runs").is_visible()
        assert page.locator(".timeline").is_hidden()


def _settled_reading(page: Any) -> None:
    for _ in range(100):
        if page.evaluate("() => gatewisePage.views.every(v => v.reading?.of === gatewisePage.key)"):
            page.wait_for_timeout(40)
            return
        page.wait_for_timeout(50)
    raise AssertionError("no reading")


def test_time_is_stepped_by_keys_and_by_clicks(chromium: Any, url: str, networks: Networks) -> None:
    with opened(chromium, url) as page:
        _typed(page, TEXT)
        last = len(_tokens(page))
        assert f"after all {last} tokens" in page.locator(".answer").first.inner_text()
        page.locator(".map").first.focus()
        page.keyboard.press("ArrowLeft")
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(60)
        assert f"token {last - 2} of {last}" in page.locator(".here-words").inner_text()
        assert page.locator(".tokens").first.locator(".token.later").count() == 2
        page.keyboard.press("Home")
        page.wait_for_timeout(60)
        assert f"after 1 token of {last}" in page.locator(".answer").first.inner_text()
        page.locator(".tokens").nth(2).locator(".token").nth(3).click()
        page.wait_for_timeout(500)
        chosen = page.locator(".tokens [aria-selected=true]").all_inner_texts()
        assert chosen == ["wonderful"] * 3
        said = page.locator("[role=status]").inner_text()
        assert "token 4 of 11: wonderful" in said and all(name in said for name in ("RNN", "LSTM", "GRU"))
        number = float(re.findall(r"(?:glad|sad) ([\d.]+)", said)[-1]) / 100
        reading = networks.networks[2].reading(_question(TEXT))
        assert number == pytest.approx(reading.after[3].max(), abs=0.0051)


def _question(text: str) -> Any:
    from gatewise.serving.explain.networks import Question

    return Question(text=text)


def test_a_unit_is_followed_with_its_numbers(chromium: Any, url: str, networks: Networks) -> None:
    with opened(chromium, url) as page:
        _typed(page, TEXT)
        lstm = page.locator(".run").nth(1)
        lstm.locator(".gates button", has_text="cell").click()
        page.wait_for_timeout(60)
        assert "memory" in lstm.locator(".meaning").inner_text()
        box = lstm.locator(".map").bounding_box()
        lstm.locator(".map").click(position={"x": 2.5 / 16 * box["width"], "y": 5.5 / 8 * box["height"]})
        page.wait_for_timeout(80)
        unit = int(lstm.locator(".unit-number").input_value())
        gates = {each.name: each for each in networks.networks[1].reading(_question(TEXT)).gates}
        assert unit == gates["cell"].order[5]
        equation = lstm.locator(".equation dd").first.inner_text().replace("\u2212", "-")
        numbers = [float(each) for each in re.findall(r"-?\d+\.\d+", equation)]
        now = {name: gate.values[2, unit] for name, gate in gates.items()}
        before = gates["cell"].values[1, unit]
        assert numbers == pytest.approx([now["cell"], now["forget"], before, now["input"], now["candidate"]], abs=6e-4)
        lstm.locator(".map").focus()
        page.keyboard.press("ArrowDown")
        page.wait_for_timeout(60)
        assert int(lstm.locator(".unit-number").input_value()) == gates["cell"].order[6]
        assert f"unit {gates['cell'].order[6]}, cell" in lstm.locator(".map").get_attribute("aria-valuetext")
        lstm.locator("summary", has_text="Where the gates come from").click()
        lstm.locator(".lines", has_text="from the input").wait_for()
        # what was chosen stays while one types on
        page.fill("#text", TEXT + " film")
        settled(page)
        assert int(lstm.locator(".unit-number").input_value()) == gates["cell"].order[6]


def test_another_answer_gets_its_own_reasons(chromium: Any, url: str) -> None:
    with opened(chromium, url) as page:
        _typed(page, TEXT)
        run = page.locator(".run").nth(2)
        other = run.locator(".answers-of [aria-checked=false]")
        name = other.get_attribute("data-name")
        before = page.evaluate("() => Array.from(gatewisePage.views[2].reasons.values)")
        other.click()
        for _ in range(100):
            if page.evaluate("() => gatewisePage.views[2].reasons.target") == name:
                break
            page.wait_for_timeout(50)
        after = page.evaluate("() => Array.from(gatewisePage.views[2].reasons.values)")
        assert after == pytest.approx([-each for each in before], abs=1e-3)
        run.locator("summary", has_text="Do the reasons hold?").click()
        assert "integrated gradients" in run.locator(".check-line").inner_text()
        run.locator("summary", has_text="Every step in a table").click()
        run.locator("tbody tr").first.wait_for()
        assert run.locator("tbody tr").count() == len(_tokens(page, 2))


@pytest.mark.parametrize("width", [390, 1000, 1600])
def test_nothing_is_wider_than_the_window(chromium: Any, url: str, width: int) -> None:
    with opened(chromium, url, width=width) as page:
        _typed(page, TEXT + " word" * 60)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        boxes = [page.locator(".run").nth(number).bounding_box() for number in range(3)]
        if width == 390:
            assert boxes[1]["y"] > boxes[0]["y"] + boxes[0]["height"] - 1
        else:
            assert boxes[0]["y"] == boxes[1]["y"] == boxes[2]["y"]
            maps = {page.locator(".map").nth(number).bounding_box()["y"] for number in range(3)}
            assert max(maps) - min(maps) < 1.5
        page.set_viewport_size({"width": 700, "height": 900})
        page.wait_for_timeout(120)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 700


def test_dark_paper_has_its_own_colours(chromium: Any, url: str) -> None:
    with opened(chromium, url, color_scheme="dark") as page:
        _typed(page, TEXT)
        dark = page.evaluate(_FIRST_PIXEL)
        assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(22, 23, 26)"
        page.emulate_media(color_scheme="light")
        page.wait_for_timeout(120)
        assert page.evaluate(_FIRST_PIXEL) != dark


@pytest.mark.parametrize(
    "text",
    [
        "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\"> film",
        "فيلم رائع جدا wonderful שלום film",
        "👩‍👩‍👧‍👦🎬 film 🏳️‍🌈 n\u0303 \u202efilm\u202c \x00 \ud83d film",
        "&amp; </span> {{7*7}} ${7*7} \\u003c {forget}",
        "word " * 10_000,
    ],
    ids=["markup", "right-to-left", "emoji", "escapes", "10000-words"],
)
def test_hostile_text_stays_text(chromium: Any, url: str, text: str) -> None:
    with opened(chromium, url) as page:
        title = page.title()
        _typed(page, text)
        assert page.title() == title and page.locator(".tokens script, .tokens img").count() == 0
        shown = page.locator(".tokens").first.evaluate("e => e.textContent")
        kept = page.evaluate("() => document.getElementById('text').value")
        assert len(shown) > 3 and (len(text) > 20_000 or shown.strip() in kept)
        if len(text) > 20_000:
            assert "not read" in page.locator(".notes").first.inner_text()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 1280


def test_the_page_says_that_the_server_is_gone_and_goes_on_when_it_is_back(chromium: Any, networks: Networks) -> None:
    with contextlib.ExitStack() as first:
        address = first.enter_context(running(guarded_page(networks)))
        port = int(address.rsplit(":", 1)[1])
        with opened(chromium, address) as page:
            _typed(page, "the film")
            first.close()
            page.fill("#text", "the film was wonderful")
            message = page.locator(".message:not(.chooser *)")
            message.wait_for(state="visible")
            assert "does not answer" in message.inner_text() and "gatewise explain" in message.inner_text()
            assert _tokens(page) == ["the", "film"]
            with running(guarded_page(networks), port=port):
                message.wait_for(state="hidden")
                settled(page)
                assert _tokens(page) == ["the", "film", "was", "wonderful"]


def test_the_file_works_without_a_server(chromium: Any, three: list[Path], tmp_path: Path) -> None:
    page_file = write_page(three, [TEXT, "a <b>hollow</b> film </script>"], tmp_path / "page.html")
    with opened(chromium, page_file.as_uri()) as page:
        settled(page)
        assert _tokens(page, 1) == TEXT.split()
        assert page.locator("#text").count() == 0 and page.locator("label[for=example]").inner_text() == "Text"
        page.select_option("#example", "1")
        _settled_reading(page)
        page.wait_for_timeout(150)
        assert "hollow" in _tokens(page, 2)
        assert page.locator(".token.for, .token.against").count() >= 3
        page.locator(".run").nth(2).locator(".map").focus()
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(80)
        assert "=" in page.locator(".equation dd").nth(1).inner_text()


def test_play_walks_to_the_end_and_every_control_has_a_name(chromium: Any, url: str) -> None:
    with opened(chromium, url) as page:
        _typed(page, "a wonderful film")
        page.click("button[aria-label^=Play]")
        page.wait_for_timeout(100)
        assert page.locator(".tokens").first.locator(".token.later").count() == 2
        page.locator("button[aria-label^=Play]").wait_for()
        assert "after all 3 tokens" in page.locator(".answer").first.inner_text()
        nameless = page.evaluate(
            "() => [...document.querySelectorAll('button, input, select, textarea, [tabindex=\"0\"]')].filter(e => "
            "e.offsetParent && !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length)).length"
        )
        assert nameless == 0
        # by keys alone: from the text to the tokens of the first run
        page.focus("#text")
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("() => document.activeElement.className") == "tokens":
                break
        else:
            raise AssertionError("the tokens cannot be reached by Tab")
