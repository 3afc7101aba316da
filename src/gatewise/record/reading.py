"""The one reader of everything that a comparison or a suite leaves: version first, then every part by its type."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from gatewise.errors import RunError
from gatewise.files import read_json, refuse_newer
from gatewise.record.comparison import FORMAT, FORMAT_VERSION, Comparison
from gatewise.record.run import Failure, Run
from gatewise.record.several import SEVERAL_FORMAT, SEVERAL_VERSION, Several
from gatewise.record.suite import SUITE_FORMAT, SUITE_VERSION, Suite

__all__ = [
    "RECORD_FILE",
    "SEVERAL_FILE",
    "SUITE_FILE",
    "check_version",
    "comparison_from",
    "damaged_part",
    "part_from",
    "part_of",
    "placed_runs",
    "read_comparison",
    "read_several",
    "read_suite",
    "run_from",
    "suite_from",
]

RECORD_FILE = "comparison.json"
SEVERAL_FILE = "comparisons.json"
SUITE_FILE = "suite.json"
T = TypeVar("T")
_REPEAT = "run the same `gatewise compare` again; finished runs are reused"


def read_comparison(folder: str | Path) -> Comparison:
    """Read the `comparison.json` of a folder.

    Raises:
        RunError: there is none, it is damaged, or from another version.

    Example:
        >>> read_comparison("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: there is no folder nowhere; fix: name the folder given to `gatewise compare --out`
    """
    place = Path(folder) / RECORD_FILE
    if not place.exists():
        raise _no_comparison(Path(folder))
    return comparison_from(read_json(place), place)


def read_several(folder: str | Path) -> Several:
    """Read the `comparisons.json` of a folder: what comparisons on several data sets say together.

    Raises:
        RunError: there is none, it is damaged, or from another version.

    Example:
        >>> read_several("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: nowhere holds no finished comparison of several data sets; expected: ...
    """
    place = Path(folder) / SEVERAL_FILE
    if not place.exists():
        raise RunError(
            f"{folder} holds no finished comparison of several data sets",
            expected=f"{SEVERAL_FILE} in it",
            fix="name the folder given to `gatewise compare --out`; if it was stopped, run the same command again",
        )
    content = read_json(place)
    check_version(content, SEVERAL_FORMAT, SEVERAL_VERSION, place, older=_REPEAT)
    return part_from(content, Several, place=place)


def read_suite(folder: str | Path) -> Suite:
    """Read the `suite.json` of a folder.

    Raises:
        RunError: there is none, it is damaged, or from another version.

    Example:
        >>> read_suite("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: nowhere holds no finished suite; expected: suite.json in it; fix: ...
    """
    place = Path(folder) / SUITE_FILE
    if not place.exists():
        raise RunError(
            f"{folder} holds no finished suite",
            expected=f"{SUITE_FILE} in it",
            fix="name the folder given to `gatewise suite --out`; if it was stopped, run the same command again",
        )
    return suite_from(read_json(place), place)


def comparison_from(content: object, place: object = RECORD_FILE) -> Comparison:
    """A comparison out of what its file holds.

    Args:
        content: as JSON gives it.
        place: the file, for messages.

    Raises:
        RunError: it is damaged, or from another version.

    Example:
        >>> comparison_from({"format": "gatewise.comparison", "format_version": 9}, "a.json")
        Traceback (most recent call last):
        gatewise.errors.RunError: a.json is from a newer Gatewise; expected: format 3 or older; got: ...
    """
    check_version(
        content, FORMAT, FORMAT_VERSION, place, older="compare again into a new folder; the file's `command` says how"
    )
    return part_from(content, Comparison, place=place)


def suite_from(content: object, place: object = SUITE_FILE) -> Suite:
    """A suite out of what its file holds.

    Raises:
        RunError: it is damaged, or from another version.
    """
    check_version(
        content,
        SUITE_FORMAT,
        SUITE_VERSION,
        place,
        older="run the suite again in the same folder; finished comparisons are reused",
    )
    return part_from(content, Suite, place=place, fix="run the same `gatewise suite` again; finished runs are reused")


def run_from(content: object, place: object = "the measurement") -> Run | Failure:
    """A finished or a failed run out of what its measurement holds.

    Raises:
        RunError: it is damaged.

    Example:
        >>> run_from({"name": "gru-seed0", "cell": "gru", "seed": 0, "state": "failed", "error": "out of memory"}).error
        'out of memory'
    """
    failed = isinstance(content, Mapping) and content.get("state") == "failed"
    return part_from(content, Failure, place=place) if failed else part_from(content, Run, place=place)


def damaged_part(place: object, at: str, expected: str) -> RunError:
    """The error for a part of a comparison's record that has its type and still cannot be.

    Args:
        place: the file.
        at: where in the file: ``models[0].runs[1].predictions``.
        expected: what should be there.
    """
    return RunError(f"{place} is damaged: {at} cannot be read", expected=expected, fix=_REPEAT)


def placed_runs(comparison: Comparison) -> Iterator[tuple[str, Run]]:
    """All runs, each with its place in the file: ``models[0].runs[1]``."""
    for number, model in enumerate(comparison.models):
        for seed, run in enumerate(model.runs):
            yield f"models[{number}].runs[{seed}]", run


def part_of(run: Run, name: str, kind: type[T]) -> T:
    """What a kind of problem keeps of a run, typed; of a record that was checked.

    Args:
        run: of a comparison.
        name: ``test``, ``predictions`` or ``details``.
        kind: a dataclass of the kind.
    """
    return part_from(getattr(run, name), kind, place="the record", at=f"{run.name}.{name}")


def check_version(content: object, name: str, version: int, place: object, *, older: str) -> None:
    """Refuse a file of another format.

    Args:
        content: as JSON gives it.
        name: that its ``format`` should have.
        version: that its ``format_version`` should have.
        place: the file, for messages.
        older: what to do about an older version.

    Raises:
        RunError: it is of another format, older or newer.
    """
    found = content.get("format_version") if isinstance(content, Mapping) else None
    other = isinstance(content, Mapping) and content.get("format", name) != name
    if not isinstance(found, int) or isinstance(found, bool) or found < 1 or other:
        raise RunError(
            f"{place} is damaged or no {name}",
            expected=f"format {name}, version {version}",
            got=repr(found) if not other else repr(content.get("format")),  # type: ignore[attr-defined]
        )
    refuse_newer(content, version, place)
    if found < version:
        raise RunError(
            f"{place} is from an older Gatewise", expected=f"format {version}", got=f"format {found}", fix=older
        )


def part_from(content: object, kind: type[T], *, place: object, at: str = "", fix: str = _REPEAT) -> T:
    """A typed record out of plain dictionaries and lists.

    Args:
        content: as JSON gives it; keys that the type does not have are ignored.
        kind: a dataclass, or any type that msgspec can convert to.
        place: the file, for messages.
        at: where in the file the content stands: ``models[0].details``.
        fix: what to do where it is damaged.

    Raises:
        RunError: a part is missing or of another type; the message names it.

    Example:
        >>> from gatewise.record import Kernel
        >>> part_from({"implementation": "fused"}, Kernel, place="a.json", at="models[0].kernel")
        Traceback (most recent call last):
        gatewise.errors.RunError: a.json is damaged: models[0].kernel.reason is missing; fix: ...
    """
    import msgspec

    try:
        return msgspec.convert(content, kind, strict=True)
    except msgspec.ValidationError as error:
        words, path = _parted(str(error))
        where = (at + _exact(content, kind, path)).lstrip(".")
        missing = re.fullmatch(r"Object missing required field `(.*)`", words)
        if missing is not None:
            lost = f"{where}.{missing[1]}".lstrip(".")
            raise RunError(f"{place} is damaged: {lost} is missing", fix=fix) from None
        expected, _, got = words.removeprefix("Expected ").partition(", got ")
        raise RunError(
            f"{place} is damaged{f': {where} cannot be read' if where else ''}",
            expected=expected.replace("`", "") if got else None,
            got=(got or words).replace("`", ""),
            fix=fix,
        ) from None


def _parted(message: str) -> tuple[str, str]:
    """What is wrong, and the path to it: ``.models[0].cost``."""
    words, _, path = message.partition(" - at `$")
    return words, path.removesuffix("`")


def _exact(content: Any, kind: Any, path: str) -> str:
    """The path with the keys of mappings, which msgspec leaves out as ``[...]``."""
    import msgspec

    while "[...]" in path:
        before = path.partition("[...]")[0]
        steps = [int(number) if number else name for name, number in re.findall(r"\.([^.\[]+)|\[(\d+)\]", before)]
        for key in _at(content, steps):
            try:
                msgspec.convert(_only(content, steps, key), kind, strict=True)
            except msgspec.ValidationError as error:
                if _parted(str(error))[1] == path:
                    path = path.replace("[...]", f".{key}", 1)
                    content = _only(content, steps, key)
                    break
        else:
            return path
        if "[...]" in path:
            return path
    return path


def _at(content: Any, steps: list[Any]) -> Any:
    for step in steps:
        content = content[step]
    return content


def _only(content: Any, steps: list[Any], key: str) -> Any:
    """The content with one key left of the mapping that the steps lead to."""
    if not steps:
        return {key: content[key]}
    first, rest = steps[0], steps[1:]
    copied = list(content) if isinstance(content, (list, tuple)) else dict(content)
    copied[first] = _only(content[first], rest, key)
    return copied


def _no_comparison(folder: Path) -> RunError:
    """Why a folder has no comparison to read."""
    if not folder.exists():
        return RunError(f"there is no folder {folder}", fix="name the folder given to `gatewise compare --out`")
    if (folder / SEVERAL_FILE).exists():
        return RunError(
            f"{folder} holds several comparisons, not one",
            expected=f"{RECORD_FILE} in it",
            got=", ".join(sorted(each.parent.name for each in folder.glob(f"*/{RECORD_FILE}"))),
            fix=f"name one of them, as {folder}/NAME",
        )
    if (folder / "plan.json").exists():
        runs = len(list(folder.glob("runs/*/result.json")))
        return RunError(
            f"{folder} holds no finished comparison",
            expected=f"{RECORD_FILE} in it",
            got=f"a plan, and {runs} finished run{'' if runs == 1 else 's'}",
            fix="run the same `gatewise compare` again: it resumes where it was stopped",
        )
    if (folder / "spec.json").exists():
        return RunError(
            f"{folder} holds a single run, not a comparison",
            expected=f"{RECORD_FILE} in it",
            fix=f"`gatewise evaluate {folder}` measures a single run",
        )
    return RunError(
        f"{folder} holds no finished comparison",
        expected=f"{RECORD_FILE} in it",
        fix="name the folder given to `gatewise compare --out`; if it was stopped, run the same command again",
    )
