"""Sentence pairs from files of any form, and what cannot be used."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest

from gatewise.data.cache import Remote, fetch
from gatewise.errors import DataError, OptionError
from gatewise.kinds.translation.by_content import holds_sentence_columns
from gatewise.kinds.translation.dataset import load_translation
from gatewise.kinds.translation.ibm1 import WordByWord
from gatewise.kinds.translation.reading import holds_pairs, read_pairs, sibling
from gatewise.kinds.translation.spec import TranslationDataSpec
from gatewise.training.registry import task_of

SHARED = Path(os.environ.get("GATEWISE_TEST_DATA") or Path(__file__).parents[4] / "shared" / "data")
PAIRS = [("a dog", "ein Hund"), ("a cat", "eine Katze"), ("two birds", "zwei Vögel")]


def lines(path: Path, rows: list[str], end: str = "\n") -> Path:
    path.write_bytes((end.join(rows) + end).encode())
    return path


def test_every_form_gives_the_same_pairs(tmp_path: Path) -> None:
    ours, theirs = zip(*PAIRS, strict=True)
    parallel = lines(tmp_path / "a.en", list(ours), "\r\n"), tmp_path / "a.de.gz"
    parallel[1].write_bytes(gzip.compress("\n".join(theirs).encode()))
    tabs = [f"{one}\t{two}\tCC-BY {number}" for number, (one, two) in enumerate(PAIRS)]
    objects = [json.dumps({"source": one, "target": two}) for one, two in PAIRS]
    nested = [json.dumps({"translation": {"en": one, "de": two}}) for one, two in PAIRS]
    found = [
        read_pairs(*parallel),
        read_pairs(lines(tmp_path / "b.tsv", tabs)),
        read_pairs(lines(tmp_path / "b.txt", [f"{one}\t{two}" for one, two in PAIRS])),
        read_pairs(lines(tmp_path / "c.tsv", ["en\tde", *(f"{one}\t{two}" for one, two in PAIRS)])),
        read_pairs(lines(tmp_path / "d.csv", ["id,target,source", *(f"1,{two},{one}" for one, two in PAIRS)])),
        read_pairs(lines(tmp_path / "e.jsonl", objects)),
        read_pairs(lines(tmp_path / "f.jsonl", nested)),
        read_pairs(lines(tmp_path / "g.tsv", [f"7\t{two}\t{one}" for one, two in PAIRS]), source="3", target="2"),
        read_pairs(
            lines(tmp_path / "h.csv", ["no;deutsch;english", *(f"1;{two};{one}" for one, two in PAIRS)]),
            source="english",
            target="deutsch",
        ),
    ]
    for read in found:
        assert list(zip(read.sources, read.targets, strict=True)) == PAIRS
    assert "sentences are read from column 1, translations from column 2" in found[1].notes[0]
    assert holds_pairs(tmp_path / "e.jsonl") and holds_pairs(tmp_path / "f.jsonl")
    assert not holds_pairs(lines(tmp_path / "i.jsonl", ['{"text": "a", "label": "b"}']))


def test_quotation_marks_in_tabbed_files_are_text(tmp_path: Path) -> None:
    read = read_pairs(lines(tmp_path / "a.tsv", ['"Go!" he said\tGeh', 'an "odd mark\tZeichen']))
    assert read.sources == ('"Go!" he said', 'an "odd mark')


def test_pairs_with_an_empty_side_are_skipped_counted_and_named(tmp_path: Path) -> None:
    source = lines(tmp_path / "a.en", ["one", "", "three", "four  x", "", ""])
    read = read_pairs(source, lines(tmp_path / "a.de", ["eins", "zwei", "  ", "vier"]))
    assert read.sources == ("one", "four x")
    assert "2 pairs" in read.notes[0] and "lines 2, 3" in read.notes[0]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (["a", "b", "c"], ["x", "y"], r"a\.en has 3 lines and .*a\.de has 2 lines"),
        (["", "a"], ["x", " "], "no pair has a sentence on both sides"),
        (["a b", "c d"], ["a b", "c d"], "2 of 2 translations are the same"),
    ],
)
def test_files_that_do_not_fit_are_refused(source: list[str], target: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_pairs(lines(tmp_path / "a.en", source), lines(tmp_path / "a.de", target))


def test_tables_that_cannot_be_read_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.tsv, line 2 has 1 column.*as in line 1"):
        read_pairs(lines(tmp_path / "a.tsv", ["a\tb", "c"]))
    with pytest.raises(DataError, match=r"b\.txt holds no pairs.*--translations"):
        read_pairs(lines(tmp_path / "b.txt", ["only a line", "and another"]))
    with pytest.raises(DataError, match=r"column 'german' is not in c\.csv.*did you mean 'germany'"):
        read_pairs(lines(tmp_path / "c.csv", ["en,germany", "a,b"]), source="en", target="german")
    with pytest.raises(DataError, match="would both be column 1"):
        read_pairs(lines(tmp_path / "d.csv", ["en,de", "a,b"]), source="en", target="en")
    with pytest.raises(DataError, match="is not a string; got: list"):
        read_pairs(lines(tmp_path / "e.jsonl", ['{"source": ["a"], "target": "b"}']))
    with pytest.raises(DataError, match=r"latin\.en is not UTF-8.*line 2"):
        (tmp_path / "latin.en").write_bytes("a\nGröße\n".encode("latin-1"))
        read_pairs(tmp_path / "latin.en", lines(tmp_path / "latin.de", ["x", "y"]))
    with pytest.raises(DataError, match="does not exist"):
        read_pairs(tmp_path / "nowhere.tsv")
    with pytest.raises(OptionError, match="omit them"):
        read_pairs(tmp_path / "a.en", tmp_path / "a.de", source="x")


def test_the_translations_of_a_further_file_are_found_by_its_name(tmp_path: Path) -> None:
    for name in ("test.en", "test.de", "en-dev.txt", "de-dev.txt"):
        lines(tmp_path / name, ["x"])
    assert sibling(tmp_path / "test.en", Path("train.en"), Path("train.de")) == tmp_path / "test.de"
    assert sibling(tmp_path / "en-dev.txt", Path("en-train.txt"), Path("de-train.txt")) == tmp_path / "de-dev.txt"
    assert sibling(tmp_path / "test.en", Path("english.txt"), Path("german.txt")) is None


def numbered(count: int, start: int = 0) -> list[tuple[str, str]]:
    names = ["red", "blue", "green", "old", "new", "small", "large"]
    return [
        (f"the {names[n % 7]} house {n} stands by road {n * 37}", f"das Haus {n} steht an Weg {n * 37}")
        for n in range(start, start + count)
    ]


def test_parts_share_no_sentence_and_do_not_depend_on_the_order(tmp_path: Path) -> None:
    rows = ["\t".join(pair) for pair in numbered(80)]
    rows += [rows[3], rows[3].upper()]
    spec = {"vocabulary_size": 300}
    first = load_translation(TranslationDataSpec(str(lines(tmp_path / "a.tsv", rows)), **spec))
    again = load_translation(TranslationDataSpec(str(lines(tmp_path / "b.tsv", rows[::-1])), **spec))
    parts = [set(map(str.lower, getattr(first, part).sources)) for part in ("train", "validation", "test")]
    assert sum(first.sizes.values()) == 82 and not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert set(first.test.sources) == set(again.test.sources)
    assert any("near duplicates" in note for note in first.notes)
    few = load_translation(TranslationDataSpec(str(tmp_path / "a.tsv"), examples=20, **spec))
    assert len(few.train) == 20 and few.test == first.test and few.fingerprint != first.fingerprint


def test_further_files_reverse_and_shared_vocabularies(tmp_path: Path) -> None:
    for name, rows in (("train", numbered(40)), ("test", [*numbered(12, 100), numbered(1)[0]])):
        ours, theirs = zip(*rows, strict=True)
        lines(tmp_path / f"{name}.en", list(ours)), lines(tmp_path / f"{name}.de", list(theirs))
    given = {"translations": str(tmp_path / "train.de"), "vocabulary_size": 300}
    spec = TranslationDataSpec(str(tmp_path / "train.en"), test=str(tmp_path / "test.en"), **given)
    dataset = load_translation(spec)
    assert len(dataset.test) == 13 and any("left out of the training part" in note for note in dataset.notes)
    assert numbered(1)[0][0] not in (*dataset.train.sources, *dataset.validation.sources)
    turned = load_translation(
        TranslationDataSpec(spec.data, test=spec.test, reverse=True, shared_vocabulary=True, **given)
    )
    assert turned.test.sources == dataset.test.targets and turned.shared and not dataset.shared
    (tmp_path / "test.de").unlink()
    with pytest.raises(DataError, match=r"the translations of .*test\.en are not known.*--test-translations"):
        load_translation(spec)


def test_a_first_line_that_may_be_a_header_is_shown(tmp_path: Path) -> None:
    rows = ["deutsch\tklingonisch", *("\t".join(pair) for pair in numbered(20))]
    found = read_pairs(lines(tmp_path / "a.tsv", rows))
    assert "; its first line is read as a pair: 'deutsch'" in found.notes[0] and len(found.sources) == 21
    advice = "(if it is a header, give --source-column deutsch --target-column klingonisch)"
    assert found.notes[0].endswith(advice)
    followed = read_pairs(tmp_path / "a.tsv", source="deutsch", target="klingonisch")
    assert len(followed.sources) == 20
    plain = read_pairs(lines(tmp_path / "b.tsv", rows[1:])).notes[0]
    assert "read as a pair" in plain and "header" not in plain


@pytest.mark.parametrize(
    "header",
    [
        *(
            "english,deutsch",
            "English;Français",
            "Anglais,Allemand",
            "text_en,text_de",
            "English sentence|日本語",
            "EN,DE",
        ),
        *("en_US,de_DE", "pt-BR;en-GB", "text_en_US,text_de_AT", "zh-Hans,en"),
    ],
)
def test_a_header_of_languages_is_no_pair(tmp_path: Path, header: str) -> None:
    """It used to be read as a sentence and its translation."""
    mark = next(mark for mark in ",;|" if mark in header)
    path = lines(tmp_path / "a.csv", [header, *(mark.join(pair) for pair in numbered(20))])
    found = read_pairs(path)
    assert found.sources == tuple(source for source, _ in numbered(20))
    names = header.split(mark)
    assert f"sentences are read from {names[0]!r}, translations from {names[1]!r}" in found.notes[-1]
    assert holds_pairs(path), "such a file is translation by itself"


def test_languages_are_found_among_other_columns(tmp_path: Path) -> None:
    rows = [f"{number},{one},{two}" for number, (one, two) in enumerate(numbered(20))]
    found = read_pairs(lines(tmp_path / "a.csv", ["id,english,deutsch", *rows]))
    assert found.sources[0] == numbered(1)[0][0] and len(found.sources) == 20
    coded = read_pairs(lines(tmp_path / "b.csv", ["eng,de-AT", *(",".join(pair) for pair in numbered(20))]))
    assert coded.sources == found.sources


def test_words_that_name_or_spell_no_two_languages_are_pairs(tmp_path: Path) -> None:
    for first in ("english\tenglisch", "oui\tyes", "cow\tvache", "No.\tDa."):
        path = lines(tmp_path / "a.tsv", [first, *("\t".join(pair) for pair in numbered(20))])
        assert len(read_pairs(path).sources) == 21 and not holds_pairs(path), first


@pytest.mark.parametrize(
    "header", ["source_text,target_text", "Original,Translation", "Satz;Übersetzung", "sentence1,sentence2", "0|1"]
)
def test_a_header_without_languages_is_no_pair(tmp_path: Path, header: str) -> None:
    mark = next(mark for mark in ",;|" if mark in header)
    path = lines(tmp_path / "a.csv", [header, *(mark.join(pair) for pair in numbered(20))])
    assert read_pairs(path).sources == tuple(source for source, _ in numbered(20))
    assert task_of(str(path)) == "translation"


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.txt", "tatoeba.txt", "a.tsv.gz"])
def test_two_columns_of_sentences_are_translation_in_their_order(tmp_path: Path, name: str) -> None:
    mark, licence = "," if name == "a.csv" else "\t", "\tCC-BY 2.0 (France) tatoeba" if "tatoeba" in name else ""
    path = lines(tmp_path / name, [mark.join(pair) + licence for pair in numbered(40)])
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert task_of(str(path)) == "translation" and not holds_pairs(path)
    dataset = load_translation(TranslationDataSpec(str(path), vocabulary_size=300))
    assert set(dataset.test.sources) < {source for source, _ in numbered(40)}
    assert dataset.notes[0].startswith(f"{name}: sentences are read from column 1, translations from column 2")
    assert dataset.notes[1].startswith("--reverse translates the other way round")
    turned = load_translation(TranslationDataSpec(str(path), vocabulary_size=300, reverse=True))
    assert turned.test.sources == dataset.test.targets and turned.notes[1].startswith("as --reverse asks")
    named = load_translation(TranslationDataSpec(str(path), vocabulary_size=300, source_column="2", target_column="1"))
    assert set(named.test.sources) < {target for _, target in numbered(40)}
    assert not any("--reverse" in note for note in named.notes)


def test_other_columns_are_no_sentence_pairs(tmp_path: Path) -> None:
    pairs = numbered(20)
    others = {
        "labels.csv": [f"{one},class {n % 3}" for n, (one, _) in enumerate(pairs)],
        "names.csv": [f"picture{n}.png,{one}" for n, (one, _) in enumerate(pairs)],
        "three.csv": [f"{one},{two},{one}" for one, two in pairs],
        "named.csv": ["review,category", *(",".join(pair) for pair in pairs)],
        "times.csv": [f"2026-01-{n + 1:02} 10:00,12 500" for n in range(20)],
        "words.tsv": [f"word{n}\tWort{n}" for n in range(20)],
        "few.tsv": ["\t".join(pair) for pair in pairs[:5]],
        "text.txt": [one for one, _ in pairs],
        "some.txt": [f"{one}\t{two}" if n % 2 else one for n, (one, two) in enumerate(pairs)],
        "empty.csv": [""],
    }
    for name, rows in others.items():
        assert not holds_sentence_columns(lines(tmp_path / name, rows)), name
    assert holds_sentence_columns(lines(tmp_path / "satz.tsv", ["\t".join(pair) for pair in pairs]))
    headers = "text,label text,summary title,body question,answer prompt,response premise,hypothesis article,highlights"
    for header in [*headers.split(), "source,notes", "full name,job title"]:
        path = lines(tmp_path / "headed.csv", [header, *(",".join(pair) for pair in pairs)])
        assert not holds_sentence_columns(path), header
    assert not holds_sentence_columns(tmp_path / "none.csv") and not holds_sentence_columns(tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        ["text,english,german,label", "a fine film,a fine film,ein feiner Film,good"],
        ["time,nl,de", "2026-01-01,5.2,7.1"],
        ["student,english,german,math", "Ann,1,2,3"],
        ["english,german", "1,2"],
        ["en,de,fr", "5.1,4.9,3.2"],
        ["to_be,is_ok", "yes,no"],
    ],
)
def test_languages_beside_other_columns_are_no_translation_by_themselves(tmp_path: Path, content: list[str]) -> None:
    assert not holds_pairs(lines(tmp_path / "a.csv", content))


def test_a_number_of_the_row_may_stand_beside_two_languages(tmp_path: Path) -> None:
    assert holds_pairs(lines(tmp_path / "a.csv", ["id,english,german", "1,a dog,ein Hund"]))


@pytest.mark.parametrize("header", ["en,de,fr", "en_US,de_DE,fr_FR", "id,English,Deutsch,Français"])
def test_of_three_languages_two_are_asked_for(tmp_path: Path, header: str) -> None:
    rows = [f"{number},{one},{two},un chien {number}" for number, (one, two) in enumerate(numbered(20))]
    names = header.split(",")
    path = lines(tmp_path / "a.csv", [header, *(row if "id" in names else row.partition(",")[2] for row in rows)])
    assert task_of(str(path)) == "translation"
    first, second, third = names[-3:]
    asked = rf"3 languages.*{re.escape(header.replace(',', ', '))}.*--source-column {first} --target-column {second}$"
    with pytest.raises(DataError, match=asked):
        read_pairs(path)
    with pytest.raises(DataError, match="3 languages"):
        read_pairs(path, source=first)
    found = read_pairs(path, source=second, target=third)
    assert found.sources[0] == numbered(1)[0][1] and found.targets[0] == "un chien 0"


def test_of_two_languages_one_is_enough(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.csv", ["id,en_US,de_DE", *(f"{n},{a},{b}" for n, (a, b) in enumerate(numbered(20)))])
    found = read_pairs(path, source="de_DE")
    assert (found.targets, found.sources) == tuple(zip(*numbered(20), strict=True))


def test_objects_of_languages_are_pairs(tmp_path: Path) -> None:
    path = lines(tmp_path / "a.jsonl", [json.dumps({"en": one, "de": two}) for one, two in numbered(20)])
    assert holds_pairs(path) and read_pairs(path).sources[0] == numbered(1)[0][0]
    assert not holds_pairs(lines(tmp_path / "b.jsonl", ['{"en": 5.1, "de": 4.9}']))


@pytest.mark.parametrize("reverse", [False, True])
def test_neither_side_of_a_pair_is_in_two_parts(tmp_path: Path, reverse: bool) -> None:
    """Two hundred sentences with forty translations, each of five of them."""
    texts = [target for _, target in numbered(40)]
    rows = [f"{source}\t{texts[number % 40]}" for number, (source, _) in enumerate(numbered(200))]
    path = str(lines(tmp_path / "a.tsv", rows))
    dataset = load_translation(TranslationDataSpec(path, reverse=reverse, vocabulary_size=300))
    trained = {*dataset.train.sources, *dataset.train.targets}
    assert len(dataset.train) > 100 and len(dataset.validation) >= 5
    for part in (dataset.test, dataset.validation):
        assert not trained & {*part.sources, *part.targets}
    other = load_translation(TranslationDataSpec(path, reverse=not reverse, vocabulary_size=300))
    assert other.test.sources == dataset.test.targets, "the parts do not depend on the direction"


def test_long_sentences_are_left_out_of_training_and_counted(tmp_path: Path) -> None:
    rows = ["\t".join(pair) for pair in numbered(60)] + [("word " * 400) + "\tWort"]
    dataset = load_translation(TranslationDataSpec(str(lines(tmp_path / "a.tsv", rows)), vocabulary_size=300))
    noted = [note for note in dataset.notes if "--max-tokens" in note]
    held = any(len(text) > 1000 for text in (*dataset.test.sources, *dataset.validation.sources))
    assert held or ("1 training pair with more than 100 subwords" in noted[0])
    assert max(map(len, dataset.train.sources)) < 1000


def test_too_few_pairs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="too few sentence pairs"):
        load_translation(TranslationDataSpec(str(lines(tmp_path / "a.tsv", ["a\tb", "c\td", "e\tf"]))))
    with pytest.raises(DataError, match="neither a known data set nor a file"):
        load_translation(TranslationDataSpec("multi3k"))


def test_the_dictionary_is_that_of_expectation_maximisation_pair_by_pair() -> None:
    """IBM model 1 in loops, as Brown et al. (1993) write it."""
    sources = ["the dog sleeps", "the cat sleeps", "a dog runs", "the dog runs", "a cat"]
    targets = ["der Hund schläft", "die Katze schläft", "ein Hund rennt", "der Hund rennt", "eine Katze"]
    chances: dict[tuple[str, str], float] = {}
    for one, two in zip(sources, targets, strict=True):
        chances |= {(e, f): 1.0 for e in ["", *one.split()] for f in two.split()}
    for _ in range(7):
        counts = dict.fromkeys(chances, 0.0)
        for one, two in zip(sources, targets, strict=True):
            for f in two.split():
                whole = sum(chances[e, f] for e in ["", *one.split()])
                for e in ["", *one.split()]:
                    counts[e, f] += chances[e, f] / whole
        totals: dict[str, float] = {}
        for (e, _), count in counts.items():
            totals[e] = totals.get(e, 0.0) + count
        chances = {(e, f): count / totals[e] for (e, f), count in counts.items()}
    model = WordByWord(7, leave_out=False).fit(sources, targets)
    for word in {word for text in sources for word in text.split()}:
        best = max(chance for (e, _), chance in chances.items() if e == word)
        answers = {f for (e, f), chance in chances.items() if e == word and np.isclose(chance, best)}
        assert model.translate([word])[0] in answers
    assert model.translate(["the dog runs, Bonn."]) == ["der Hund rennt, Bonn."]
    assert model.parameters == len(chances)


def test_a_packed_file_is_fetched_and_its_content_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pooch

    def deliver(url: str, *, known_hash: str | None, fname: str, path: Path, progressbar: bool) -> str:
        assert (known_hash, fname) == (None, "a.en.gz")
        (path / fname).write_bytes(gzip.compress(b"a dog\n"))
        return str(path / fname)

    monkeypatch.setattr(pooch, "retrieve", deliver)
    right, wrong = (hashlib.sha256(content).hexdigest() for content in (b"a dog\n", b"a cat\n"))
    url = "https://example.org/a.en.gz"
    assert fetch(Remote(url, "m/a.en.gz", f"sha256:{right}"), tmp_path) == tmp_path / "m" / "a.en.gz"
    with pytest.raises(DataError, match="is not the known file"):
        fetch(Remote(url, "m/a.en.gz", f"sha256:{wrong}"), tmp_path)


def test_the_known_pairs_say_how_to_get_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GATEWISE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"'multi30k' is not available.*--download"):
        load_translation(TranslationDataSpec())


@pytest.mark.slow
@pytest.mark.shared_data
def test_multi30k_has_its_known_parts_and_the_dictionary_its_measured_figure() -> None:
    if not (SHARED / "multi30k" / "train.en.gz").is_file():
        pytest.skip("Multi30k is not at hand")
    from gatewise.training import kind_of

    dataset = load_translation(TranslationDataSpec(), SHARED)
    assert dataset.sizes == {"train": 29_000, "validation": 1_014, "test": 1_000}
    assert len(dataset.source_subwords) == len(dataset.target_subwords) == 3_000
    assert "1 of its 1,000 test sentences has near duplicates" in dataset.notes[0]
    words, copying = kind_of("translation").baselines(TranslationDataSpec())
    words.fit(dataset)
    assert words.test(dataset).metrics["bleu"] == pytest.approx(0.161, abs=0.002)
    assert copying.test(dataset).metrics["bleu"] == pytest.approx(0.005, abs=0.001)
