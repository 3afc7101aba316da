"""What a network writes, word by word, in the terminal: reasons and attention of each, and how it came to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from gatewise.inspection.writing import Writing
    from gatewise.training.reader import ReadInput

__all__ = ["visible", "written_facts"]

_STRONGEST = 3
_LEAST_SHARE = 0.1
_MOST_WORDS = 60
_MOST_DRAFTS = 24
_LEAST_CHANCE = 0.01
_OTHERS = 2


def visible(label: str) -> str:
    """A token without line ends and control characters.

    Example:
        >>> visible("a\\nb"), visible("")
        ('a·b', '·')
    """
    shown = "".join(sign if sign.isprintable() else "·" for sign in label)
    return shown or "·"


def written_facts(found: Writing, given: ReadInput) -> list[tuple[str, str]]:
    """Names and sentences: what would be written after every step, and of every word what counted.

    Args:
        found: what was written.
        given: what was read.
    """
    facts = [("Writes", visible(found.drafts[-1]))]
    table = found.table
    widest = max(len(visible(label)) for label in found.labels)
    for number, label in enumerate(found.labels[:_MOST_WORDS]):
        order = np.argsort(-np.abs(table[number]), kind="stable")[:_STRONGEST]
        strong = [step for step in order if 0 < abs(table[number][step]) >= _LEAST_SHARE * abs(table[number][order[0]])]
        words = (
            ", ".join(f"{visible(given.steps[step].label)} {table[number][step]:+.2g}" for step in strong)
            or "no reasons"
        )
        line = f"{visible(label):<{widest}} {100 * found.chances[number]:>5.1f} %{_others(found, number)}   {words}"
        if found.attention is not None:
            looked = int(found.attention[number].argmax())
            share = 100 * found.attention[number][looked]
            line += f"   (looks at {visible(given.steps[looked].label)}, {share:.0f} %)"
        facts.append(("Words" if number == 0 else "", line))
    if len(found.labels) > _MOST_WORDS:
        facts.append(("", f"… and {len(found.labels) - _MOST_WORDS} more"))
    if found.agreement is not None:
        same = "patch" if given.picture is not None else "word"
        facts.append(
            ("", f"attention and reasons name the same {same} first for {100 * found.agreement:.0f} % of them")
        )
    return facts + _drafts(found, given)


def _others(found: Writing, number: int) -> str:
    """The likeliest other words at a place, where they are worth it."""
    if not found.following:
        return ""
    written = found.reasons[number].target
    others = [(name, chance) for name, chance in found.following[number] if name != written and chance >= _LEAST_CHANCE]
    shown = ", ".join(f"{visible(name)} {100 * chance:.0f} %" for name, chance in others[:_OTHERS])
    return f" (else {shown})" if shown else ""


def _drafts(found: Writing, given: ReadInput) -> list[tuple[str, str]]:
    """What would be written after each step with which it changes."""
    facts: list[tuple[str, str]] = []
    before = ""
    for step, draft in zip(given.steps, found.drafts, strict=True):
        if draft != before and len(facts) < _MOST_DRAFTS:
            name = "Uncovered" if given.picture is not None else "As it reads"
            facts.append((name if not facts else "", f"… {visible(step.label)}: {visible(draft)}"))
        before = draft
    return facts
