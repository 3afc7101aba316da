"""Files are written whole or not at all: temporary file, fsync, rename; several that belong together all or none."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from gatewise.errors import RunError, StorageError

__all__ = [
    "append_line",
    "check_file",
    "check_folder",
    "encoded_json",
    "is_rest",
    "make_folder",
    "read_json",
    "refuse_newer",
    "write_bytes",
    "write_json",
    "write_text",
    "write_together",
]

_OPEN_FILES = ("/proc/", "/dev/fd/", "/dev/stdout", "/dev/stderr")
UPDATE = "update Gatewise: pip install --upgrade gatewise"


def write_bytes(path: str | Path, content: bytes) -> Path:
    """Write ``content`` to ``path`` so that a reader sees the old file or the whole new one, never a part.

    A link stays one, and what it names is replaced; devices and pipes such as ``/dev/stdout`` are written to.

    Args:
        path: the file to write; its folder has to exist.
        content: all bytes of the file.

    Returns:
        The path written.

    Raises:
        StorageError: the folder is missing, not writable, or the disk is full. The old file is untouched.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> write_bytes(Path(folder) / "a.bin", b"whole").read_bytes()
        b'whole'
    """
    given = Path(path)
    temporary: Path | None = None
    try:
        if _is_stream(given):
            with given.open("wb") as stream:
                stream.write(content)
            return given
        path = _behind_link(given)
        temporary = _staged(path, content)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise _storage_error(given, error) from error
    except BaseException:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise
    return given


def write_together(folder: str | Path, contents: Mapping[str, bytes], obsolete: Collection[str] = ()) -> None:
    """Write files that belong together, so that after a failure the folder is as it was, and not there if it was not.

    All are written under temporary names first; then one after the other takes its name, in the order given.

    Args:
        folder: where; it is made if need be.
        contents: all bytes by file name; what says that the others are there comes last.
        obsolete: names of files of an earlier time that go.

    Raises:
        StorageError: the folder cannot be made or written, or the disk is full.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "new"
        >>> write_together(folder, {"model.bin": b"whole", "record.json": b"{}"})
        >>> sorted(each.name for each in folder.iterdir())
        ['model.bin', 'record.json']
    """
    folder = Path(folder)
    made = [place for place in (folder, *folder.parents) if not place.exists()]
    staged: dict[Path, Path | None] = {}
    done = False
    try:
        make_folder(folder)
        for rest in _rests(folder, {*contents, *obsolete}):
            rest.unlink(missing_ok=True)
        staged = {folder / name: None for name in obsolete if name not in contents}
        for name, content in contents.items():
            place = _behind_link(folder / name)
            staged[place] = _staged(place, content)
        _take_names(staged)
        _sync_folder(folder)
        done = True
    except StorageError:
        raise
    except OSError as error:
        raise _storage_error(folder, error) from error
    finally:
        if not done:
            for part in filter(None, staged.values()):
                part.unlink(missing_ok=True)
            for place in made:
                _remove_empty(place)


def is_rest(path: Path) -> bool:
    """Whether a file is what a process left that was killed while it wrote."""
    return path.name.startswith(".") and path.name.endswith(".part")


def _rests(folder: Path, names: Collection[str]) -> list[Path]:
    """What earlier processes left that were killed while they wrote these files."""
    return [each for each in folder.iterdir() if is_rest(each) and each.name[1:].startswith(tuple(names))]


def _behind_link(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


def _take_names(staged: Mapping[Path, Path | None]) -> None:
    """Let temporary files take their names, all or none; None: what has the name goes."""
    kept: dict[Path, Path] = {}
    changed: list[Path] = []
    try:
        for place in staged:
            if place.exists():
                kept[place] = _second_name(place)
        for place, part in staged.items():
            changed.append(place)
            if part is None:
                place.unlink(missing_ok=True)
            else:
                part.replace(place)
    except BaseException:
        for place in changed:
            if place in kept:
                kept[place].replace(place)
            elif staged[place] is not None and not place.is_dir():
                place.unlink(missing_ok=True)
        raise
    finally:
        for earlier in kept.values():
            earlier.unlink(missing_ok=True)


def _second_name(path: Path) -> Path:
    """Another name for a file's content; where the file system has no links, a copy."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    os.close(handle)
    second = Path(name)
    try:
        second.unlink()
        try:
            second.hardlink_to(path)
        except OSError:
            shutil.copy2(path, second)
    except BaseException:
        second.unlink(missing_ok=True)
        raise
    return second


def _remove_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):  # it was not made, or something else is in it
        folder.rmdir()


