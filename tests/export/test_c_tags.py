"""Taggers in C: words and their characters in, the best sequence of tags out; look-ups as in training."""

from __future__ import annotations

import random
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from c_programs import files_of
from export_cases import layer_of

from gatewise.errors import ConversionError
from gatewise.export.gaps import LIMIT, compared
from gatewise.export.graph import Example, Graph, GraphBuilder, Interpreter
from gatewise.export.graph.layers import add_recurrent
from gatewise.export.integers import IntegerInterpreter, quantise_graph
from gatewise.export.to_c.check import check_source
from gatewise.export.to_c.compiler import SANITISED, STRICT, compile_program, find_compiler, sanitises
from gatewise.export.to_c.harness import emit_harness, run_harness
from gatewise.export.to_c.sentences import sentences_of
from gatewise.export.to_c.source import emit_source
from gatewise.kinds.tagging.exported import sentence_inputs
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.kinds.tagging.vocabulary import WordVocabulary

torch.set_num_threads(1)
pytestmark = pytest.mark.skipif(find_compiler() is None, reason="no C compiler")
WORDS, SIGNS, SHAPES, TAGS, MOST = 11, 9, 9, 5, 6


def tagger_graph(*, convolution: bool, shape: str = "one layer, both directions", seed: int = 0) -> Graph:
    """The graph of a tagger with random weights; moves that never happen among them."""
    chance = np.random.default_rng(seed)
    inner = GraphBuilder("characters")
    signs = inner.tokens("characters", SIGNS)
    embedded = inner.embedding(signs, chance.normal(size=(SIGNS, 5)), "characters.embedding")
    if convolution:
        values = inner.convolution(embedded, chance.normal(size=(4, 5, 3)), chance.normal(size=4), "convolution")
        inner.output("word", inner.pool(values, "max"))
    else:
        layer = layer_of("gru", "one layer, both directions", seed)
        inner.output("word", inner.pool(add_recurrent(inner, "characters", layer, embedded), "last", 2))
    build = GraphBuilder("tagging")
    parts = [build.embedding(build.tokens("words", WORDS), chance.normal(size=(WORDS, 3)), "embedding.weight")]
    parts.append(build.each_step(build.tokens("characters", SIGNS, inner=True), inner.graph()))
    parts.append(build.embedding(build.tokens("shapes", SHAPES), chance.normal(size=(SHAPES, 2)), "shapes.weight"))
    read = build.linear(build.concat(parts), chance.normal(size=(5, 5 + (4 if convolution else 12))))
    output = add_recurrent(build, "recurrent", layer_of("lstm", shape, seed), read)
    width = build.width(output)
    scores = build.linear(output, chance.normal(size=(TAGS, width)), chance.normal(size=TAGS), "head")
    moves, start, end = chance.normal(size=(TAGS, TAGS)), chance.normal(size=TAGS), chance.normal(size=TAGS)
    moves[1, 2] = moves[3, 3] = start[4] = end[0] = -np.inf
    build.output("scores", scores)
    build.output("tags", build.viterbi(scores, moves, start, end))
    return build.graph({"max_characters": MOST})


def examples_of(graph: Graph, lengths: tuple[int, ...] = (1, 2, 5, 9, 12), seed: int = 4) -> list[Example]:
    chance = np.random.default_rng(seed)
    rows = []
    for length in lengths:
        spelt = [chance.integers(0, SIGNS, size=int(chance.integers(1, MOST + 1))) for _ in range(length)]
        given = {"words": (length, WORDS), "shapes": (length, SHAPES)}
        rows.append({name: chance.integers(0, limit, size=size) for name, (size, limit) in given.items()})
        rows[-1]["characters"] = spelt
    found = Interpreter(graph).run(rows)
    return [Example(row, {name: found[name][place] for name in found}) for place, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("convolution", "shape"),
    [
        (False, "one layer, both directions"),
        pytest.param(True, "three layers", marks=pytest.mark.slow),
        pytest.param(True, "two layers, both directions", marks=pytest.mark.slow),
        pytest.param(False, "three residual layers", marks=pytest.mark.slow),
    ],
)
def test_a_tagger_in_c_gives_the_tags_of_the_graph(convolution: bool, shape: str) -> None:
    """Compiled without warnings, under the sanitisers; of one direction step by step as well."""
    graph = tagger_graph(convolution=convolution, shape=shape)
    source = emit_source(graph, "net", 12)
    examples = examples_of(graph)
    compiled = check_source(source, examples, files_of(source))
    assert compiled is not None and compiled.check.greatest < LIMIT and compiled.check.differing_tags == 0
    assert source.has_step == ("both" not in shape) and compiled.check.longest == 12
    assert ("step by step, whole" in compiled.check.gaps) == source.has_step
    assert len({tag for each in examples for tag in each.outputs["tags"].tolist()}) > 2


