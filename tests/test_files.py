import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gatewise
from gatewise.errors import RunError, StorageError
from gatewise.files import (
    append_line,
    check_file,
    check_folder,
    make_folder,
    read_json,
    refuse_newer,
    write_bytes,
    write_json,
    write_text,
    write_together,
)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_replaced_whole(tmp_path):
    path = write_text(tmp_path / "a.txt", "old")
    write_text(path, "new")
    assert path.read_text() == "new"
    assert names_in(tmp_path) == ["a.txt"]


def test_a_link_stays_and_what_it_names_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "b.txt", tmp_path / "a.txt"
    link.symlink_to(target)
    for content in ("old", "new"):
        assert write_text(link, content) == link
        assert link.is_symlink() and target.read_text() == content
    assert names_in(target.parent) == ["b.txt"]


def test_pipes_and_open_files_are_written_to(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(pipe.read_text)
        write_text(pipe, "through")
        assert reading.result(timeout=30) == "through"
    assert stat.S_ISFIFO(pipe.stat().st_mode) and names_in(tmp_path) == ["pipe"]
    with (tmp_path / "open").open("w") as stream:
        write_text(f"/dev/fd/{stream.fileno()}", "open")
    assert (tmp_path / "open").read_text() == "open"


def test_a_written_file_has_ordinary_permissions(tmp_path):
    mask = os.umask(0o022)
    try:
        path = write_text(tmp_path / "a.txt", "x")
    finally:
        os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch, call):
    path = write_text(tmp_path / "a.txt", "old")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, full)
    if call == "replace":
        monkeypatch.setattr("pathlib.Path.replace", full)
    with pytest.raises(StorageError, match="No space left") as caught:
        write_text(path, "new")
    assert "a.txt" in str(caught.value)
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["a.txt"]


def test_an_interrupt_leaves_no_rest(tmp_path, monkeypatch):
    def interrupt(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes(tmp_path / "a.bin", b"x")
    assert names_in(tmp_path) == []


def _fail_at(monkeypatch, call, number, error):
    """Let the call of a function with this number fail, counted from 1."""
    owner, _, name = call.rpartition(".")
    owner = {"os": os, "Path": Path}[owner]
    real, calls = getattr(owner, name), []

    def failing(*given, **options):
        calls.append(given)
        if len(calls) == number:
            raise error
        return real(*given, **options)

    monkeypatch.setattr(owner, name, failing)
    return calls


def _without_links(*_, **__):
    raise PermissionError(errno.EPERM, "this file system has no links")


TOGETHER = {"model.bin": b"new model", "step.bin": b"new step", "record.json": b"{}"}


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=type)
@pytest.mark.parametrize(
    ("call", "numbers"), [("os.fsync", (1, 2, 3)), ("Path.replace", (1, 2, 3)), ("Path.unlink", (1, 4))]
)
def test_files_that_belong_together_are_all_written_or_none(tmp_path, monkeypatch, call, numbers, error, links):
    """In a new folder, and in that of an earlier time, one of whose files goes."""
    if not links:
        monkeypatch.setattr(os, "link", _without_links)
    new, old = tmp_path / "a" / "new", tmp_path / "old"
    before = {"model.bin": b"old model", "decoder.bin": b"old decoder", "record.json": b"[]", "mine.txt": b"mine"}
    old.mkdir()
    for name, content in before.items():
        (old / name).write_bytes(content)
    for folder, number in ((folder, number) for folder in (new, old) for number in numbers):
        if folder == new and call == "Path.unlink":
            continue  # nothing goes there
        with monkeypatch.context() as patch:
            _fail_at(patch, call, number, error)
            with pytest.raises(StorageError if isinstance(error, OSError) else KeyboardInterrupt):
                write_together(folder, TOGETHER, obsolete=["model.bin", "decoder.bin"])
    assert names_in(tmp_path) == ["old"]
    assert {path.name: path.read_bytes() for path in old.iterdir()} == before


def test_files_that_belong_together_replace_those_of_an_earlier_time(tmp_path, monkeypatch):
    write_together(tmp_path / "a", {"decoder.bin": b"", "model.bin": b"", "record.json": b"[]"})
    (tmp_path / "a" / ".step.bin.abc.part").write_bytes(b"of a process that was killed")
    (tmp_path / "a" / "record.json").replace(tmp_path / "there.json")
    (tmp_path / "a" / "record.json").symlink_to(tmp_path / "there.json")
    taken = _fail_at(monkeypatch, "Path.replace", 0, OSError())
    write_together(tmp_path / "a", TOGETHER, obsolete=["model.bin", "decoder.bin"])
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == TOGETHER
    assert (tmp_path / "there.json").read_bytes() == b"{}" and (tmp_path / "a" / "record.json").is_symlink()
    assert [place.name for _, place in taken] == ["model.bin", "step.bin", "there.json"]  # the record is the last
    with pytest.raises(StorageError, match=r"^cannot write [^;]*there\.json/b; got: a file is in its place"):
        write_together(tmp_path / "there.json" / "b", TOGETHER)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StorageError, match="nowhere"):
        write_text(tmp_path / "nowhere" / "a.txt", "x")


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    write_text(tmp_path / "a", "x")
    with pytest.raises(StorageError, match="cannot write"):
        make_folder(tmp_path / "a" / "b")


def test_places_are_checked_before_any_work_and_left_as_they_are(tmp_path, monkeypatch):
    write_text(tmp_path / "a", "x")
    check_folder(tmp_path / "new" / "newer")
    check_file(tmp_path / "picture.png")
    check_file("/dev/null")
    (tmp_path / "link.png").symlink_to(tmp_path / "nowhere" / "b.png")
    for path in (tmp_path, tmp_path / "nowhere" / "b.png", tmp_path / "a" / "b.png"):
        with pytest.raises(StorageError, match="cannot write"):
            check_file(path)
    with pytest.raises(StorageError, match="is a file, not a folder"):
        check_folder(tmp_path / "a" / "b")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    for check, place in ((check_folder, tmp_path / "new" / "newer"), (check_file, tmp_path / "picture.png")):
        with pytest.raises(StorageError, match=r"cannot write .*; got: Permission denied; fix: choose a folder"):
            check(place)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "link.png"]


def test_json_refuses_what_json_cannot_say(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe{", b'{"a": 1'])
def test_damaged_json_is_named(tmp_path, content):
    path = tmp_path / "spec.json"
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"spec\.json is damaged"):
        read_json(path)


def test_missing_json_is_named(tmp_path):
    with pytest.raises(RunError, match=r"spec\.json is missing"):
        read_json(tmp_path / "spec.json")


def test_lines_are_appended_one_by_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    append_line(path, '{"epoch": 1}')
    append_line(path, '{"epoch": 2}\n')
    assert path.read_text() == '{"epoch": 1}\n{"epoch": 2}\n'


def test_a_newer_record_is_refused_and_only_that():
    for record in ({"format_version": 3}, {"format_version": 2}, {}, [], None, {"format_version": "9"}):
        refuse_newer(record, 3, "a.json")
    with pytest.raises(RunError, match=r"a\.json is from a newer Gatewise; expected: format 3 or older; got: format 4"):
        refuse_newer({"format_version": 4}, 3, "a.json")


def test_the_sentence_about_newer_versions_is_written_once():
    """Every reader asks `refuse_newer`, so that all say the same."""
    source = Path(gatewise.__file__).parent
    places = [path.name for path in source.rglob("*.py") if 'from a newer Gatewise"' in path.read_text("utf-8")]
    assert places == ["files.py"]
