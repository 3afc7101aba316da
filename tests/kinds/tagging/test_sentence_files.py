"""What a person's file of sentences becomes: parts, columns, forms."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from small_sentences import SMALL, sentences, write

from commands import ran
from gatewise.errors import DataError
from gatewise.kinds.tagging.dataset import load_tagging
from gatewise.kinds.tagging.schemes import spans, to_tags
from gatewise.kinds.tagging.spec import TaggingDataSpec
from gatewise.training import task_of, train_run
from gatewise.training.assembly import make_spec


def test_a_tag_of_one_sentence_trains_wherever_that_sentence_falls(tmp_path: Path) -> None:
    notes: list[bool] = []
    for number in range(12):
        rows = sentences()
        rows[number][0] = (rows[number][0][0], "B-RARE")
        dataset = load_tagging(TaggingDataSpec(str(write(tmp_path / "rare.conll", rows))))
        notes.append(any("RARE" in note and "too rare" in note for note in dataset.notes))
        assert dataset.tag_set.names == ("LOC", "PER", "RARE")
        seen = sum("RARE" in dataset.tag_set.tags[tag] for row in dataset.train.tags for tag in row)
        assert notes[-1] == (seen == 0)
    assert any(notes) and not all(notes)


def test_no_test_sentence_decides_when_to_stop(tmp_path: Path) -> None:
    rows = sentences()
    paths = [write(tmp_path / name, part) for name, part in (("a.conll", rows), ("v.conll", rows[:8]))]
    test = write(tmp_path / "t.conll", rows[:3])
    dataset = load_tagging(TaggingDataSpec(str(paths[0]), validation=str(paths[1]), test=str(test)))
    assert dataset.sizes == {"train": 52, "validation": 5, "test": 3}
    with pytest.raises(DataError, match="is in the test file too"):
        load_tagging(TaggingDataSpec(str(paths[0]), validation=str(test), test=str(test)))


def test_evaluate_reads_the_columns_of_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = sentences()
    text = "\n\n".join("\n".join(f"{word} X{len(word)} {tag}" for word, tag in row) for row in rows)
    (tmp_path / "a.conll").write_text(text + "\n")
    spec = make_spec("tagging", str(tmp_path / "a.conll"), SMALL | {"epochs": 1})
    folder = train_run(spec, load_tagging(spec.data), tmp_path / "run").folder
    plain = "\n\n".join(f"{number} X1 O\nwohnt X5 O" for number in range(12))
    (tmp_path / "b.conll").write_text(plain + "\n")  # its last column is constant: alone, the second would be chosen
    code, out, err = ran(["evaluate", folder, tmp_path / "b.conll", "--json"], capsys)
    assert code == 0 and json.loads(out)["words"] == 24, err


def test_evaluate_reads_files_in_other_schemes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def written(scheme: str, count: int) -> Path:
        rows = [list(zip(*row, strict=True)) for row in sentences(count)]
        tags = [to_tags(spans(each, "iob2"), len(each), scheme) for _, each in rows]
        both = [list(zip(words, each, strict=True)) for (words, _), each in zip(rows, tags, strict=True)]
        return write(tmp_path / f"{scheme}.conll", both)

    spec = make_spec("tagging", str(written("iobes", 60)), SMALL | {"epochs": 1})
    folder = train_run(spec, load_tagging(spec.data), tmp_path / "run").folder
    own = json.loads(ran(["evaluate", folder, written("iobes", 20), "--json"], capsys)[1])
    for scheme in ("iob1", "iob2", "bilou"):
        code, out, err = ran(["evaluate", folder, written(scheme, 20), "--json"], capsys)
        record = json.loads(out)
        assert code == 0 and {**record, "notes": 0} == {**own, "notes": 0}, err
        assert any(note.endswith(f"follow {scheme} and are read as iobes, as in training") for note in record["notes"])
        assert not any("broke" in note for note in record["notes"])


def test_a_first_line_that_may_be_a_header_is_named(tmp_path: Path) -> None:
    plain = "\n\n".join(f"{number}\tZAHL\nist\tVERB" for number in range(30))
    (tmp_path / "a.tsv").write_text("Wort\tWortart\n" + plain + "\n")
    dataset = load_tagging(TaggingDataSpec(str(tmp_path / "a.tsv")))
    assert any("if it is a header, give --tags Wortart" in note for note in dataset.notes)
    named = load_tagging(TaggingDataSpec(str(tmp_path / "a.tsv"), tags="Wortart"))
    assert named.tag_set.names == ("VERB", "ZAHL") and not any("if it is" in note for note in named.notes)
    (tmp_path / "b.tsv").write_text("Wort\tEtikett\n" + plain.replace("ZAHL", "B-ZAHL").replace("VERB", "O") + "\n")
    with pytest.raises(DataError, match="--tags Etikett"):
        load_tagging(TaggingDataSpec(str(tmp_path / "b.tsv")))


def test_json_lines_of_words_or_entities_are_tagged_without_being_asked(tmp_path: Path) -> None:
    rows = {
        "tokens.jsonl": {"tokens": ["a"], "tags": ["O"]},
        "entities.jsonl": {"text": "a", "entities": []},
        "texts.jsonl": {"text": "a", "label": "b"},
    }
    for name, row in rows.items():
        (tmp_path / name).write_text(json.dumps(row) + "\n")
    found = [task_of(str(tmp_path / name)) for name in rows]
    assert found == ["tagging", "tagging", "classification"]


def test_sentences_in_other_case_and_near_duplicates_stay_in_one_part(tmp_path: Path) -> None:
    rows = sentences()
    louder = [[(word.upper(), tag) for word, tag in row[:-1]] + [("!", "O")] for row in rows]
    dataset = load_tagging(TaggingDataSpec(str(write(tmp_path / "a.conll", rows + louder))))
    parts = [
        {"".join(row.words[:-1]).casefold() for row in part.sentences}
        for part in (dataset.train, dataset.validation, dataset.test)
    ]
    assert sum(map(len, parts)) == 60 and dataset.sizes["test"] == 2 * len(parts[2]) == 24
    assert any(note.startswith("120 sentences are near duplicates of others") for note in dataset.notes)
    given = load_tagging(TaggingDataSpec(str(tmp_path / "a.conll"), test=str(write(tmp_path / "t.conll", louder[:9]))))
    assert given.sizes["test"] == 9 and given.sizes["train"] + given.sizes["validation"] == 102
    assert any("9 sentences" in note and "near duplicates" in note and "left out" in note for note in given.notes)
