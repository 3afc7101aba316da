"""Files are written whole or not at all: temporary file, fsync, rename."""

from __future__ import annotations

import json
import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewise.errors import RunError, StorageError

__all__ = [
    "append_line",
    "check_folder",
    "make_folder",
    "read_json",
    "refuse_newer",
    "write_bytes",
    "write_json",
    "write_text",
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
    given, temporary = Path(path), None
    try:
        if _is_stream(given):
            with given.open("wb") as stream:
                stream.write(content)
            return given
        path = given.resolve() if given.is_symlink() else given
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise _storage_error(given, error) from error
    except BaseException:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise
    return given


def _is_stream(path: Path) -> bool:
    """Whether a path names a device, a pipe, or an open file of this process, none of which can be replaced."""
    if str(path).startswith(_OPEN_FILES):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


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
    return write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


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
    """Refuse a folder that cannot be made because a file is in its place, before any work is done for it.

    Raises:
        StorageError: the path, or a part of it, is a file.

    Example:
        >>> check_folder("a-new-folder/of-mine")
    """
    for part in (Path(path), *Path(path).parents):
        if part.is_dir():
            return
        if part.exists():
            raise StorageError(f"{part} is a file, not a folder", fix="name another folder with --out")


def _storage_error(path: Path, error: OSError) -> StorageError:
    if isinstance(error, (FileExistsError, NotADirectoryError)):
        return StorageError(f"cannot write {path}", got="a file is in its place", fix="name another folder with --out")
    return StorageError(
        f"cannot write {path}",
        got=error.strerror or str(error),
        fix="choose a folder that exists, can be written and has room, for example with --out",
    )
