"""Carries an experiment of several comparisons out, part after part; what is finished is never done again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.comparison.plan.plan import DEFAULT_SEEDS
from gatewise.errors import OptionError, did_you_mean
from gatewise.files import make_folder, write_text
from gatewise.record import SUITE_FILE, Comparison, compact_json
from gatewise.reports.suite import write_suite_report
from gatewise.suites.articles import CELLS, Part, articles_parts
from gatewise.suites.findings import suite_record

if TYPE_CHECKING:
    from gatewise.comparison.run.events import ComparisonListener

__all__ = ["SUITES", "run_suite", "suite_command"]

SUITES = {"articles": articles_parts}


def run_suite(
    name: str = "articles",
    out: str | Path | None = None,
    *,
    parts: Sequence[str] | None = None,
    quick: bool = False,
    seeds: int = DEFAULT_SEEDS,
    threads: int | None = None,
    on_part: Callable[[Part], None] | None = None,
    on_event: ComparisonListener | None = None,
    **options: Any,
) -> Path:
    """Run every comparison of a suite and set its table beside the published one.

    Args:
        name: ``articles``.
        out: folder; each comparison gets its own in it. None: ``runs/`` and the suite's name. A folder in which the
            same suite was stopped is continued.
        parts: only these comparisons, by name; None: all, of the uses without a published figure those whose data are
            at hand.
        quick: the ten-minute version, with fewer epochs.
        seeds: how many times each cell is trained.
        threads: CPU threads; None: one per core.
        on_part: is called with each comparison that begins.
        on_event: is called with every step, see `gatewise.comparison.run.events`.
        **options: passed on to `gatewise.compare`: ``jobs``, ``cluster``.

    Returns:
        The path of `suite.html`; beside it lie `suite.json`, `suite.md`, `suite.png` and `suite.svg`.

    Raises:
        OptionError: there is no such suite or part.
        DataError: a part's data are not at hand.
        RunError: the folder holds something else.

    Example:
        >>> run_suite("artikles")
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no suite 'artikles'; expected: articles; fix: did you mean 'articles'?
    """
    chosen, left_out = _at_hand(_chosen(name, parts), asked=parts is not None)
    folder = Path(out) if out is not None else Path("runs") / (f"{name}-quick" if quick else name)
    make_folder(folder)
    from gatewise.study import compare

    done: dict[str, tuple[Part, Comparison]] = {}
    for part in chosen:
        if on_part is not None:
            on_part(part)
        settings = _settings(part, quick)
        place = folder / part.name
        if threads is not None:
            settings["threads"] = threads
        result = compare(part.name, cells=CELLS, seeds=seeds, out=place, on_event=on_event, **settings, **options)
        done[part.name] = (part, result.record)
    command = suite_command(name, folder, parts=parts, quick=quick, seeds=seeds, threads=threads)
    record = suite_record(done, command=command, quick=quick, left_out=left_out)
    write_text(folder / SUITE_FILE, compact_json(record) + "\n")
    return write_suite_report(folder)


def suite_command(
    name: str, folder: Path, *, parts: Sequence[str] | None, quick: bool, seeds: int, threads: int | None
) -> str:
    """The command that repeats a suite.

    Example:
        >>> suite_command("articles", Path("runs/articles"), parts=None, quick=True, seeds=3, threads=2)
        'gatewise suite articles --quick --threads 2 --out runs/articles'
    """
    import shlex

    words = ["gatewise", "suite", name]
    words += ["--parts", ",".join(parts)] if parts else []
    words += ["--quick"] if quick else []
    words += ["--seeds", str(seeds)] if seeds != DEFAULT_SEEDS else []
    words += ["--threads", str(threads)] if threads is not None else []
    return shlex.join([*words, "--out", str(folder)])


def _chosen(name: str, parts: Sequence[str] | None) -> tuple[Part, ...]:
    if name not in SUITES:
        raise OptionError(f"there is no suite {name!r}", expected=", ".join(SUITES), fix=did_you_mean(name, SUITES))
    known = {part.name: part for part in SUITES[name]()}
    for wanted in parts or ():
        if wanted not in known:
            raise OptionError(
                f"the suite {name!r} has no part {wanted!r}",
                expected=", ".join(known),
                fix=did_you_mean(wanted, known),
            )
    return tuple(known[wanted] for wanted in (parts or known))


def _at_hand(parts: Sequence[Part], *, asked: bool) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The parts that can be run, and sentences on those that are left out; what was asked for by name never is."""
    from gatewise.training.registry import datasets

    known = {info.name: info for info in datasets()}
    missing = [
        part for part in parts if part.further and not asked and part.name in known and not known[part.name].at_hand
    ]
    sentences = tuple(
        f"{part.title}: left out, the data set {part.name} is not at hand: {known[part.name].how_to_get}"
        for part in missing
    )
    return tuple(part for part in parts if part not in missing), sentences


def _settings(part: Part, quick: bool) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if part.recipe is not None:
        from gatewise.training.recipes import load_recipe

        settings |= {name: value for name, value in load_recipe(part.recipe).settings.items() if name != "cell"}
    return {**settings, **part.settings, **(part.quick if quick else {})}
