"""Finds kinds of problems by name at run time; names none itself. Imports no torch.

Each folder of `gatewise.kinds` is one, called as the folder with ``-`` for ``_``; other packages add theirs through the
entry point group ``gatewise.kinds`` (``name = module:KIND``), and a program through `register_kind`.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import pkgutil
import warnings
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gatewise.errors import DataError, OptionError, did_you_mean
from gatewise.training.checks import check_choice, check_string, own_registered
from gatewise.training.kind import Kind
from gatewise.training.own_modules import import_modules
from gatewise.training.settings import RESERVED, settings_of
from gatewise.training.spec import TrainingSpec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo

__all__ = [
    "GROUP",
    "datasets",
    "foreign_module",
    "import_modules",
    "is_derived",
    "kind_names",
    "kind_of",
    "kinds",
    "known_names",
    "register_kind",
    "task_of",
]

GROUP = "gatewise.kinds"
_HOME = "gatewise.kinds"
_registered: dict[str, Kind] = {}
_broken: set[str] = set()


@cache
def _homes() -> dict[str, str]:
    """The module of each kind by name: the package's own folders first, then other packages'."""
    found = importlib.util.find_spec(_HOME)
    places = [] if found is None else list(found.submodule_search_locations or ())
    names = sorted(module.name for module in pkgutil.iter_modules(places) if module.ispkg)
    homes = {name.replace("_", "-"): f"{_HOME}.{name}:KIND" for name in names}
    for entry in importlib.metadata.entry_points(group=GROUP):
        homes.setdefault(entry.name, entry.value)
    return homes


def kind_names() -> tuple[str, ...]:
    """The names of all kinds.

    Example:
        >>> "classification" in kind_names()
        True
    """
    return tuple(dict.fromkeys((*_homes(), *_registered)))


def kind_of(task: str) -> Kind:
    """The kind of a name.

    Raises:
        OptionError: there is no such kind, or its package cannot be imported.

    Example:
        >>> kind_of("classification").unit
        'texts'
    """
    check_choice("task", task, kind_names())
    if task not in _registered:
        module, _, name = _homes()[task].partition(":")
        try:
            found = getattr(importlib.import_module(module), name.strip() or "KIND")
        except Exception as error:  # whatever the module of another package raises
            raise OptionError(
                f"the kind of problem {task!r} cannot be loaded from {_homes()[task]}",
                got=f"{type(error).__name__}: {error}",
                fix="reinstall the package that offers it, or uninstall it",
            ) from error
        _check(task, found)
        _registered[task] = found
    return _registered[task]


def _check(name: str, kind: object) -> None:
    if not isinstance(kind, Kind) or kind.name != name:
        raise OptionError(
            f"what is registered as the kind of problem {name!r} is none",
            expected=f"an instance of gatewise.training.kind.Kind whose name is {name!r}",
            got=repr(getattr(kind, "name", type(kind).__name__)),
        )
    parts = {"data": kind.data_spec, "model": kind.model_spec, "training": TrainingSpec}
    if kind.pretraining_spec is not None:
        parts["pretraining"] = kind.pretraining_spec
    taken: dict[str, str] = dict.fromkeys(RESERVED, "the command line")
    for part, spec in parts.items():
        for setting in settings_of(spec):
            if setting in taken:
                raise OptionError(
                    f"the kind of problem {name!r} has the setting {setting!r} in its {part}, "
                    f"which is taken by {taken[setting]}",
                    fix="choose another name",
                )
            taken[setting] = f"its {part}"
    others = {known: each.name for each in _registered.values() if each.name != name for known in each.known}
    for known in kind.known:
        if known in others:
            raise OptionError(f"the data set {known!r} of the kind {name!r} belongs to {others[known]} already")


def register_kind(kind: Kind) -> Kind:
    """Add a kind to this process; for other processes it must be in a module or an entry point.

    Raises:
        OptionError: its name is taken.
    """
    held = _registered.get(kind.name)
    own = type(kind)
    again = held is not None and (type(held).__module__, type(held).__qualname__) == (own.__module__, own.__qualname__)
    at_home = _homes().get(kind.name, "").partition(":")[0] == own.__module__
    if kind.name in kind_names() and not again and not at_home:
        raise OptionError(f"there is a kind of problem {kind.name!r} already", fix="choose another name")
    _check(kind.name, kind)
    _registered[kind.name] = kind
    return kind


def foreign_module(task: str) -> str | None:
    """The module of a kind that is not part of Gatewise, which other processes have to import; None for the others.

    Example:
        >>> foreign_module("classification") is None
        True
    """
    module = type(kind_of(task)).__module__
    return None if module.split(".")[0] == "gatewise" else module


def kinds() -> tuple[Kind, ...]:
    """All kinds; one of another package that cannot be loaded is left out, with a warning."""
    found = []
    for name in kind_names():
        try:
            found.append(kind_of(name))
        except OptionError as error:
            if _homes().get(name, "").startswith(f"{_HOME}."):
                raise
            if name not in _broken:
                _broken.add(name)
                warnings.warn(str(error), stacklevel=2)
    return tuple(found)


def datasets(cache: str | Path | None = None) -> list[DatasetInfo]:
    """The data sets that are known by name, and whether each is available without the network.

    Args:
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.

    Example:
        >>> "imdb" in [info.name for info in datasets()]
        True
    """
    place = None if cache is None else Path(cache)
    return [info for kind in kinds() for info in kind.datasets(place)]


def task_of(data: str, *, task: str | None = None, given: Iterable[str] = ()) -> str:
    """Which kind of problem a data set is for.

    A known name decides, also where a file or folder is called so; else the settings of the data that were given
    (``target`` is for series alone), then the file's ending.

    Args:
        data: registry name or path.
        task: as the user gave it; None: derived.
        given: names of the settings that were given.

    Raises:
        OptionError: the kind is unknown, does not go with the known data set, or cannot be derived.
        DataError: there is neither a known data set nor a file of that name.

    Example:
        >>> task_of("imdb"), task_of("novel.txt"), task_of("prices.csv", given=("target",)), task_of("reviews.csv")
        ('classification', 'language-modelling', 'forecasting', 'classification')
    """
    if not data.strip():
        check_string("data", "")
    known = known_names().get(data)
    if task is not None:
        check_choice("task", task, kind_names())
        if known is not None and known != task:
            raise OptionError(f"the data set {data!r} is not for {task}", expected=known, got=task, fix="omit --task")
        return task
    return known or _derived(data, frozenset(given))


def is_derived(task: str, data: str, given: Iterable[str] = ()) -> bool:
    """Whether `task_of` derives the kind by itself, so that a command need not name it.

    Example:
        >>> is_derived("classification", "imdb"), is_derived("forecasting", "reviews.csv")
        (True, False)
    """
    try:
        return task_of(data, given=given) == task
    except (DataError, OptionError):
        return False


def known_names() -> dict[str, str]:
    """The task of each data set that is known by name.

    Such a name means the data set wherever one stands; ``./imdb`` means a file or folder that is called so.

    Example:
        >>> known_names()["imdb"], "./imdb" in known_names()
        ('classification', False)
    """
    return {name: kind.name for kind in kinds() for name in kind.known}


def _derived(data: str, given: frozenset[str]) -> str:
    of_data = {kind.name: set(settings_of(kind.data_spec)) - {"data"} for kind in kinds()}
    asked = given & set().union(*of_data.values())
    # what one kind has among its data another may have in its model, as --embeddings
    known = {kind.name: of_data[kind.name] | set(settings_of(kind.model_spec)) for kind in kinds()}
    fitting = [kind for kind in kinds() if asked <= known[kind.name]] or list(kinds())
    if asked and len(fitting) == 1:
        return fitting[0].name
    path = Path(data).expanduser()
    claims = {kind.name: kind.claims(path) for kind in fitting}
    best = max(claims.values(), default=0)
    if best == 0 and path.suffix == "" and not path.exists():
        names = tuple(known_names())
        raise DataError(
            f"there is neither a known data set nor a file called {data!r}",
            expected=f"{', '.join(names)}, or the path of a file",
            fix=did_you_mean(data, names),
        )
    chosen = [name for name, claim in claims.items() if claim == best and best > 0]
    if best == 0:
        chosen = [kind.name for kind in fitting if asked and asked <= of_data[kind.name]]
    if len(chosen) == 1:
        return chosen[0]
    if best == 0 and not path.exists():
        from gatewise.data.text_files import missing_file

        raise missing_file(path)
    raise OptionError(
        f"it is not clear which kind of problem {data} is for",
        expected=f"--task {' or '.join(chosen or claims)}",
        fix="add --task and the name" + ("" if best else f"; {own_registered('task')}"),
    )
