"""The picture of explanations: the answer after every step, the reasons, and one map of gates per network."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.drawing.pictures import COLOURS, MUTED, escaped, finish, new_figure, save
from gatewise.drawing.styles import series_style
from gatewise.reports.explained_picture import draw_pictures
from gatewise.words import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["save_explanation_picture"]

_WIDTH = 10.0
_PANEL = 2.2
_LABELS = 40
_UNITS = 12
_ROWS = 12
_FLOOR = 1e-12
_FOR, _AGAINST = "#0b6e99", "#bd4a16"


def save_explanation_picture(records: Sequence[Mapping[str, Any]], path: str | Path) -> Path:
    """Draw one input as one or several networks read it.

    Args:
        records: of the same input, `gatewise.inspection.explaining.Explanation.to_dict` with gates.
        path: where to; the ending decides: ``.png`` or ``.svg``.

    Returns:
        The path.

    Raises:
        OptionError: another ending.
        StorageError: the file cannot be written.
    """
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = save(lambda: _figure(records), path)
    missing = [each for each in said if "missing from font" in str(each.message)]
    for each in said:
        if each not in missing:
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno)
    if missing:
        text = f"{plural(len(missing), 'sign')} of the text cannot be drawn with the fonts here"
        warnings.warn(text if found.suffix == ".svg" else f"{text}: write an .svg, or use --json", stacklevel=2)
    return found


def _figure(records: Sequence[Mapping[str, Any]]) -> Figure:
    flows = "flow" in records[0]
    names = _titles(records)
    written = [table for name, record in zip(names, records, strict=True) for table in _tables(record, name)]
    heights = [1.0] * (1 + 2 * len(records) + flows) + [_height(table) for table in written]
    figure = new_figure(_WIDTH, _PANEL * sum(heights))
    panels = figure.subplots(len(heights), 1, squeeze=False, gridspec_kw={"height_ratios": heights})[:, 0]
    styles = series_style(names, ())
    colours = {name: COLOURS[styles[name]] for name in names}
    _draw_answers(panels[0], records, names, colours)
    for number, (name, record) in enumerate(zip(names, records, strict=True)):
        _draw_reasons(panels[1 + 2 * number], record, name)
        _draw_gate(figure, panels[2 + 2 * number], record, name)
    if flows:
        _draw_flow(panels[2 * len(records) + 1], records, names, colours)
    for axes, table in zip(panels[len(panels) - len(written) :], written, strict=True):
        _draw_table(figure, axes, table)
    return figure


class _Table(NamedTuple):
    """A map of what was written (rows) over what was read."""

    title: str
    rows: Sequence[str]
    values: npt.NDArray[np.float64]
    signed: bool
    record: Mapping[str, Any]


def _height(table: _Table) -> float:
    """In panels: rows of words need room; pictures are as high as the width lets them be."""
    if "picture" in table.record["input"]:
        return max(0.5, min(1.5, _WIDTH / _PANEL / max(1, len(table.rows))))
    return max(1.0, len(table.rows) / _ROWS)


def _tables(record: Mapping[str, Any], name: str) -> list[_Table]:
    """Of a network that writes: the reasons of every word, and where it looked."""
    written = record.get("written")
    if written is None:
        return []
    rows = written["steps"]
    found = [_Table(f"{name}: reasons of every word written ({record['reasons']['method']}, each by itself)", rows,
                    np.array(written["reasons"], dtype=np.float64), True, record)]  # fmt: skip
    if written["attention"] is not None:
        values = np.array(written["attention"], dtype=np.float64)
        found.append(_Table(f"{name}: attention", rows, values, False, record))
    return found


def _draw_table(figure: Figure, axes: Axes, table: _Table) -> None:
    if "picture" in table.record["input"]:
        draw_pictures(axes, table.record, table.title, table.values.tolist(), [_short(each) for each in table.rows])
        return
    values = table.values
    if table.signed:
        values = values / np.maximum(np.abs(values).max(axis=1, keepdims=True), _FLOOR)
    colours, low = (_reason_colours(), -1) if table.signed else ("viridis", 0)
    image = axes.imshow(values, aspect="auto", interpolation="nearest", cmap=colours, vmin=low, vmax=1)
    figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01)
    axes.set_yticks(range(len(table.rows)), [escaped(_short(each)) for each in table.rows], fontsize=7)
    finish(axes, table.title, "")
    axes.grid(visible=False)
    _name_steps(axes, table.record)


def _titles(records: Sequence[Mapping[str, Any]]) -> list[str]:
    cells = [str(record["cell"]) for record in records]
    found: list[str] = []
    for record, cell in zip(records, cells, strict=True):
        found.append(cell if cells.count(cell) == 1 else f"{cell} ({record['run']})")
    return found


def _draw_answers(
    axes: Axes, records: Sequence[Mapping[str, Any]], names: Sequence[str], colours: Mapping[str, str]
) -> None:
    for name, record in zip(names, records, strict=True):
        answers = record["answers"]
        followed = answers["names"].index(answers["followed"])
        course = np.array(answers["after"], dtype=np.float64)[:, followed]
        axes.plot(course, color=colours[name], label=escaped(f"{name}: {answers['followed']}"), linewidth=1.8)
    if records[0]["answers"]["kind"] != "values":
        axes.set_ylim(-0.03, 1.03)
    axes.legend(loc="best", frameon=False, fontsize=8)
    covered = "picture" in records[0]["input"]
    finish(
        axes, "The answer if the picture were covered past each patch" if covered else "The answer after every step", ""
    )
    _name_steps(axes, records[0])


def _draw_reasons(axes: Axes, record: Mapping[str, Any], name: str) -> None:
    why = record["reasons"]
    values = np.array(why["values"], dtype=np.float64)
    title = f"{name}: reasons for {record['answers']['followed']} ({why['method']})"
    if "picture" in record["input"]:
        draw_pictures(axes, record, title, [values.tolist()], ["blue: for it, orange: against it"])
        return
    if values.ndim == 1:
        axes.bar(np.arange(len(values)), values, color=[_FOR if value > 0 else _AGAINST for value in values])
        finish(axes, title, "")
    else:
        limit = float(np.abs(values).max()) or 1.0
        axes.imshow(values.T, aspect="auto", cmap=_reason_colours(), vmin=-limit, vmax=limit, interpolation="nearest")
        apart = -(-values.shape[1] // _ROWS)
        axes.set_yticks(range(0, values.shape[1], apart), [escaped(each) for each in why["columns"][::apart]])
        finish(axes, title + ", by column", "", grid="y")
        axes.grid(visible=False)
    _name_steps(axes, record)


def _reason_colours() -> Any:
    """For the answer and against it, as the bars have them."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("reasons", [_AGAINST, "#ffffff", _FOR])


