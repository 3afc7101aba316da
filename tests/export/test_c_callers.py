"""What a caller of exported functions in C meets: refused input, instances, words, errors of own functions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from c_programs import files_of, needs_compiler, printed

import gatewise.export
from gatewise.data.vocabulary import Vocabulary
from gatewise.export.graph import Graph, GraphBuilder
from gatewise.export.graph.layers import add_recurrent
from gatewise.export.to_c.compiler import FAST, SANITISED, STRICT, find_compiler, sanitises
from gatewise.export.to_c.helpers import Helpers
from gatewise.export.to_c.source import emit_source
from gatewise.export.to_c.words import words_of
from gatewise.nn import GRU, LSTM

torch.set_num_threads(1)

TOKENS = """#include "net.h"

#include <stdio.h>

static net_instance m, other;

int main(void)
{
    uint32_t tokens[9] = {1, 2, 3, 1, 2, 3, 1, 2, 7};
    float before[2], after[2], alone[2];
    net_init(&m);
    net_init(&other);
    printf("%d %d %d %d\\n", net_run(&m, 0, tokens, before), net_run(&m, NET_STEPS + 1, tokens, before),
           net_run(&m, 9, tokens, before), net_run(&m, 8, tokens, before));
    if (net_run(&m, 3, tokens, alone) != 0 || net_run(&other, 5, tokens, before) != 0
        || net_run(&m, 3, tokens, after) != 0) {
        return 1;
    }
    printf("%d\\n", alone[0] == after[0] && alone[1] == after[1]);
    return 0;
}
"""


def _tokens_graph() -> Graph:
    torch.manual_seed(0)
    build = GraphBuilder("tokens")
    embedded = build.embedding(build.tokens("tokens", 5), np.random.default_rng(0).normal(size=(5, 3)))
    output = add_recurrent(build, "recurrent", GRU(3, 4, bidirectional=True).eval(), embedded)
    build.output("answers", build.linear(build.pool(output, "last+max+mean", 2), np.ones((2, 24)) / 9))
    return build.graph()


@needs_compiler
def test_bad_lengths_and_tokens_are_refused_at_run_time(tmp_path: Path) -> None:
    source = emit_source(_tokens_graph(), "net", 9)
    assert printed(tmp_path, {**files_of(source), "main.c": TOKENS}).splitlines() == ["-1 -1 -2 0", "1"]


INTERLEAVED = """#include "model.h"

#include <stdio.h>

static model_instance a, b, c;

int main(void)
{
    static const float x[6][2] = {{1, 0}, {0, 1}, {-1, 2}, {3, 1}, {0, 0}, {1, 1}};
    float one[3], two[3], whole[18];
    model_init(&a);
    model_init(&b);
    model_init(&c);
    for (int t = 0; t < 6; t++) {
        model_step(&a, x[t], one);
        if (t == 2) { /* a copy goes on as the original does */
            c = a;
        }
        model_step(&b, x[5 - t], two);
    }
    for (int t = 3; t < 6; t++) {
        model_step(&c, x[t], two);
    }
    model_run(&b, 6, x[0], whole);
    for (int i = 0; i < 3; i++) {
        printf("%d %d\\n", one[i] == whole[15 + i], one[i] == two[i]);
    }
    return 0;
}
"""


@needs_compiler
def test_instances_do_not_disturb_each_other(tmp_path: Path) -> None:
    gatewise.export.c(LSTM(2, 3, num_layers=2), tmp_path)
    assert printed(tmp_path, {"main.c": INTERLEAVED}).splitlines() == ["1 1"] * 3


# words

TOKENISE = """#include "words.h"

#include <stdio.h>

static char text[65536];

int main(void)
{
    static uint32_t tokens[T_TOKENS];
    size_t length = 0;
    for (int c = getchar(); c != EOF; c = getchar()) {
        text[length++] = (char)c;
        if (c == 0) {
            const size_t count = t_tokenise(text, tokens);
            for (size_t i = 0; i < count; i++) {
                printf("%lu ", (unsigned long)tokens[i]);
            }
            putchar('\\n');
            length = 0;
        }
    }
    return 0;
}
"""
TEXTS = [
    "A fine film, a FINE film!<br />Not fine...",
    "don't DON’T don''t 'quoted' rock'n'roll l’été",
    "<b>bold</b> < not a tag> <!-- a comment --> <unclosed a <i>",
    "ÄÖÜ straße ΣΊΣΥΦΟΣ İstanbul ǅ Ⅷ ﬁlm",
    "snake_case x86 3.14 1,000 50% C++ ---- !!??!!",
    "很好的电影 とても เยี่ยม 👍👍👍🏽 e\u0301",
    "   \t \u00a0\u2003 ",
    "",
    "<br>",
    "a<" + "b" * 200 + ">c a<" + "b" * 202 + ">c",
    " ".join(f"w{number}" for number in range(40)),
]


@needs_compiler
@pytest.mark.parametrize("most", [16, 7, 1])
def test_texts_become_the_numbers_of_the_training(most: int, tmp_path: Path) -> None:
    chance = random.Random(3)
    pieces = ["<", ">", "/", "br", "a", "B", "'", "’", "!", "!", " ", "\n", "_", "9", "Ж", "é", "\u0301", "中", "İ"]
    drawn = ["".join(chance.choices(pieces, k=chance.randrange(60))) for _ in range(300)]
    anything = ["".join(chr(chance.choice([chance.randrange(1, 0xD800), chance.randrange(0xE000, 0x3FFFF)]))
                        for _ in range(40)) for _ in range(100)]  # fmt: skip
    texts = [*TEXTS, *drawn, *anything]
    vocabulary = Vocabulary.fit(texts[:200] + TEXTS, size=150, minimum_count=1)
    metadata: Mapping[str, object] = {"vocabulary": vocabulary.to_dict(), "max_tokens": most}
    words = words_of(metadata, "t")
    assert words is not None and words.most == most
    header = f"#include <stddef.h>\n#include <stdint.h>\n{words.declarations}\n"
    files = {"words.h": header, "words.c": f'#include "words.h"\n\n{words.code}', "main.c": TOKENISE}
    given = b"".join(text.encode() + b"\0" for text in texts)
    found = [[int(word) for word in line.split()] for line in printed(tmp_path, files, given=given).splitlines()]
    expected = vocabulary.encode(texts, most)
    for place, text in enumerate(texts):
        assert found[place] == expected.row(place).tolist(), text


TOKENISE_BYTES = """#include "words.h"