@pytest.mark.parametrize(
    ("convolution", "shape"),
    [(False, "three layers"), (True, "one layer, both directions")],
)
@pytest.mark.slow
def test_a_tagger_in_integers_gives_the_bits_of_numpy(convolution: bool, shape: str) -> None:
    """The network of the characters too; a convolution's sums are floats, whose order NumPy does not say."""
    graph = tagger_graph(convolution=convolution, shape=shape)
    rows = [each.inputs for seed in range(8) for each in examples_of(graph, seed=seed)]
    quantised = quantise_graph(graph, rows)
    source = emit_source(graph, "net", 12, quantised)
    examples = examples_of(graph, seed=2)
    compiled = check_source(source, examples, files_of(source), examples)
    assert compiled is not None and compiled.outcome is not None and not quantised.all_mixed
    assert set(quantised.bodies) and (not convolution) == IntegerInterpreter(quantised).exact
    assert compiled.check.greatest <= compiled.check.limit == (1e-3 if convolution else 0.0)
    assert 0 < compiled.outcome.gap < 0.05
    assert source.weight_bytes < emit_source(graph, "net", 12).weight_bytes
    right = [np.mean(o["tags"] == e.outputs["tags"]) for o, e in zip(compiled.outcome.figures, examples, strict=True)]
    assert np.mean(right) > 0.9


def test_of_equal_scores_the_lower_tag_is_chosen_from_the_end() -> None:
    build = GraphBuilder("ties")
    x = build.input("x", "T", 3)
    build.output("scores", x)
    build.output("tags", build.viterbi(x, np.array([[0, 1, 1], [1, 0, 1], [1, 1, -np.inf]]), np.zeros(3), np.zeros(3)))
    graph = build.graph()
    rows = [{"x": np.zeros((length, 3), dtype=np.float32)} for length in (1, 2, 3, 6)]
    rows.append({"x": np.random.default_rng(0).integers(0, 3, size=(40, 3)).astype(np.float32)})
    found = Interpreter(graph).run(rows)
    examples = [Example(row, {name: found[name][place] for name in found}) for place, row in enumerate(rows)]
    source = emit_source(graph, "net", 40)
    compiled = check_source(source, examples, files_of(source))
    assert compiled is not None and compiled.check.greatest == 0.0 and compiled.check.differing_tags == 0
    wrong = [Example(e.inputs, {**e.outputs, "tags": (e.outputs["tags"] + 1) % 3}) for e in examples]
    true = [each.outputs for each in examples]
    gap, differing = compared(graph, true, true, [each.outputs for each in wrong])  # other tags have other scores
    assert differing == 5 and gap > 0.1


def test_tags_that_no_path_has_are_no_tie() -> None:
    build = GraphBuilder("never")
    x = build.input("x", "T", 2)
    build.output("scores", x)
    build.output("tags", build.viterbi(x, np.full((2, 2), -np.inf), np.zeros(2), np.zeros(2)))
    one = [{"scores": np.zeros((2, 2)), "tags": np.array([0, 0])}]
    two = [{"scores": np.zeros((2, 2)), "tags": np.array([1, 1])}]
    assert compared(build.graph(), one, one, two) == (np.inf, 1)


