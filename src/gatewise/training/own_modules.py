"""Modules of the person's own: imported by name or path in any process, and hashed with all that they import.

A module is the person's own where its file lies outside of the standard library, of installed packages and of Gatewise.
"""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from gatewise.errors import OptionError

__all__ = ["cell_code", "code_of", "import_modules", "module_name", "reached_modules"]

_INSTALLED = {"site-packages", "dist-packages"}
_PLAIN = (str, bytes, int, float, complex, bool, tuple, frozenset, type(None))


def import_modules(modules: Iterable[str]) -> tuple[str, ...]:
    """Import the modules that register cells or kinds of problems of one's own.

    Args:
        modules: names (``my_cells``), looked for in the present folder first, or paths (``code/my_cells.py``).

    Returns:
        The words by which any process imports them, whatever its folder: the paths of the person's own, else names.

    Raises:
        OptionError: one is missing, or its import fails.

    Example:
        >>> import_modules(["no_such_cells"])
        Traceback (most recent call last):
        gatewise.errors.OptionError: the module 'no_such_cells' cannot be imported; got: No module named 'no_such_cells'; ...
    """  # noqa: E501
    return tuple(dict.fromkeys(_import(word) for word in dict.fromkeys(modules)))


def module_name(word: str) -> str:
    """The name of a module that is given by name or path: a file's with the packages that it is in.

    Example:
        >>> module_name("code/my_cells.py"), module_name("my.cells")
        ('my_cells', 'my.cells')
    """
    return _named(Path(word).expanduser().resolve())[1] if _is_path(word) else word


def reached_modules(names: Iterable[str]) -> dict[str, Path]:
    """The files of modules and of all that they import, and so on, by name.

    Those of the person's own are followed, and those of the packages that the modules themselves are in. Imports are
    read from the source, wherever they stand in it; a module whose name is known only when the program runs is not
    found.

    Args:
        names: of modules, to begin with.

    Example:
        >>> reached_modules(["json"])
        {}
    """
    waiting = list(dict.fromkeys(names))
    packages = {name.partition(".")[0] for name in waiting} - {"gatewise", "torch"}
    packages = {name for name in packages if (place := _file_of(name)) is None or not _is_standard(place)}
    found: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        place = None if name in found or name == "__main__" else _file_of(name)
        if place is None or not (_is_own(place) or (name.partition(".")[0] in packages and not _is_standard(place))):
            continue
        found[name] = place
        parts = name.split(".")
        waiting += [".".join(parts[:count]) for count in range(1, len(parts))]
        if place.suffix == ".py":
            waiting += _imported(place, name if place.stem == "__init__" else name.rpartition(".")[0])
    return dict(sorted(found.items()))


def code_of(modules: Iterable[str], classes: Iterable[type[Any]] = ()) -> str:
    """A hash of the sources that modules and classes depend on, see `reached_modules`.

    Args:
        modules: by name or path.
        classes: their modules and those of their base classes count too. Of a class that the script or notebook itself
            defines, its source and that of what it uses of the script: functions, classes and plain values.

    Example:
        >>> code_of([]) == code_of(["json"])
        True
    """
    names = [module_name(word) for word in modules]
    digest = hashlib.sha256()
    for kind in classes:
        for base in kind.__mro__:
            names.append(base.__module__)
            if base.__module__ == "__main__":
                used, sources = _used_of_main(base)
                names += used
                digest.update("\n".join(sources).encode("utf-8", "surrogatepass"))
    for name, place in reached_modules(names).items():
        digest.update(name.encode() + b"\0" + place.read_bytes() + b"\1")
    return digest.hexdigest()


def cell_code(cell: object) -> str | None:
    """A hash of the sources of a registered cell of the person's own; None of Gatewise's own, or one of a notebook.

    Example:
        >>> cell_code("gru") is None
        True
    """
    known: Any = sys.modules.get("gatewise.nn.cell")  # where nothing of it is imported, there is no own cell either
    if known is None or not isinstance(cell, str):
        return None
    kind = known.cell_class(cell) if cell in known.cells() else None
    if kind is None or kind.__module__ == "__main__" or kind.__module__.split(".")[0] == "gatewise":
        return None
    return code_of([], [kind])


def _is_path(word: str) -> bool:
    return word.endswith(".py") or "/" in word or "\\" in word


def _import(word: str) -> str:
    """Import one module; the word by which other processes import it."""
    place: Path | None
    if _is_path(word):
        place = Path(word).expanduser().resolve()
        place = place / "__init__.py" if place.is_dir() else place
        if not place.is_file():
            raise _refused(word, "there is no such file")
        root, name = _named(place)
    else:
        here = _found_in(Path.cwd(), word.split("."))
        root, name, place = Path.cwd(), word, here if here is not None and word not in sys.modules else None
    if place is None or not _is_imported(place):
        _import_from(root, name, word, place)
    found = getattr(sys.modules.get(name), "__file__", None)
    place = Path(found).resolve() if place is None and found else place
    own = place is not None and _is_own(place) and _named(place)[1] == name
    return str(place) if own else name


