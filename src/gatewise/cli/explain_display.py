"""An explanation in the terminal: a coloured line per input, the reasons in words, and what gates and units do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.cli.explain_picture import picture_rows
from gatewise.cli.explain_written import visible, written_facts
from gatewise.grammar import listed
from gatewise.screen import given_width
from gatewise.words import plural

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from gatewise.inspection.explaining import Explanation

__all__ = ["brackets_beside", "show_explanations"]

_FOR, _AGAINST = (11, 110, 153), (189, 74, 22)
_REASONS = 5
_TURNS = 4
_MOST_STEPS = 300
_BRACKETS = ("()", "[]", "{}", "⟨⟩", "⟦⟧", "⦃⦄")
_BLOCKS = " ▁▂▃▄▅▆▇█"
_LEAST_SHADE = 0.15
_FAINT = 0.001
"""Reasons below this are written as nothing."""
_LAGS = (0, 1, 2, 5, 10, 20, 50, 100, 200)


def show_explanations(found: Sequence[Explanation], screen: Console) -> None:
    """Print explanations, those of one input beneath each other.

    Args:
        found: of every input by every run.
        screen: the terminal; without colour the strongest reasons are written beside their words.
    """
    from rich.text import Text

    several, whole = len({each.run for each in found}) > 1, given_width() is None
    before: Any = None
    for each in found:
        given = each.reading.input
        if before is not None:
            screen.print()
        head = Text(each.reading.title, style="bold")
        head.append(f"  {each.run}", style="dim")
        screen.print(head, soft_wrap=whole)
        if given.text is None and (not several or before is None or given.title != before):
            screen.print(Text(f"  {given.title}", style="dim"), soft_wrap=whole)
        before = given.title
        coloured = screen.color_system is not None and not screen.no_color
        for line in _body(each, coloured=coloured):
            screen.print(line, soft_wrap=whole)
        for name, words in _facts(each):
            _print_hanging(screen, Text(f"  {name:<12}", style="dim"), Text(words))
        for words in given.notes:
            _print_hanging(screen, Text("  Note: ", style="dim"), Text(words, style="dim"))


def _print_hanging(screen: Console, head: Text, words: Text) -> None:
    """Print words behind their head; where lines are as long as the screen is wide, those that follow are indented."""
    from rich.table import Table

    if given_width() is None and not screen.is_terminal:
        screen.print(head + words, soft_wrap=True)
        return
    grid = Table.grid()
    grid.add_column(width=head.cell_len, no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row(head, words)
    screen.print(grid)


def _body(each: Explanation, *, coloured: bool) -> list[Text]:
    """The text with its tokens coloured; of series a row of blocks per column; of a picture its patches."""
    if each.reading.input.picture is not None:
        return picture_rows(each, coloured=coloured)
    return _columns(each, coloured=coloured) if each.reasons.columns else [_tokens(each, coloured=coloured)]


def _shade(value: float, largest: float) -> str:
    """Black or white on the colour of the sign, as strong as the reason is."""
    strength = abs(value) / largest if largest > 0 else 0.0
    if strength < _LEAST_SHADE:
        return ""
    red, green, blue = _FOR if value > 0 else _AGAINST
    mixed = [round(255 + (part - 255) * strength) for part in (red, green, blue)]
    return f"{'white' if strength > 0.6 else 'black'} on rgb({mixed[0]},{mixed[1]},{mixed[2]})"


def _tokens(each: Explanation, *, coloured: bool) -> Text:
    from rich.text import Text

    given, values = each.reading.input, each.reasons.per_step
    largest = float(np.abs(values).max(initial=0.0))
    strongest = {step for side in (False, True) for step, _, _ in each.strongest(3, against=side)}
    brackets = brackets_beside((given.text or "") + "".join(step.label for step in given.steps))
    line, position = Text("  "), 0
    for number, (step, value) in enumerate(zip(given.steps, values, strict=True)):
        if number == _MOST_STEPS:
            line.append(f" … ({plural(len(given.steps) - number, 'token')} more)", style="dim")
            break
        gap = " "
        if given.text is not None and step.start is not None and step.end is not None and step.start >= position:
            gap = " ".join(f"·{given.text[position : step.start]}·".split())[1:-1] or (
                " " if given.text[position : step.start] else ""
            )
            gap = gap or " " * bool(number and given.steps[number - 1].start is None)
            position = step.end
        if number or gap.strip():
            line.append(gap if gap.strip() else " " * bool(gap))
        line.append(visible(step.label), style=_shade(float(value), largest) if coloured else "")
        if not coloured and number in strongest:
            line.append(f"{brackets[0]}{_signed(float(value))}{brackets[1]}")
    return line


def brackets_beside(text: str) -> str:
    """The first pair of brackets of which a text holds neither, so that what stands in them is no part of it.

    Example:
        >>> brackets_beside("a film"), brackets_beside("a film (1999)"), brackets_beside("f(x) [1] {2}")
        ('()', '[]', '⟨⟩')
    """
    return next((pair for pair in _BRACKETS if not set(pair) & set(text)), _BRACKETS[-1])


def _columns(each: Explanation, *, coloured: bool) -> list[Text]:
    from rich.text import Text

    values = each.reasons.values
    largest = float(np.abs(values).max(initial=0.0))
    widest = max(len(name) for name in each.reasons.columns)
    shown = values[-_MOST_STEPS:]
    lines = []
    for column, name in enumerate(each.reasons.columns):
        line = Text(f"  {name:<{widest}} ")
        for value in shown[:, column]:
            strength = abs(float(value)) / largest if largest > 0 else 0.0
            block = _BLOCKS[round(strength * (len(_BLOCKS) - 1))]
            line.append(block, style=("blue" if value > 0 else "dark_orange3") if coloured else "")
        total = float(values[:, column].sum())
        line.append(f"  {total:+.3g} in all", style="dim")
        lines.append(line)
    return lines


def _facts(each: Explanation) -> list[tuple[str, str]]:
    """Names and sentences of everything measured."""
    reading, why = each.reading, each.reasons
    found = [] if each.writing is None else written_facts(each.writing, reading.input)
    found.append(("Answer", _answer(each)))
    for name, against in (("For it", False), ("Against it", True)):
        listed = each.strongest(_REASONS, against=against)
        if listed:
            found.append(
                (name, ", ".join(f"{_named(each, step, column)} {_signed(value)}" for step, column, value in listed))
            )
    if reading.turned:
        found.append(("Turned", _turns(each)))
    error = f"{why.method.replace('-', ' ')} of {why.score} against {why.baseline}"
    if why.method == "integrated-gradients":
        error += f"; {plural(why.steps_used, 'gradient')}, completeness error {100 * why.completeness_error:.2g} %"
        if not why.complete:
            from gatewise.inspection.reasons import most_gradients

            error += ": more than 1 %, do not rely on it"
            if most_gradients(len(reading.input.steps)) < most_gradients(1):
                error += f"; of so many {reading.unit}s no more gradients are taken: give a shorter input"
    found.append(("Reasons", error))
    if why.removal is not None:
        found.append(("Checked", _checked(each)))
    gates = [
        f"{each.name}{_place(each.layer, each.direction, reading, each.stack)} open {100 * each.open:.0f} %, "
        f"shut {100 * each.shut:.0f} %"
        for each in each.saturation
    ]
    if gates:
        found.append(("Gates", "; ".join(gates) + "   (share of steps and units above 0.9, below 0.1)"))
    found += [("Memory", words) for words in _memory(each)]
    found += [("Units", words) for words in _roles(each)]
    found += [("Gradient", words) for words in _flow(each)]
    if each.neighbours is not None:
        for other in each.neighbours.found:
            around = " ".join(visible(word) for word in other.around)
            words = f"{other.distance:.3g} away: … {around}   (test example {other.example})"
            found.append((f"Like step {each.neighbours.step + 1}", words))
        found.append(("", each.neighbours.sentence))
    if each.parallel is not None:
        found.append(("In parallel", each.parallel.sentence))
    return found


def _place(layer: int, direction: str, reading: Any, stack: str | None = None) -> str:
    """Which stack, layer and direction, where there are several."""
    stacks = dict.fromkeys(each.stack for each in reading.gates)
    stack = next(iter(stacks)) if stack is None else stack
    places = {(each.layer, each.direction) for each in reading.gates if each.stack == stack}
    parts = [stack] if len(stacks) > 1 else []
    parts += [f"layer {layer + 1}"] if len({place[0] for place in places}) > 1 else []
    parts += [direction] if len({place[1] for place in places}) > 1 else []
    return f" ({', '.join(parts)})" if parts else ""


def _answer(each: Explanation) -> str:
    reading = each.reading
    value = float(reading.final[reading.target])
    words = f"{each.answer} {value:.4g}" if reading.answers == "values" else f"{each.answer} {100 * value:.1f} %"
    place = reading.input.place
    if place is not None:
        steps = reading.input.written or reading.input.steps
        words = f"{visible(steps[place].label)}: {words}"
    if reading.answers == "values" and len(reading.names) > 1:
        rest = [f"{name} {v:.4g}" for name, v in zip(reading.names, reading.final, strict=True) if name != each.answer]
        words += "; " + ", ".join(rest[:7]) + (", …" if len(rest) > 7 else "")
    elif len(reading.names) > 2:
        order = [place for place in np.argsort(-reading.final) if place != reading.target][:3]
        words += "; " + ", ".join(f"{visible(reading.names[p])} {100 * reading.final[p]:.1f} %" for p in order)
    return words + (f"   (truth: {reading.input.truth})" if reading.input.truth else "")


def _named(each: Explanation, step: int, column: int | None) -> str:
    label = listed(visible(each.reading.input.steps[step].label))
    return label if column is None else f"{each.reasons.columns[column]} at {label}"


def _signed(value: float) -> str:
    """A reason with its sign: to two digits, or hundredths; what is nearly nothing is +0.00 or -0.00."""
    if abs(value) < _FAINT:
        return f"{'+' if value >= 0 else '-'}0.00"
    return f"{value:+.2g}" if abs(value) < 0.1 else f"{value:+.2f}" if abs(value) < 100 else f"{value:+.3g}"


def _turns(each: Explanation) -> str:
    reading = each.reading
    parts = []
    for step in reading.turned[:_TURNS]:
        label = f"{listed(visible(reading.input.steps[step].label))} ({reading.unit} {step + 1})"
        before, after = (reading.after[place] for place in (step - 1, step))
        if reading.answers == "classes" and before.argmax() != after.argmax():
            parts.append(f"at {label} to {visible(reading.names[int(after.argmax())])}")
        else:
            change = (
                f"{before[reading.target]:.4g} to {after[reading.target]:.4g}"
                if reading.answers == "values"
                else f"{100 * before[reading.target]:.1f} to {100 * after[reading.target]:.1f} %"
            )
            parts.append(f"at {label} from {change}")
    more = len(reading.turned) - _TURNS
    return "; ".join(parts) + (f"; and {more} times more" if more > 0 else "")


def _checked(each: Explanation) -> str:
    """What taking the reasons away does."""
    curve = each.reasons.removal
    assert curve is not None
    place = min(max(1, len(curve.removed) // 10), len(curve.removed) - 1)
    count, share = int(curve.removed[place]), curve.by_reasons
    most = each.reading.unit if count == 1 else plural(count, each.reading.unit)
    words = (
        f"without the {most} most in favour the score goes from {share[0]:.2f} to "
        f"{share[place]:.2f}, at random to {curve.random[place]:.2f}"
    )
    if curve.faster is None:
        return words
    return words + (
        f"; over the first half {curve.faster:.1f} times as much"
        if curve.faster >= 1
        else "; over the first half no more than at random: these reasons do not hold up"
    )


def _flow(each: Explanation) -> list[str]:
    """The gradient's size where it starts, on the way and at its end, before and after training."""
    if each.flow is None:
        return []
    lines = []
    for name, flow in (("before training", each.flow.before), ("trained", each.flow.after)):
        for layer in flow.layers:
            norms = layer.norms[::-1] if layer.direction == "forward" else layer.norms
            if not norms.any():
                continue
            lags = [lag for lag in _LAGS if lag < len(norms)]
            sizes = ", ".join(f"{norms[lag]:.1e} {lag} back" for lag in lags)
            lines.append(f"{name}{_place(layer.layer, layer.direction, each.reading)}: {sizes}, in {layer.unit}s")
        factor = flow.clipped(each.clip_norm)
        if each.clip_norm > 0:
            cut = f"shrinks all of it by {1 / factor:.1f}" if factor < 1 else "leaves it as it is"
            lines.append(
                f"{name}: norm {flow.parameter_norm:.2g} of all parameters; clipping at {each.clip_norm:g} {cut}"
            )
    return lines


