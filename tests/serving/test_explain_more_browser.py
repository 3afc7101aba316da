"""The page in a real browser: translations, the method of the reasons, changed numbers, what can be unfolded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from explain_browser import opened, settled

import browser
from gatewise.serving.explain import write_page
from gatewise.serving.explain.app import guarded_page
from gatewise.serving.explain.networks import Networks, Question
from gatewise.serving.running import running

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(browser.PROGRAM is None, reason="there is no Chromium to draw pages with"),
]
SENTENCE = "we say two five."
_TABLE = "() => gatewisePage.views.every(v => v.writtenTable?.of === gatewisePage.key)"


@pytest.fixture(scope="module")
def translator(runs: Callable[[str], Path]) -> Networks:
    return Networks([runs("translations")])


@pytest.fixture(scope="module")
def translating(translator: Networks) -> Iterator[str]:
    with running(guarded_page(translator)) as address:
        yield address


@pytest.fixture(scope="module")
def forecasting(runs: Callable[[str], Path]) -> Iterator[str]:
    with running(guarded_page(Networks([runs("series")]))) as address:
        yield address


def _pixels(page: Any, selector: str) -> list[int]:
    found: list[int] = page.locator(selector).first.evaluate(
        "c => Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data)"
    )
    return found


def _words(page: Any) -> list[str]:
    found: list[str] = page.locator(".written-words .word").all_inner_texts()
    return found


def test_a_word_of_the_translation_is_explained(chromium: Any, translating: str, translator: Networks) -> None:
    network = translator.networks[0]
    with opened(chromium, translating) as page:
        page.fill("#text", SENTENCE)
        settled(page)
        page.wait_for_function(_TABLE)
        given = network.input_of(Question(text=SENTENCE))
        assert _words(page) == [step.label for step in given.written]
        before = page.evaluate("() => Array.from(gatewisePage.views[0].reasons.values)")
        other = 0 if given.place else len(given.written) - 1
        page.locator(".word").nth(other).click()
        page.wait_for_function(f"() => gatewisePage.views[0].reasons?.at === {other}")
        after = page.evaluate("() => Array.from(gatewisePage.views[0].reasons.values)")
        expected = network.reasons(Question(text=SENTENCE, word=other), None, "integrated-gradients")
        assert after == expected["values"] and after != before
        assert f"for “{given.written[other].label}”" in page.locator(".answer").inner_text()
        assert page.locator(".word[aria-checked=true]").count() == 1
        # the table of all words is a row of pixels for each, over the tokens read; the attention beneath it
        sizes = page.locator(".alignment canvas").evaluate_all("all => all.map(c => [c.width, c.height])")
        assert sizes == [[16, len(given.written)]] * 2
        # by keys: an earlier end of the sentence, with what would be written then
        page.locator(".tokens").focus()
        page.keyboard.press("Home")
        page.wait_for_timeout(80)
        drafts = network.reader.drafts(given)
        assert page.locator(".draft").inner_text() == f"If it ended here: {drafts[0]}"
        # the decoder's map is over what is written, and says so
        page.select_option(".over-map select", index=2)
        settled(page)
        page.wait_for_timeout(300)
        assert "the words it writes" in page.locator(".meaning").inner_text()
        assert page.locator(".labels span").all_inner_texts() == _words(page)
        assert f"word {other + 1} written" in page.locator(".unit-where").inner_text()
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 1280


def test_the_method_can_be_chosen(chromium: Any, translating: str, translator: Networks) -> None:
    with opened(chromium, translating, width=390) as page:
        page.fill("#text", SENTENCE)
        settled(page)
        for method, words in (("occlusion", "occlusion"), ("gradient-x-input", "gradient × input")):
            page.select_option("#method", method)
            page.wait_for_function(f"() => gatewisePage.views[0].reasons?.method === '{method}'")
            found = page.evaluate("() => Array.from(gatewisePage.views[0].reasons.values)")
            assert found == translator.networks[0].reasons(Question(text=SENTENCE), None, method)["values"]
            page.wait_for_function(f"() => gatewisePage.views[0].writtenTable?.by === '{method}'")
            page.wait_for_timeout(80)
            assert words in page.locator(".check-line").first.text_content()
            assert page.locator(".bars.stale").count() == 0
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_neighbours_and_sweeps_are_unfolded(chromium: Any, translating: str, translator: Networks) -> None:
    network = translator.networks[0]
    with opened(chromium, translating) as page:
        page.fill("#text", SENTENCE)
        settled(page)
        page.locator("summary", has_text="Where else was it").click()
        page.locator(".neighbours li").first.wait_for()
        given = network.input_of(Question(text=SENTENCE))
        expected = network.neighbours(Question(text=SENTENCE), None, len(given.steps) - 1)["found"]
        assert page.locator(".neighbours li").count() == len(expected) == 5
        assert f"test example {expected[0]['example']}" in page.locator(".neighbours li").first.inner_text()
        note = page.locator("details", has=page.locator(".neighbours")).locator(".note")
        assert "states of" in note.inner_text() and "all units" in note.inner_text()
        page.fill(".unit-list", "3, 1")
        page.keyboard.press("Enter")
        page.locator(".note", has_text="units 3, 1").wait_for()
        page.fill(".unit-list", "999")
        page.keyboard.press("Enter")
        page.locator(".note", has_text="no such unit").wait_for()
        assert page.locator(".neighbours li").count() == 0
        page.locator("summary", has_text="all at once").click()
        page.locator(".sweeps li").first.wait_for()
        assert "Lyapunov exponent" in page.locator(".about", has_text="This network").inner_text()
        assert "sweep" in page.locator(".sweeps li").first.inner_text()


def test_numbers_are_typed_and_dragged_and_the_forecast_moves(chromium: Any, forecasting: str) -> None:
    with opened(chromium, forecasting) as page:
        settled(page)
        first = page.locator(".answer").inner_text()
        assert page.locator(".effect").inner_text() == ""
        # by keys
        page.focus(".edited-value")
        began = float(page.locator(".edited-value").input_value())
        for _ in range(5):
            page.keyboard.press("ArrowUp")
        settled(page)
        typed = float(page.locator(".edited-value").input_value())
        assert typed > began and page.locator(".answer").inner_text() != first
        values = page.evaluate(
            "() => { const s = gatewisePage.views[0].reading.series; return [s.values.at(-2), s.columns]; }"
        )
        assert values[0] == pytest.approx(typed, rel=1e-5) and values[1][0] == "a"
        assert "as measured" in page.locator(".effect").inner_text()
        # with the pointer, another step
        box = page.locator(".curves.input").bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        for part in (0.1, 0.2, 0.3):
            page.mouse.move(x, y - part * box["height"])
        page.mouse.up()
        settled(page)
        changed = page.evaluate(
            "() => { const { reading } = gatewisePage.views[0], m = reading.measured.series.values;"
            " return Array.from(reading.series.values).filter((v, i) => v !== m[i]).length; }"
        )
        assert changed == 2
        assert page.locator(".stroke.measured").count() >= 1
        page.click("text=as measured")
        settled(page)
        page.keyboard.press("End")
        page.wait_for_timeout(80)
        assert page.locator(".answer").inner_text() == first and page.locator(".effect").inner_text() == ""


def test_the_file_holds_every_word_method_and_fold(chromium: Any, runs: Callable[[str], Path], tmp_path: Path) -> None:
    file = write_page([runs("translations")], [SENTENCE, "we say one."], tmp_path / "page.html")
    with opened(chromium, file.as_uri()) as page:
        settled(page)
        words = _words(page)
        shown = _pixels(page, ".alignment canvas")
        page.locator(".word").first.click()
        page.wait_for_function("() => gatewisePage.views[0].reasons?.at === 0")
        page.select_option("#method", "occlusion")
        page.wait_for_function("() => gatewisePage.views[0].reasons?.method === 'occlusion'")
        page.wait_for_timeout(200)
        assert f"for “{words[0]}”" in page.locator(".answer").inner_text()
        assert _pixels(page, ".alignment canvas") != shown
        page.locator("summary", has_text="Where else was it").click()
        page.locator(".neighbours li").first.wait_for()
        assert page.locator(".neighbours li").count() == 3
        page.fill(".unit-list", "2")
        page.keyboard.press("Enter")
        page.locator(".note", has_text="gatewise explain finds the others").wait_for()
        page.locator("summary", has_text="all at once").click()
        page.locator(".about", has_text="Lyapunov").wait_for()
