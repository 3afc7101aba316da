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


def test_text_from_right_to_left_begins_at_the_right(
    chromium: Any, runs: Callable[[str], Path], tmp_path: Path
) -> None:
    """Its paragraph runs from right to left, and figures beside a name of such a script stay behind it."""
    place = write_page([runs("reviews")], ["סרט נפלא ומרגש", "a wonderful film"], tmp_path / "page.html")
    with opened(chromium, place.as_uri()) as page:
        direction = "() => getComputedStyle(document.querySelector('.text')).direction"
        assert page.evaluate(direction) == "rtl"
        first, last = (page.locator(".token").nth(number).bounding_box() for number in (0, 2))
        assert first["x"] > last["x"]
        assert "\u2068" in page.locator(".here-words").inner_text()
        page.locator("#example").select_option(index=2)
        settled(page)
        assert page.evaluate(direction) == "ltr" and "\u2068" not in page.locator(".here-words").inner_text()


def test_a_word_of_the_translation_is_explained(chromium: Any, translating: str, translator: Networks) -> None:
    network = translator.networks[0]
    with opened(chromium, translating) as page:
        page.fill("#text", SENTENCE)
        settled(page)
        page.wait_for_function(_TABLE)
        given = network.input_of(Question(text=SENTENCE))
        assert _words(page) == [step.label for step in given.written]
        assert "A bar up, a solid line under a word" in page.locator(".guide").text_content()
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
        _own_cursor(page, other)
        page.select_option(".over-map select", index=0)
        settled(page)
        page.wait_for_timeout(100)
        assert page.locator(".cursor.own").is_hidden(), "the encoder reads the steps of the input"
        whole, chart = page.locator(".cursor").first.bounding_box(), page.locator(".unit").bounding_box()
        assert whole["y"] + whole["height"] >= chart["y"] + chart["height"]
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 1280


def _own_cursor(page: Any, word: int) -> None:
    """The cursor over the steps ends with the answer; map and unit chart have one of their own at the written word."""
    steps, own, veil, curve, drawn, chart, label = (
        page.locator(name).bounding_box()
        for name in (".cursor:not(.own)", ".cursor.own", ".veil", ".answers-curve", ".map", ".unit", ".labels .here")
    )
    for each in (steps, veil):
        assert each["y"] + each["height"] == pytest.approx(curve["y"] + curve["height"], abs=1)
    assert own["y"] == pytest.approx(drawn["y"], abs=1)
    assert own["y"] + own["height"] == pytest.approx(chart["y"] + chart["height"], abs=1)
    assert own["width"] == pytest.approx(drawn["width"] / len(_words(page)), abs=2)
    assert own["x"] == pytest.approx(drawn["x"] + word * drawn["width"] / len(_words(page)), abs=2)
    assert own["x"] - 1 <= label["x"] + label["width"] / 2 <= own["x"] + own["width"] + 1


def _light(page: Any, selector: str, place: int) -> list[float]:
    """The mean red, green and blue of each patch of a canvas: of a grid of four by four."""
    found: list[float] = (
        page.locator(selector)
        .nth(place)
        .evaluate(
            """c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data, n = 4, s = c.width / n;
        return Array.from({length: n * n}, (_, p) => {
        const x = Math.round((p % n + .5) * s), y = Math.round((Math.floor(p / n) + .5) * s);
        const at = 4 * (y * c.width + x); return d[at + 2] - d[at]; }); }"""
        )
    )
    return found