def _memory(each: Explanation) -> list[str]:
    lines = []
    for entry in each.memory:
        place = _place(entry.layer, entry.direction, each.reading)
        parts = []
        if entry.half_lives is not None:
            middle, high = np.quantile(entry.half_lives, [0.5, 0.9], method="lower")
            parts.append(
                f"by their gates units{place} keep half of their value for {_steps(middle)} (median; a tenth of them "
                f"for {_steps(high)} or more)"
            )
        if entry.gradient_lags is not None and not np.isnan(entry.gradient_lags).all():
            lag = float(np.nanmedian(entry.gradient_lags))
            parts.append(f"half of the squared gradient lies within {_steps(lag)}")
        if entry.agreement is not None:
            parts.append(f"rank correlation over the units {entry.agreement:+.2f}")
        if parts:
            lines.append("; ".join(parts))
    return lines


def _steps(value: float) -> str:
    if not np.isfinite(value):
        return "ever"
    return f"{value:.1f} steps" if value < 10 else f"{value:.0f} steps"


def _walked(each: Explanation, first: Any) -> Sequence[Any]:
    """The steps that the first stack walks over: those of the input, or of what is written."""
    given = each.reading.input
    return given.written if given.written and first.stride == 0 else given.steps


_ROLES = (
    ("counting", "counts", "count"),
    ("switching", "switches", "switch"),
    ("sentinel", "waits and fires", "wait and fire"),
)


def _roles(each: Explanation) -> list[str]:
    """How many units have a role, with one of each."""
    lines = []
    for (layer, direction), roles in each.roles.items():
        parts = []
        for name, verb, several in _ROLES:
            own = sorted((role for role in roles if role.role == name), key=lambda role: -role.strength)
            if own:
                walked = _walked(each, next(iter(each.reading.gates)))
                at = [visible(walked[step].label) for step in own[0].steps[:3] if step < len(walked)]
                where = f" at {', '.join(at)}" if at else ""
                parts.append(f"{len(own)} {verb if len(own) == 1 else several} (such as {own[0].unit}{where})")
        if parts:
            lines.append("; ".join(parts) + _place(layer, direction, each.reading))
    return lines
