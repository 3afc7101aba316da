"""An explanation as a notebook shows it: static HTML, every token or number in the colour of its reason."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING

import numpy as np

from gatewise.inspection.reading import Reading

if TYPE_CHECKING:
    from gatewise.inspection.explaining import Explanation

__all__ = ["shown"]

_FOR, _AGAINST = "11,110,153", "189,74,22"


def shown(explanation: Explanation) -> str:
    """An explanation as HTML without scripts: the answer, and the input in the colours of its reasons.

    Args:
        explanation: of one input.
    """
    reading, why = explanation.reading, explanation.reasons
    share = _answer_words(reading)
    head = (
        f"<p style='margin:0 0 .4em'><b>{html.escape(reading.title)}</b>: "
        f"{html.escape(explanation.answer)} <b>{html.escape(share)}</b></p>"
    )
    if explanation.writing is not None:
        written = html.escape(explanation.writing.drafts[-1])
        head = f"<p style='margin:0 0 .4em' dir='auto'>{written}</p>{head}"
    if reading.input.picture is not None:
        body = _pictured(explanation)
    else:
        body = _table(explanation) if why.columns else _coloured(explanation)
    note = (
        f"<p style='margin:.4em 0 0;font-size:85%;opacity:.75'>Blue speaks for it, orange against it: "
        f"{html.escape(why.method)}, {html.escape(why.score)}, against {html.escape(why.baseline)}; "
        f"completeness error {100 * why.completeness_error:.2g} %.</p>"
    )
    return f"<div style='font-family:system-ui,sans-serif;line-height:1.7'>{head}{body}{note}</div>"


def _answer_words(reading: Reading) -> str:
    value = float(reading.final[reading.target])
    return f"{value:.4g}" if reading.answers == "values" else f"{100 * value:.1f} %"


def _shade(value: float, largest: float) -> str:
    strength = abs(value) / largest if largest > 0 else 0.0
    return f"rgba({_FOR if value > 0 else _AGAINST},{0.75 * strength:.2f})"


def _coloured(explanation: Explanation) -> str:
    """The text with its tokens shaded; what stands between them stays as it is."""
    given, values = explanation.reading.input, explanation.reasons.per_step
    largest = float(np.abs(values).max(initial=0.0))
    parts, position, text = [], 0, given.text
    for step, value in zip(given.steps, values, strict=True):
        if text is not None and step.start is not None and step.end is not None and step.start >= position:
            parts.append(html.escape(text[position : step.start]))
            position = step.end
        else:
            parts.append(" ")
        parts.append(
            f"<span title='{value:+.3g}' style='background:{_shade(float(value), largest)};border-radius:3px'>"
            f"{html.escape(step.label)}</span>"
        )
    return f"<p style='margin:0' dir='auto'>{''.join(parts)}</p>"


def _pictured(explanation: Explanation) -> str:
    """The picture with its patches shaded."""
    given, values = explanation.reading.input, explanation.reasons.per_step
    picture = given.picture
    assert picture is not None
    largest = float(np.abs(values).max(initial=0.0))
    cells = "".join(
        f"<span title='{html.escape(step.label)}: {value:+.3g}' "
        f"style='background:{_shade(float(value), largest)}'></span>"
        for step, value in zip(given.steps, values, strict=True)
    )
    source = base64.b64encode(picture.png).decode()
    return (
        f"<div style='position:relative;width:16em;height:16em'><img alt='the picture' "
        f"src='data:image/png;base64,{source}' style='width:100%;height:100%;image-rendering:pixelated'>"
        f"<div style='position:absolute;inset:0;display:grid;grid-template-columns:repeat({picture.columns},1fr)'>"
        f"{cells}</div></div>"
    )


def _table(explanation: Explanation) -> str:
    """Numbers step by column, shaded."""
    given, why = explanation.reading.input, explanation.reasons
    largest = float(np.abs(why.values).max(initial=0.0))
    rows = []
    for column, name in enumerate(why.columns):
        cells = "".join(
            f"<td title='{html.escape(step.label)}: {value:+.3g}' style='background:{_shade(float(value), largest)};"
            "min-width:6px;height:1.1em;padding:0'></td>"
            for step, value in zip(given.steps, why.values[:, column], strict=True)
        )
        rows.append(f"<tr><th style='text-align:left;padding-right:.6em'>{html.escape(name)}</th>{cells}</tr>")
    return f"<table style='border-collapse:collapse'>{''.join(rows)}</table>"