MAIN = """#include "net.h"

#include <stdio.h>

static char text[65536];

int main(void)
{
    uint32_t words, shapes, characters[MOST];
    size_t length = 0;
    for (int c = getchar(); c != EOF; c = getchar()) {
        text[length++] = (char)c;
        if (c == 0) {
            const size_t count = net_word(text, &words, characters, &shapes);
            printf("%lu %lu", (unsigned long)words, (unsigned long)shapes);
            for (size_t i = 0; i < count; i++) {
                printf(" %lu", (unsigned long)characters[i]);
            }
            putchar('\\n');
            length = 0;
        }
    }
    return 0;
}
"""
PIECES = "aAzZß09٣²½ⅧǅΣσςİıẞéÉ\u0301'’.,:/+%-·ʰ中と𝟘𐐀ﬁ_&"


def _word_graph(vocabulary: WordVocabulary) -> Graph:
    """What a tagger says of its words and tags; nothing is computed."""
    build = GraphBuilder("tagging")
    for name in ("words", "characters", "shapes"):
        build.tokens(name, 5000, inner=name == "characters")
    build.output("tags", build.viterbi(build.input("x", "T", 2), np.zeros((2, 2)), np.zeros(2), np.zeros(2)))
    graph = build.graph({"vocabulary": vocabulary.to_dict(), "tag_set": TagSet("plain", ["NN", "VB"]).to_dict()})
    return replace(graph, inputs=graph.inputs[:3], metadata={**graph.metadata, "tags": ["NN", "VB"]})


def _look_up(graph: Graph, folder: Path, most: int, flags: tuple[str, ...] = ()) -> None:
    """The look-up by itself, with a program that prints numbers."""
    found = sentences_of(graph, "net", most)
    assert found is not None
    (folder / "net.h").write_text(f"#include <stddef.h>\n#include <stdint.h>\n{found.declarations}\n")
    (folder / "net.c").write_text(f'#include "net.h"\n\n{found.code}')
    (folder / "main.c").write_text(MAIN.replace("MOST", str(most)))
    compiler = find_compiler()
    assert compiler is not None
    compile_program(compiler, folder, ["net.c", "main.c"], "main", (*STRICT, *flags))


@pytest.mark.parametrize("most", [pytest.param(7), pytest.param(1, marks=pytest.mark.slow)])
def test_words_become_the_numbers_of_the_training(most: int, tmp_path: Path) -> None:
    """Every letter, number and capital of Unicode by itself, and mixtures in which forms depend on neighbours."""
    chance = random.Random(3)
    words = ["the", "THE", "McRae", "EU", "1,119.0", "B2B", "--", "Apollo-11", "ΟΔΥΣΣΕΥΣ", "ΑΣ.", "Σ", "ΑΣ'Α", "x" * 99]
    words += ["".join(chance.choices(PIECES, k=chance.randrange(1, 12))) for _ in range(4000)]
    single = [
        chr(code) for code in range(33, 0x1F000) if not 0xD800 <= code < 0xE000 and chr(code).lower() != chr(code)
    ]
    single += [
        chr(chance.choice([chance.randrange(33, 0xD800), chance.randrange(0xE000, 0x3FFFF)])) for _ in range(2000)
    ]
    words += single
    vocabulary = WordVocabulary([*dict.fromkeys(w.lower() for w in words[:2000])], [*dict.fromkeys(PIECES)], 9)
    _look_up(_word_graph(vocabulary), tmp_path, most)
    given = b"".join(word.encode() + b"\0" for word in words)
    done = subprocess.run([tmp_path / "main"], input=given, capture_output=True, check=True)
    lines = [[int(number) for number in line.split()] for line in done.stdout.decode().splitlines()]
    true = sentence_inputs(words, vocabulary, most, ("words", "characters", "shapes"))
    for place, (word, line) in enumerate(zip(words, lines, strict=True)):
        expected = [true["words"][place], true["shapes"][place], *true["characters"][place]]
        assert line == expected, (word, [hex(ord(sign)) for sign in word], line, expected)
    assert len({line[1] for line in lines}) == 8 and len({line[0] for line in lines}) > 1000


