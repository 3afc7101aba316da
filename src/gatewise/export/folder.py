"""The folder of an export: new, empty, or that of an earlier export in the same form, which is replaced."""

from __future__ import annotations

from pathlib import Path

from gatewise import files
from gatewise.errors import OptionError, RunError
from gatewise.files import is_rest, read_json

__all__ = ["RECORD", "check_folder"]

RECORD = "export.json"
_SPOKEN = {"c": "C", "onnx": "ONNX"}


def check_folder(out: Path, target: str) -> None:
    """Refuse a folder that holds something else, or an export in another form, whose record would be replaced.

    Args:
        out: the folder.
        target: ``onnx`` or ``c``.

    Raises:
        OptionError: it is a file, or not empty and no earlier export in this form.
        StorageError: it cannot be made, or written.
    """
    if out.exists() and not out.is_dir():
        raise OptionError(f"{out} is a file", expected="a folder", fix="choose another --out")
    files.check_folder(out)
    found = sorted(each.name for each in out.iterdir() if not is_rest(each)) if out.is_dir() else []
    if not found:
        return
    earlier = _target(out)
    if earlier == target:
        return
    fix = f"choose another --out, such as {out}-{target}"
    expected = f"a new or empty folder, or that of an earlier export to {_SPOKEN[target]}"
    if earlier is not None:
        raise OptionError(
            f"{out} holds something else: an export to {_SPOKEN.get(earlier, earlier)}", expected=expected, fix=fix
        )
    raise OptionError(
        f"{out} holds something else",
        expected=expected,
        got=", ".join(found[:3]),
        fix=fix,
    )


def _target(out: Path) -> str | None:
    """The form of an earlier export; None: there is no record of one."""
    if not (out / RECORD).is_file():
        return None
    try:
        record = read_json(out / RECORD)
    except RunError:
        return None
    return str(record.get("target", "onnx")) if isinstance(record, dict) else None
