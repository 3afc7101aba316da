import errno
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import gatewise
from gatewise.errors import RunError, StorageError
from gatewise.files import append_line, make_folder, read_json, refuse_newer, write_bytes, write_json, write_text


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


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StorageError, match="nowhere"):
        write_text(tmp_path / "nowhere" / "a.txt", "x")


def test_a_file_in_the_way_of_a_folder_is_named(tmp_path):
    write_text(tmp_path / "a", "x")
    with pytest.raises(StorageError, match="cannot write"):
        make_folder(tmp_path / "a" / "b")


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
