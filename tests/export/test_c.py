"""Every layer as C computes what it computes in torch, compiled without warnings; nothing else is handed out."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from export_cases import CELLS, SHAPES, WHOLE_FUZZ, layer_of, random_layer

import gatewise.export
from gatewise.data.vocabulary import Vocabulary
from gatewise.errors import ConversionError, OptionError
from gatewise.export.gaps import LIMIT, relative_gap
from gatewise.export.graph import Example, Graph, GraphBuilder
from gatewise.export.graph.layers import layer_graph
from gatewise.export.layers import layer_examples
from gatewise.export.to_c import check as check_module
from gatewise.export.to_c.check import check_source
from gatewise.export.to_c.compiler import FAST, STRICT, compile_program, find_compiler, sanitises
from gatewise.export.to_c.export import export_graph
from gatewise.export.to_c.harness import emit_harness, run_harness
from gatewise.export.to_c.helpers import Helpers
from gatewise.export.to_c.source import Source, emit_source
from gatewise.export.to_c.words import words_of
from gatewise.nn import GRU, LSTM, Cell, Recurrent, register_cell

torch.set_num_threads(1)
needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler")

EVERYDAY = {
    ("gru", "two layers, both directions"),
    ("gru before replace", "three residual layers"),
    ("lstm zoneout", "one layer"),
    ("gru before layer norm", "widths"),
    ("minlstm", "three layers"),
    ("own, many operations", "one layer"),
}
LONG = {("lstm projection", "two layers, both directions"), ("own, many operations", "two layers, both directions")}
TABLE = [
    pytest.param(cell, shape, marks=() if (cell, shape) in EVERYDAY else pytest.mark.slow)
    for place, cell in enumerate(CELLS)
    for turn, shape in enumerate(SHAPES)
    # each is compiled: one shape of every cell, in turn; all of them with GATEWISE_FUZZ=1, which takes seven minutes
    if WHOLE_FUZZ or (cell, shape) in EVERYDAY | LONG or (place + turn) % len(SHAPES) == 0
]


def _files(source: Source) -> dict[str, str]:
    return {f"{source.name}.c": source.code, f"{source.name}.h": source.header}


def _assert_exported(layer: Recurrent) -> None:
    """Whole sequences, and steps in turns with a second instance, see `gatewise.export.to_c.harness`."""
    source = emit_source(layer_graph(layer))
    compiled = check_source(source, layer_examples(layer), _files(source))
    assert compiled is not None
    assert compiled.check.greatest < LIMIT
    assert source.has_step != layer.bidirectional
    assert ("step by step, whole" in compiled.check.gaps) == source.has_step
    assert set(STRICT) <= set(compiled.flags)


@needs_compiler
@pytest.mark.parametrize(("cell", "shape"), TABLE)
def test_equals_the_layer(cell: str, shape: str) -> None:
    _assert_exported(layer_of(cell, shape))


@needs_compiler
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=() if seed < 1 else pytest.mark.slow) for seed in range(30 if WHOLE_FUZZ else 8)]
)
def test_random_layers(seed: int) -> None:
    _assert_exported(random_layer(seed)[0])


@needs_compiler
def test_states_that_are_each_others_old_values() -> None:
    @register_cell("test-export-delayed")
    class Delayed(Cell):
        gates = ("candidate",)
        states = ("hidden", "before", "older")

        def step(self, gates_x, state, weights, recurrent_mask=None):
            hidden, before, older = state
            candidate = torch.tanh(gates_x + self.recurrent(hidden, weights, recurrent_mask) - older)
            return {"candidate": candidate, "hidden": candidate, "before": hidden, "older": before}

    _assert_exported(Recurrent("test-export-delayed", 3, 4, num_layers=2))


@needs_compiler
def test_a_program_that_differs_leaves_no_file(tmp_path: Path) -> None:
    layer = GRU(3, 4)
    examples = layer_examples(layer)
    with torch.no_grad():
        layer.weight_hh_l0[0, 0] += 0.01
    with pytest.raises(ConversionError, match=r"differs from the trained network.*C, trained network: "):
        export_graph(layer_graph(layer), examples, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("aarch64-linux-gnu-gcc") is None or shutil.which("qemu-aarch64") is None,
    reason="no gcc for AArch64, or no qemu-user",
)
@pytest.mark.parametrize("cell", ["gru", "lstm peephole", "own, many operations", "gru layer norm zoneout"])
def test_computes_the_same_on_aarch64(cell: str, tmp_path: Path) -> None:
    layer = layer_of(cell, "two layers, both directions")
    source, examples = emit_source(layer_graph(layer)), layer_examples(layer)
    for name, text in {**_files(source), "check.c": emit_harness(source)}.items():
        (tmp_path / name).write_text(text)
    flags = (*STRICT, "-O3", "-ffp-contract=fast", "-static")
    compile_program(["aarch64-linux-gnu-gcc"], tmp_path, ["model.c", "check.c"], "check.elf", flags)
    program = tmp_path / "check"
    program.write_text(f'#!/bin/sh\nexec qemu-aarch64 "{tmp_path}/check.elf"\n')
    program.chmod(0o755)
    _, whole, _ = run_harness(program, source, [each.inputs for each in examples])
    found = [row["output"] for row in whole]
    assert relative_gap(found, [each.outputs["output"] for each in examples]) < LIMIT


@needs_compiler
@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("float cells[42]", "float cells[30]", "another size|ends with an error"),
        ("    return MODEL_OK;", "    return MODEL_BAD_LENGTH;", "exit code 5"),
        ("#include <math.h>", "#include <math.h>\nint unused", "does not compile"),
    ],
)
def test_a_program_that_fails_is_not_handed_out(written: str, instead: str, message: str) -> None:
    layer = GRU(3, 6)
    source = emit_source(layer_graph(layer))
    files = {name: text.replace(written, instead) for name, text in _files(source).items()}
    assert files != _files(source)
    with pytest.raises(ConversionError, match=message):
        check_source(source, layer_examples(layer), files)


@needs_compiler
def test_reading_beyond_the_end_is_found() -> None:
    """A mistake that changes no output: only the sanitisers see it."""
    layer = GRU(3, 6)
    source = emit_source(layer_graph(layer))
    compiler = find_compiler()
    assert compiler is not None
    if not sanitises(compiler):
        pytest.skip("the compiler has no sanitisers")
    beyond = source.code.replace(
        "    return MODEL_OK;\n}\n", "    return x[steps * 3] > 1e9f ? MODEL_BAD_TOKEN : MODEL_OK;\n}\n"
    )
    assert beyond.count("steps * 3") == 2
    wrong = beyond.replace("x[steps * 3]", "x[3]", 1)  # in model_step; there is no `steps`
    with pytest.raises(ConversionError, match="AddressSanitizer"):
        check_source(source, layer_examples(layer), {**_files(source), "model.c": wrong})


@needs_compiler
def test_a_network_outside_the_examples_lengths_is_refused() -> None:
    layer = GRU(3, 4, bidirectional=True)
    graph = layer_graph(layer)
    long = [each for each in layer_examples(layer) if len(each.inputs["x"]) > 5]
    source = emit_source(graph, most=5)
    with pytest.raises(ConversionError, match="at most 5 steps"):
        check_source(source, long, _files(source))


def test_without_a_compiler_it_says_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "find_compiler", lambda: None)
    layer = GRU(3, 4)
    made = export_graph(layer_graph(layer), layer_examples(layer), tmp_path)
    assert made.compiled is None
    assert json.loads((tmp_path / "export.json").read_text())["check"] is None
    assert "**Unchecked**" in (tmp_path / "README.md").read_text()


def test_no_library_but_math_and_no_allocation() -> None:
    for cell in ("gru", "own, many operations"):
        code = emit_source(layer_graph(layer_of(cell, "two layers, both directions"))).code
        included = {line.split()[1] for line in code.splitlines() if line.startswith("#include")}
        assert included == {'"model.h"', "<math.h>"}
        assert "alloc" not in code


def test_the_target_needs_no_torch() -> None:
    code = "import sys, gatewise.export.to_c.export; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds something else"):
        gatewise.export.c(GRU(2, 3), tmp_path)
    with pytest.raises(OptionError, match="cannot name functions"):
        gatewise.export.c(GRU(2, 3), tmp_path / "new", name="my-model")
    with pytest.raises(OptionError, match="max-steps"):
        gatewise.export.c(GRU(2, 3), tmp_path / "new", max_steps=0)
    with pytest.raises(OptionError, match="only recurrent layers"):
        gatewise.export.c(torch.nn.GRU(2, 3), tmp_path / "new")  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_what_c_cannot_express_is_named() -> None:
    build = GraphBuilder("tags")
    x = build.input("x", "T", 3)
    tags = build.viterbi(x, np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    build.output("found", build.embedding(tags, np.eye(3)))
    with pytest.raises(ConversionError, match=r"tags that are no output.*--to onnx"):
        emit_source(build.graph())


@needs_compiler
def test_an_older_export_is_replaced_and_one_to_onnx_is_not(tmp_path: Path) -> None:
    gatewise.export.c(GRU(2, 3), tmp_path / "out")
    made = gatewise.export.c(LSTM(2, 3), tmp_path / "out")
    assert set(made.files) == {"model.c", "model.h"}
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "export.json").write_text('{"target": "onnx"}')
    with pytest.raises(OptionError, match="holds something else"):
        gatewise.export.c(GRU(2, 3), tmp_path / "onnx")


# what a caller of the functions meets

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
    from gatewise.export.graph.layers import add_recurrent

    torch.manual_seed(0)
    build = GraphBuilder("tokens")
    embedded = build.embedding(build.tokens("tokens", 5), np.random.default_rng(0).normal(size=(5, 3)))
    output = add_recurrent(build, "recurrent", GRU(3, 4, bidirectional=True).eval(), embedded)
    build.output("answers", build.linear(build.pool(output, "last+max+mean", 2), np.ones((2, 24)) / 9))
    return build.graph()


@needs_compiler
def test_bad_lengths_and_tokens_are_refused_at_run_time(tmp_path: Path) -> None:
    source = emit_source(_tokens_graph(), "net", 9)
    for name, text in {**_files(source), "main.c": TOKENS}.items():
        (tmp_path / name).write_text(text)
    compiler = find_compiler()
    assert compiler is not None
    compile_program(compiler, tmp_path, ["net.c", "main.c"], "main", STRICT)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["-1 -1 -2 0", "1"]


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
    (tmp_path / "main.c").write_text(INTERLEAVED)
    compiler = find_compiler()
    assert compiler is not None
    compile_program(compiler, tmp_path, ["model.c", "main.c"], "main", STRICT)
    done = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1 1"] * 3


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
    (tmp_path / "words.h").write_text(f"#include <stddef.h>\n#include <stdint.h>\n{words.declarations}\n")
    (tmp_path / "words.c").write_text(f'#include "words.h"\n\n{words.code}')
    (tmp_path / "main.c").write_text(TOKENISE)
    compiler = find_compiler()
    assert compiler is not None
    compile_program(compiler, tmp_path, ["words.c", "main.c"], "main", STRICT)
    given = b"".join(text.encode() + b"\0" for text in texts)
    done = subprocess.run([tmp_path / "main"], input=given, capture_output=True, check=True)
    found = [[int(word) for word in line.split()] for line in done.stdout.decode().splitlines()]
    expected = vocabulary.encode(texts, most)
    for place, text in enumerate(texts):
        assert found[place] == expected.row(place).tolist(), text


def test_other_vocabularies_are_given_as_numbers() -> None:
    assert words_of({}, "t") is None
    letters = Vocabulary(["a"], "characters").to_dict()
    assert words_of({"vocabulary": letters, "max_tokens": 9}, "t") is None


@needs_compiler
def test_values_far_from_zero_and_nan() -> None:
    """Activations beyond their range: own exponentials are clamped, NaN goes on."""
    build = GraphBuilder("activations")
    x = build.input("x", "T", 6)
    names = ("tanh", "sigmoid", "softplus", "log_sigmoid", "relu", "softmax", "log_softmax", "sign")
    for name in names:
        build.output(name, build.apply(name, x))
    graph = build.graph()
    rows = [np.linspace(-6, 6, 60), np.array([-1e4, -90, -88, 88, 90, 1e4] * 5), np.geomspace(1e-6, 1e-1, 30)]
    examples = []
    from gatewise.export.graph import Interpreter

    for row in rows:
        inputs = {"x": row.reshape(-1, 6).astype(np.float32)}
        found = Interpreter(graph).run([inputs])
        examples.append(Example(inputs, {name: found[name][0] for name in names}))
    source = emit_source(graph)
    compiled = check_source(source, examples, _files(source))
    assert compiled is not None and compiled.check.greatest < 5e-7


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
    (tmp_path / "main.c").write_text(ERRORS.replace("HELPERS", helpers.text))
    compiler = find_compiler()
    assert compiler is not None
    for number, flags in enumerate((("-O0",), FAST)):
        compile_program(compiler, tmp_path, ["main.c"], f"main{number}", (*STRICT, *flags))
        done = subprocess.run([tmp_path / f"main{number}"], capture_output=True, text=True, check=True)
        errors, edges = done.stdout.splitlines()
        exponential, sigmoid, hyperbolic = map(float, errors.split())
        assert 1e-8 < exponential < 1e-7 and 1e-8 < sigmoid < 2e-7 and 1e-8 < hyperbolic < 2e-7
        assert edges == "1 1 -1 1 0"