def _draw_gate(figure: Figure, axes: Axes, record: Mapping[str, Any], name: str) -> None:
    """The gate that keeps, else the state."""
    first = record["gates"][0]["stack"]
    forward = [each for each in record["gates"] if each["stack"] == first and each["direction"] == "forward"]
    maps = {entry["name"]: entry for entry in forward}
    chosen = next((maps[each] for each in ("forget", "update", "cell", "hidden") if each in maps), record["gates"][0])
    values = np.array(chosen["values"])[:, chosen["order"]].T
    gate = chosen["role"] == "gate"
    image = axes.imshow(
        values,
        aspect="auto",
        cmap="viridis" if gate else "PuOr_r",
        vmin=chosen["low"],
        vmax=chosen["high"],
        interpolation="nearest",
    )
    figure.colorbar(image, ax=axes, fraction=0.02, pad=0.01)
    finish(axes, f"{name}: {chosen['name']}, layer {chosen['layer'] + 1}, units by similarity", "")
    axes.grid(visible=False)
    apart = max(1, -(-len(values) // _UNITS))
    axes.set_yticks(range(0, len(values), apart), [str(unit) for unit in chosen["order"][::apart]], fontsize=7)
    axes.set_ylabel("unit", color=MUTED)
    _name_steps(axes, record, _walked(record, chosen))


def _draw_flow(
    axes: Axes, records: Sequence[Mapping[str, Any]], names: Sequence[str], colours: Mapping[str, str]
) -> None:
    """Norm of the loss's gradient at every step of the last forward layer, before (dashed) and after training."""
    for name, record in zip(names, records, strict=True):
        for part, style, words in (("after", "-", ""), ("before", "--", ", before training")):
            layers = [each for each in record["flow"][part]["layers"] if each["direction"] == "forward"]
            norms = np.array(layers[-1]["norms"], dtype=np.float64)
            shown = np.where(norms > _FLOOR, norms, np.nan)
            axes.plot(shown, style, color=colours[name], label=escaped(name + words), linewidth=1.6)
    axes.set_yscale("log")
    axes.legend(loc="best", frameon=False, fontsize=8)
    finish(axes, "Norm of the loss's gradient with respect to the state", "")
    walked = [each for each in records[0]["flow"]["after"]["layers"] if each["direction"] == "forward"][-1]
    written = records[0]["written"]["steps"] if walked["unit"] == "written word" else None
    _name_steps(axes, records[0], written and written[: len(walked["norms"])])


def _walked(record: Mapping[str, Any], gate: Mapping[str, Any]) -> list[str]:
    """The names of a map's columns: of the steps that each begins with, of the words written, or steps ahead."""
    steps, count = [step["label"] for step in record["input"]["steps"]], len(gate["values"])
    if gate["stride"]:
        return [steps[min(gate["first"] + row * gate["stride"], len(steps) - 1)] for row in range(count)]
    return record["written"]["steps"] if "written" in record else [f"+{row + 1}" for row in range(count)]


def _name_steps(axes: Axes, record: Mapping[str, Any], named: Sequence[str] | None = None) -> None:
    labels = [step["label"] for step in record["input"]["steps"]] if named is None else list(named)
    apart = max(1, -(-len(labels) // _LABELS))
    places = list(range(0, len(labels), apart))
    axes.set_xticks(places, [escaped(_short(labels[place])) for place in places], rotation=60, ha="right", fontsize=7)
    axes.set_xlim(-0.6, len(labels) - 0.4)


def _short(label: str) -> str:
    line = "".join(sign if sign.isprintable() else "·" for sign in label)
    return line if len(line) <= 14 else line[:13] + "…"