def test_a_picture_is_coloured_for_every_word(chromium: Any, captioning: str, captioner: Networks) -> None:
    network = captioner.networks[0]
    with opened(chromium, captioning) as page:
        settled(page)
        page.wait_for_function(_TABLE)
        page.wait_for_timeout(200)
        given = network.input_of(Question(example=0))
        assert given.picture is not None and given.picture.rows == 4
        assert _words(page) == [step.label for step in given.written]
        assert page.locator(".tile-words b").all_inner_texts() == _words(page)
        # blue where a patch speaks for the word, orange where against: on grey, blue less red says which
        shown, place = _light(page, ".picture-canvas", 0), given.place
        values = network.reasons(Question(example=0, word=place), None, network.reader.method)["values"]
        largest = max(map(abs, values))
        for light, value in zip(shown, values, strict=True):
            if abs(value) > 0.2 * largest:
                assert light > 4 if value > 0 else light < -4
        # another word: other colours, and what it looked at
        other = 0 if place else 1
        before = _pixels(page, ".picture-canvas")
        page.locator(".tile").nth(other).click()
        page.wait_for_function(f"() => gatewisePage.views[0].reasons?.at === {other}")
        settled(page)
        page.wait_for_timeout(200)
        assert _pixels(page, ".picture-canvas") != before
        assert page.locator(".tile[aria-pressed=true]").count() == 1
        assert f"Reasons for “{given.written[other].label}”" in page.locator(".picture-view").first.inner_text()
        said = page.locator(".picture-canvas").first.get_attribute("aria-label")
        assert "row " in said and "column " in said
        # step by step the picture is covered past the cursor, and so are the words
        page.locator(".picture-canvas").first.click(position={"x": 5, "y": 5})
        page.wait_for_timeout(100)
        assert "row 1 column 1" in page.locator(".here-words").inner_text()
        assert "Were it covered past here: " in page.locator(".draft").inner_text()
        guide = page.locator(".guide").text_content()
        assert "An orange one" in guide and "a column for each written word" in guide and "bar" not in guide
        assert page.locator(".over-bars").is_hidden() and page.locator(".alignments").is_hidden()
        _own_cursor(page, other)
        # as a table: patches with answer and reason, and words with the unit's numbers, each once
        page.locator("summary", has_text="Every step in a table").click()
        by_word, by_patch = page.locator("details table").first, page.locator("details table").nth(1)
        by_patch.wait_for()
        assert by_patch.locator("tbody tr").count() == 16 and by_patch.locator("thead th").count() == 3
        assert by_word.locator("tbody th").all_inner_texts() == [
            f"{place + 1} {word}" for place, word in enumerate(_words(page))
        ]
        assert by_word.locator("tr.here th").inner_text() == f"{other + 1} {given.written[other].label}"
        unit = int(page.locator(".unit-number").input_value())
        hidden = next(gate for gate in network.reading(Question(example=0, word=other)).gates if gate.name == "hidden")
        column = by_word.locator("thead th").all_inner_texts().index(f"hidden, unit {unit}")
        shown = by_word.locator(f"tbody tr :nth-child({column + 1})").all_inner_texts()
        read = [float(each.replace("\N{MINUS SIGN}", "-")) for each in shown]
        assert read == pytest.approx(hidden.values[:, unit].tolist(), abs=6e-4)
    for width, scheme in ((390, "light"), (390, "dark")):
        with opened(chromium, captioning, width=width, color_scheme=scheme) as page:
            page.wait_for_selector(".tile")
            assert page.evaluate("() => document.documentElement.scrollWidth") <= width
            assert page.locator(".picture-canvas").first.bounding_box()["width"] <= width - 30


def test_the_labels_under_a_chart_are_as_wide_as_it(chromium: Any, captioning: str) -> None:
    with opened(chromium, captioning) as page:
        settled(page)
        page.locator("details.more summary", has_text="Do the reasons hold?").click()
        page.wait_for_timeout(200)
        chart, words = page.locator(".removal").bounding_box(), page.locator(".axis-words").bounding_box()
        assert words["width"] == pytest.approx(chart["width"], abs=1)
        page.select_option("#method", "integrated-gradients")
        page.wait_for_function("() => gatewisePage.views[0].reasons?.method === 'integrated-gradients'")
        settled(page)
        line = page.locator(".check-line").inner_text()
        assert "to within" in line and "up to" not in line and "<" not in line


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
