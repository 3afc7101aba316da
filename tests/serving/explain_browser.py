"""The page of `gatewise explain`, opened in Chromium: what the tests in a browser share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

_FOLLOWED = (
    "() => gatewisePage.views.every(v => v.reading?.of === gatewisePage.key && v.reasons?.of === gatewisePage.key"
    " && v.more?.of === gatewisePage.key)"
)


@contextlib.contextmanager
def opened(chromium: Any, address: str, *, width: int = 1280, **options: Any) -> Iterator[Any]:
    """The page with its first reading; no error may be written to the console."""
    context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda line: problems.append(line.text) if line.type == "error" else None)
    page.goto(address)
    page.wait_for_selector(".run:not(.empty)")
    try:
        yield page
        # a refusal (422) is shown to the person, and the browser writes it to its console too
        assert not [each for each in problems if "ERR_CONNECTION" not in each and "status of 422" not in each]
    finally:
        context.close()


def settled(page: Any) -> None:
    """Every run shows the reading and the reasons of the text."""
    for _ in range(200):
        if page.evaluate(_FOLLOWED):
            page.wait_for_timeout(40)
            return
        page.wait_for_timeout(50)
    raise AssertionError("the page did not follow the text")