def _import_from(root: Path, name: str, word: str, place: Path | None) -> None:
    """Import a module with its folder first on the path, which comes last afterwards."""
    folder = str(root)
    known = {"", "."} & set(sys.path) and root == Path.cwd()
    before = list(sys.path)
    if place is not None:
        sys.path.insert(0, folder)
    elif folder not in sys.path and not known:
        sys.path.append(folder)  # which an installed command leaves out
    importlib.invalidate_caches()
    try:
        module = importlib.import_module(name)
    except Exception as error:
        sys.path[:] = before
        raise _refused(word, str(error)) from error
    if place is not None:
        sys.path.remove(folder)
        if folder not in sys.path:
            sys.path.append(folder)
        if Path(getattr(module, "__file__", None) or "").resolve() != place:
            other = getattr(module, "__file__", None) or "another place"
            raise _refused(word, f"another module {name!r} is imported already, from {other}")


def _refused(word: str, reason: str) -> OptionError:
    return OptionError(
        f"the module {word!r} cannot be imported",
        got=reason,
        fix="name a module in the folder of the command or of an installed package, or the path of a file: "
        "--import code/my_cells.py",
    )


def _is_imported(place: Path) -> bool:
    """Whether a file is a module of this process under any name."""
    files = (getattr(module, "__file__", None) for name, module in list(sys.modules.items()) if name != "__main__")
    return any(file is not None and Path(file).name == place.name and Path(file).resolve() == place for file in files)


def _named(place: Path) -> tuple[Path, str]:
    """The folder to import a file from, and its module's name there."""
    folder = place if place.is_dir() else place.parent
    names = [] if place.is_dir() or place.stem == "__init__" else [place.stem]
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(names)


def _found_in(folder: Path, names: list[str]) -> Path | None:
    """The file of a module under a folder."""
    stem = folder.joinpath(*names)
    for place in (stem / "__init__.py", stem.with_name(stem.name + ".py")):
        if place.is_file():
            return place.resolve()
    return None


def _file_of(name: str) -> Path | None:
    """The file of a module, which is not imported for this."""
    module = sys.modules.get(name)
    if module is not None:
        file = getattr(module, "__file__", None)
        return Path(file).resolve() if file else None
    top, _, rest = name.partition(".")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError, AttributeError):
        return None
    if spec is None:
        return None
    if not rest:
        return Path(spec.origin).resolve() if spec.has_location and spec.origin else None
    places = (_found_in(Path(folder), rest.split(".")) for folder in spec.submodule_search_locations or ())
    return next((place for place in places if place is not None), None)


def _imported(place: Path, package: str) -> Iterator[str]:
    """Names of what a source file imports: ``from a import b`` may mean the module ``a`` or ``a.b``."""
    try:
        tree = ast.parse(place.read_bytes())
    except (SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".") if package else []
            above = parts[: len(parts) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from [base, *(f"{base}.{alias.name}" for alias in node.names)] if base else ()
        elif isinstance(node, ast.Call):
            yield from _called_import(node)


def _called_import(call: ast.Call) -> Iterator[str]:
    """The module of ``import_module("name")``."""
    function, first = call.func, call.args[0] if call.args else None
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if name in ("import_module", "__import__") and isinstance(first, ast.Constant) and isinstance(first.value, str):
        yield first.value


def _is_own(place: Path) -> bool:
    return not (_is_standard(place) or _INSTALLED & set(place.parts) or _home() in place.parents)


def _is_standard(place: Path) -> bool:
    return not _INSTALLED & set(place.parts) and any(folder in place.parents for folder in _standard_folders())


@cache
def _standard_folders() -> tuple[Path, ...]:
    return tuple(Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib"))


def _home() -> Path:
    return Path(__file__).resolve().parents[1]


def _used_of_main(kind: type[Any]) -> tuple[list[str], list[str]]:
    """What a class of the script or notebook uses of it: (modules, sources)."""
    names = vars(sys.modules["__main__"])
    modules: list[str] = []
    sources: list[str] = []
    seen: set[int] = set()
    waiting: list[Any] = [kind]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, ModuleType):
            modules.append(each.__name__)
        elif not isinstance(each, (type, FunctionType)):
            continue
        elif each.__module__ != "__main__":
            modules.append(each.__module__)
        else:
            sources.append(_source(each))
            used = sorted({name for code in _codes(each) for name in code.co_names} & names.keys())
            sources += [f"{name} = {names[name]!r}" for name in used if isinstance(names[name], _PLAIN)]
            waiting += [names[name] for name in used]
            waiting += list(each.__mro__) if isinstance(each, type) else []
    return modules, sorted(sources)


def _source(kind: Any) -> str:
    try:
        return inspect.getsource(kind)
    except (OSError, TypeError):
        return f"{kind.__qualname__}, typed in by hand"


def _codes(kind: Any) -> Iterator[CodeType]:
    """The code of a function, or of all functions of a class, with what is nested in it."""
    members = list(vars(kind).values()) if isinstance(kind, type) else [kind]
    members = [getattr(each, "__func__", getattr(each, "fget", each)) for each in members]
    waiting = [each.__code__ for each in members if isinstance(each, FunctionType)]
    while waiting:
        code = waiting.pop()
        yield code
        waiting += [each for each in code.co_consts if isinstance(each, CodeType)]