#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    static uint32_t tokens[T_TOKENS];
    for (int high = getchar(); high != EOF; high = getchar()) {
        const size_t length = 256u * (size_t)high + (size_t)getchar();
        char *const text = malloc(length > 0u ? length : 1u); /* no byte behind the text is its own */
        if (text == NULL || fread(text, 1, length, stdin) != length) {
            return 1;
        }
        const size_t count = t_tokenise_bytes(text, length, tokens);
        for (size_t i = 0; i < count; i++) {
            printf("%lu ", (unsigned long)tokens[i]);
        }
        putchar('\\n');
        free(text);
    }
    return 0;
}
"""


@needs_compiler
def test_texts_are_read_by_their_length_past_nul_characters(tmp_path: Path) -> None:
    chance = random.Random(5)
    pieces = ["\0", "\0", "<", ">", "br", "a", "B", "'", "!", " ", "é", "👍", "İ", "\ufffd"]
    texts = ["\0", "", "good\0film", "good\0\0 film", "<b\0>x", "a'\0b", "a\0'b", "<", "<b", "x\0", *TEXTS]
    texts += ["".join(chance.choices(pieces, k=chance.randrange(20))) for _ in range(300)]
    vocabulary = Vocabulary.fit(texts, size=60, minimum_count=1)
    assert {"\0", "\0\0"} < set(vocabulary.words)
    words = words_of({"vocabulary": vocabulary.to_dict(), "max_tokens": 12}, "t")
    assert words is not None
    header = f"#include <stddef.h>\n#include <stdint.h>\n{words.declarations}\n"
    files = {"words.h": header, "words.c": f'#include "words.h"\n\n{words.code}', "main.c": TOKENISE_BYTES}
    encoded = [text.encode() for text in texts]
    given = b"".join(len(each).to_bytes(2, "big") + each for each in encoded)
    compiler = find_compiler()
    flags = (*STRICT, *SANITISED) if compiler is not None and sanitises(compiler) else STRICT
    found = [[int(word) for word in line.split()] for line in printed(tmp_path, files, flags, given).splitlines()]
    expected = vocabulary.encode(texts, 12)
    for place, text in enumerate(texts):
        assert found[place] == expected.row(place).tolist(), text


def test_other_vocabularies_are_given_as_numbers() -> None:
    assert words_of({}, "t") is None
    letters = Vocabulary(["a"], "characters").to_dict()
    assert words_of({"vocabulary": letters, "max_tokens": 9}, "t") is None


ERRORS = """#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

HELPERS

int main(void)
{
    double worst[3] = {0.0, 0.0, 0.0};
    for (double x = -86.9; x < 86.9; x += 1e-4) {
        const float f = (float)x, g = f / 8.0f;
        const double found[3] = {
            f > 0.0f ? 0.0 : (double)exponentialf(f) / exp((double)f) - 1.0,
            (double)sigmoidf(f) * (1.0 + exp(-(double)f)) - 1.0,
            g < 0.0f || g > 0.0f ? (double)hyperbolicf(g) / tanh((double)g) - 1.0 : 0.0,
        };
        for (int i = 0; i < 3; i++) {
            worst[i] = fabs(found[i]) > worst[i] ? fabs(found[i]) : worst[i];
        }
    }
    printf("%g %g %g\\n", worst[0], worst[1], worst[2]);
    printf("%d %d %g %g %g\\n", isnan(sigmoidf(NAN)) != 0, isnan(hyperbolicf(NAN)) != 0, (double)hyperbolicf(-1e30f),
           (double)sigmoidf(INFINITY), (double)hyperbolicf(0.0f));
    return 0;
}
"""


@needs_compiler
def test_own_functions_have_the_errors_that_they_state(tmp_path: Path) -> None:
    helpers = Helpers()
    for name in ("exponential", "sigmoid", "hyperbolic"):
        helpers.need(name)
    files = {"main.c": ERRORS.replace("HELPERS", helpers.text)}
    for flags in (("-O0",), FAST):
        errors, edges = printed(tmp_path, files, (*STRICT, *flags)).splitlines()
        exponential, sigmoid, hyperbolic = map(float, errors.split())
        assert 1e-8 < exponential < 1e-7 and 1e-8 < sigmoid < 2e-7 and 1e-8 < hyperbolic < 2e-7
        assert edges == "1 1 -1 1 0"