@pytest.mark.slow
def test_bytes_that_are_no_text_are_read_within_their_memory(tmp_path: Path) -> None:
    """Cut and overlong characters, lone second bytes, letters without end: the sanitisers report nothing."""
    compiler = find_compiler()
    assert compiler is not None
    if not sanitises(compiler):
        pytest.skip("no sanitisers")
    _look_up(_word_graph(WordVocabulary(["the", "a\ufffdb"], ["a"], 9)), tmp_path, 3, SANITISED)
    chance = random.Random(1)
    words = [bytes(chance.choices(range(1, 256), k=chance.randrange(9))) for _ in range(3000)]
    words += [b"\xf0\x9f\x98", b"\xce", "Σ".encode() * 9, b"a\xffb", b"x" * 60000, b"", b"\xed\xa0\x80"]
    done = subprocess.run(
        [tmp_path / "main"], input=b"".join(w + b"\0" for w in words), capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()[:2000]
    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(words) and all(len(line.split()) in (3, 4, 5) for line in lines)
    assert lines[words.index(b"a\xffb")].split()[0] == "3"  # as Python reads it with errors="replace"


@pytest.mark.parametrize("scheme", ["iob1", pytest.param("bilou", marks=pytest.mark.slow), "plain"])
def test_tags_are_named_as_in_the_training_file(scheme: str, tmp_path: Path) -> None:
    names = ["PER", 'B-"\\?', ""] if scheme != "plain" else ["NN", "B-X", "VB"]
    tag_set = TagSet(scheme, names, "iobes")
    build = GraphBuilder("tagging")
    build.tokens("words", 5)
    x = build.input("x", "T", 2)
    build.output("tags", build.viterbi(x, np.zeros((2, 2)), np.zeros(2), np.zeros(2)))
    metadata = {"vocabulary": WordVocabulary([], [], 2).to_dict(), "tag_set": tag_set.to_dict(), "tags": tag_set.tags}
    graph = build.graph(metadata)
    found = sentences_of(replace(graph, inputs=graph.inputs[:1]), "net", 4)
    assert found is not None
    moves, starts, ends = tag_set.moves()
    chance, rows = np.random.default_rng(0), []
    while len(rows) < 200:  # sequences that the scheme allows
        row = chance.integers(0, len(tag_set), size=int(chance.integers(1, 6)))
        if starts[row[0]] and ends[row[-1]] and moves[row[:-1], row[1:]].all():
            rows.append(row)
    calls = []
    for place, row in enumerate(rows):
        numbers = ", ".join(f"{tag}u" for tag in row)
        calls.append(f"    static const uint32_t row{place}[] = {{{numbers}}};")
        calls += [f'    printf("%s ", net_tag(row{place}, {len(row)}, {t}));' for t in range(len(row))]
        calls.append("    putchar(10);")
    (tmp_path / "net.h").write_text(f"#include <stddef.h>\n#include <stdint.h>\n{found.declarations}\n")
    (tmp_path / "net.c").write_text(f'#include "net.h"\n\n{found.code}')
    body = "\n".join(calls)
    (tmp_path / "main.c").write_text(
        f'#include "net.h"\n\n#include <stdio.h>\n\nint main(void)\n{{\n{body}\n    return 0;\n}}\n'
    )
    compiler = find_compiler()
    assert compiler is not None
    compile_program(compiler, tmp_path, ["net.c", "main.c"], "main", STRICT)
    done = subprocess.run([tmp_path / "main"], capture_output=True, check=True)
    assert [line.split() for line in done.stdout.decode().splitlines()] == [tag_set.decode(row) for row in rows]


def test_bad_characters_are_refused_at_run_time(tmp_path: Path) -> None:
    graph = tagger_graph(convolution=True)
    source = emit_source(graph, "net", 12)
    for name, content in {**files_of(source), "check.c": emit_harness(source)}.items():
        (tmp_path / name).write_text(content)
    compiler = find_compiler()
    assert compiler is not None
    compile_program(compiler, tmp_path, ["net.c", "check.c"], "check", STRICT)
    (good,) = examples_of(graph, (3,))
    _, (found,), _ = run_harness(tmp_path / "check", source, [good.inputs])
    assert np.array_equal(found["tags"], good.outputs["tags"])
    for spelt in ([[1], [], [2]], [[1], [2] * (MOST + 1), [3]], [[1], [SIGNS], [2]]):
        bad = {**good.inputs, "characters": [np.array(each, dtype=np.int64) for each in spelt]}
        with pytest.raises(ConversionError, match="exit code 5"):
            run_harness(tmp_path / "check", source, [bad])