def _staged(path: Path, content: bytes) -> Path:
    """All bytes of a file, on the disk, under a temporary name beside its own."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(0o666 & ~_umask())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _is_stream(path: Path) -> bool:
    """Whether a path names a device, a pipe, or an open file of this process, none of which can be replaced."""
    if str(path).startswith(_OPEN_FILES):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def encoded_json(value: Any) -> bytes:
    """A value as indented JSON in UTF-8; NaN and infinity are refused."""
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8")


def write_text(path: str | Path, text: str) -> Path:
    """Write ``text`` as UTF-8, whole or not at all; see `write_bytes`."""
    return write_bytes(path, text.encode("utf-8"))


def write_json(path: str | Path, value: Any) -> Path:
    """Write ``value`` as indented JSON, whole or not at all; NaN and infinity are refused.

    Example:
        >>> import tempfile
        >>> path = write_json(Path(tempfile.mkdtemp()) / "a.json", {"cell": "gru"})
        >>> read_json(path)
        {'cell': 'gru'}
    """
    return write_bytes(path, encoded_json(value))


def append_line(path: str | Path, line: str) -> None:
    """Append one line and force it to disk, so that a killed process loses nothing that it reported."""
    path = Path(path)
    try:
        with path.open("ab") as stream:
            stream.write(line.rstrip("\n").encode("utf-8") + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise _storage_error(path, error) from error


def read_json(path: str | Path) -> Any:
    """Read a JSON file that Gatewise wrote.

    Raises:
        RunError: the file is missing, cut off, or not JSON.
    """
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing", fix="name the folder of a finished run or comparison") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RunError(f"{path} is damaged ({error})", expected="JSON as Gatewise writes it") from error


def refuse_newer(record: object, newest: int, place: object) -> None:
    """Refuse a record that a newer version of Gatewise wrote; anything else about it is not checked here.

    Args:
        record: as JSON gives it, with its ``format_version``.
        newest: the newest format that this version reads.
        place: the file or object, for the message; a singular.

    Raises:
        RunError: the record's version is above ``newest``.

    Example:
        >>> refuse_newer({"format_version": 1}, 1, "scaler.json")
        >>> refuse_newer({"format_version": 2}, 1, "scaler.json")
        Traceback (most recent call last):
        gatewise.errors.RunError: scaler.json is from a newer Gatewise; expected: format 1 or older; got: format 2; ...
    """
    version = record.get("format_version") if isinstance(record, Mapping) else None
    if isinstance(version, int) and version > newest:
        raise RunError(
            f"{place} is from a newer Gatewise",
            expected=f"format {newest} or older",
            got=f"format {version}",
            fix=UPDATE,
        )


def make_folder(path: str | Path) -> Path:
    """Create a folder and its parents.

    Raises:
        StorageError: a file is in the way, or the place cannot be written.
    """
    path = Path(path)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _storage_error(path, error) from error
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable; not every system lets a folder be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError:
        pass
    finally:
        os.close(handle)


def check_folder(path: str | Path) -> None:
    """Refuse a folder that cannot be made or written, before any work is done for it.

    Raises:
        StorageError: the path, or a part of it, is a file, or the first folder on its way up cannot be written.

    Example:
        >>> check_folder("a-new-folder/of-mine")
    """
    for part in (Path(path), *Path(path).parents):
        if part.is_dir():
            try:
                with tempfile.TemporaryFile(dir=part):
                    return
            except OSError as error:
                raise _storage_error(Path(path), error) from error
        if part.exists():
            raise StorageError(f"{part} is a file, not a folder", fix="name another folder with --out")


def check_file(path: str | Path) -> None:
    """Refuse a file that cannot be written, before any work is done for it; devices and pipes pass.

    Raises:
        StorageError: a folder has its name, its folder is missing or cannot be written.

    Example:
        >>> check_file("nowhere/picture.png")
        Traceback (most recent call last):
        gatewise.errors.StorageError: cannot write nowhere/picture.png; got: there is no folder nowhere; fix: name a ...
    """
    path = Path(path)
    if _is_stream(path):
        return
    if path.is_dir() or not path.parent.is_dir():
        raise StorageError(
            f"cannot write {path}",
            got="a folder" if path.is_dir() else f"there is no folder {path.parent}",
            fix="name a file in a folder that exists, with --out",
        )
    check_folder(_behind_link(path).parent)


def _storage_error(path: Path, error: OSError) -> StorageError:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return StorageError(f"cannot write {path}", got="a file is in its place", fix="name another folder with --out")
    return StorageError(
        f"cannot write {path}",
        got=error.strerror or str(error),
        fix="choose a folder that exists, can be written and has room, for example with --out",
    )
