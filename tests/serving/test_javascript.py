"""The JavaScript of docs/serving.md, in a browser: a stream that goes on after its server was lost."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from service_of import empty_page, serving, until

from gatewise.serving.models import Model, open_model
from gatewise.serving.running import bound_socket
from gatewise.training.streaming import Advance
from gatewise.training.trained import load_run

PAGE = Path(__file__).parents[2] / "docs" / "serving.md"
CHROMIUM = Path("/usr/bin/chromium")
SENTENCE = "the clouds are in the sky and the road is long and the film is dull"
WORDS = SENTENCE.split() * 4


@pytest.fixture
def page_address() -> Iterator[str]:
    with empty_page() as found:
        yield found


def _open_other(name: str, place: Path) -> Model:
    return dataclasses.replace(open_model(name, place), weights="0" * 64)


@pytest.mark.slow
def test_the_example_goes_on_after_the_server_was_lost(page_address: str, runs: Callable[[str], Path]) -> None:
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM.exists():
        pytest.skip("needs Chromium")
    code = re.findall(r"```js\n(export async function .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert len(code.splitlines()) <= 24
    with bound_socket("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
    places, found = {"characters": runs("characters")}, []
    url = f"ws://127.0.0.1:{port}/v1/models/characters/stream"

    def sent(page: Any, words: list[str]) -> None:
        found.extend(page.evaluate("async (words) => { const all = []; for (const word of words) all.push(...await "
                                   "window.send({ text: word + ' ' })); return all; }", words))  # fmt: skip

    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(page_address)
        code = code.replace("export async function openStream", "window.openStream = async function")
        page.evaluate(f"() => {{ {code} }}")
        begin = f"async () => {{ window.send = await window.openStream({json.dumps(url)}, {{ answers: 'all' }}); }}"
        with serving(places, port=port) as (_, _, log):
            with pytest.raises(playwright.Error):  # another origin
                page.evaluate(begin)
            until(lambda: '"status": 403' in log.getvalue())
        with serving(places, port=port, origins=[page_address]):
            page.evaluate(begin)
            sent(page, WORDS[:10])
        with serving(places, port=port, origins=[page_address]):
            sent(page, WORDS[10:50])
            message = page.evaluate("() => window.send({ nothing: 1 }).catch((error) => error.message)")
            assert "nothing" in message
        with serving(places, port=port, origins=[page_address]):
            sent(page, WORDS[50:])
            page.evaluate(begin)
            page.evaluate("() => window.send({ text: 'a ' })")
        with serving(places, port=port, origins=[page_address], open_one=_open_other):
            message = page.evaluate("() => window.send({ text: 'b ' }).catch((error) => error.message)")
            assert "trained again" in message
        browser.close()
    model: Any = load_run(runs("characters")).streaming()
    settings = model.settings({})
    steps = model.arrived({"text": "".join(f"{word} " for word in WORDS), "end": True}, "", settings).steps
    ((_, wanted),) = model.advance([Advance(model.initial(settings), steps, True, settings)])
    assert found == wanted
