"""What the page of `gatewise explain` is sent: readings, reasons, refusals."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil
import socket
import subprocess
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from page_frames import decoded

from gatewise.errors import OptionError
from gatewise.inspection.gates import gate_maps
from gatewise.inspection.neighbours import store_states
from gatewise.inspection.reasons import Stopped
from gatewise.nn import Recurrent
from gatewise.serving.explain import show
from gatewise.serving.explain.app import STATIC, guarded_page
from gatewise.serving.explain.meanings import equation_form, gate_meaning
from gatewise.serving.explain.networks import Networks, Question
from gatewise.serving.explain.payload import place_id, places_of
from gatewise.serving.running import running
from gatewise.training.kind import RecurrentInputs

TEXT = "the wonderful film, a <script>alert(1)</script> dreadful plot"
PLACE = re.compile(r"\{([^{}:]+?)(-1|:atanh)?\}")


@pytest.fixture(scope="module")
def networks(pair: list[Path]) -> Networks:
    return Networks(pair)


@pytest.fixture(scope="module")
def url(networks: Networks) -> Iterator[str]:
    with running(guarded_page(networks)) as address:
        yield address


def test_a_reading_arrives_as_it_is(networks: Networks) -> None:
    for network in networks.networks:
        question = Question(text=TEXT)
        reading = network.reading(question)
        for place in places_of(reading):
            header, array = decoded(network.frame(question, place_id(place)))
            kept = [gate for gate in reading.gates if gate.place == place]
            assert header["place"] == place_id(place) and header["names"] == list(reading.names)
            assert [gate["name"] for gate in header["gates"]] == [gate.name for gate in kept]
            assert np.array_equal(array(header["after"]), reading.after.astype(np.float32))
            assert sorted(array(header["order"])) == list(range(kept[0].values.shape[1]))
            for sent, gate in zip(header["gates"], kept, strict=True):
                assert np.array_equal(array(sent["values"]), gate.values)
            text = "".join(step["before"] + step["text"] for step in header["steps"]) + header["tail"]
            assert text == TEXT


@pytest.mark.parametrize(("bits", "error"), [(16, 3e-5), (8, 6e-3)])
def test_fewer_bits_change_the_values_by_half_a_level(networks: Networks, bits: int, error: float) -> None:
    network, question = networks.networks[1], Question(text=TEXT)
    header, array = decoded(network.frame(question, None, bits=bits))
    exact = {
        gate.name: gate.values for gate in network.reading(question).gates if place_id(gate.place) == header["place"]
    }
    assert len(header["gates"]) == 6
    for gate in header["gates"]:
        span = np.ptp(exact[gate["name"]])
        assert np.abs(array(gate["values"]) - exact[gate["name"]]).max() <= max(1.0, span) * error


CELLS = [
    ("rnn", {}),
    ("lstm", {}),
    ("lstm", {"coupled": True}),
    ("lstm", {"peephole": True}),
    ("lstm", {"proj_size": 3}),
    ("gru", {}),
    ("gru", {"reset": "before"}),
    ("gru", {"update": "replace"}),
    ("mingru", {}),
    ("minlstm", {}),
]


@pytest.mark.parametrize(("cell", "options"), CELLS)
def test_equations_give_the_numbers_they_show(cell: str, options: dict[str, Any]) -> None:
    torch.manual_seed(4)
    layers = Recurrent(cell, 3, 5, bidirectional=True, cell_options=options).eval()
    given = RecurrentInputs(layers, 2 * torch.randn(6, 1, 3), None)
    known = dict(layers._cells[0].options())
    form = equation_form(cell, known, plain=True)
    assert form
    for direction, before in (("forward", -1), ("backward", 1)):
        maps = {gate.name: gate.values for gate in gate_maps({"r": given}) if gate.direction == direction}

        def number(found: re.Match[str], step: int, unit: int, maps: Any = maps, before: int = before) -> str:
            name, how = found.groups()
            place = step + before if how == "-1" else step
            value = float(maps[name][place, unit]) if 0 <= place < 6 else 0.0
            return repr(float(np.arctanh(value)) if how == ":atanh" else value)

        for line in form:
            for step in range(6):
                written = PLACE.sub(lambda found, step=step: f"({number(found, step, 2)})", line.numbers)
                left, right = written.replace("−", "-").replace("·", "*").split("=")
                assert eval(left) == pytest.approx(eval(right, {"tanh": np.tanh}), abs=2e-6)


def test_every_gate_of_a_built_in_cell_is_explained() -> None:
    for cell, options in CELLS:
        layers = Recurrent(cell, 3, 5, cell_options=options)
        for gate in gate_maps({"r": RecurrentInputs(layers.eval(), torch.ones(2, 1, 3), None)}):
            assert not gate_meaning(cell, gate.name, gate.role, options).startswith(
                ("A gate of this", "What this cell")
            )


def test_the_page_is_served_with_a_strict_policy(url: str) -> None:
    answer = httpx.get(f"{url}/")
    policy = answer.headers["content-security-policy"]
    assert answer.status_code == 200 and "default-src 'none'" in policy and "unsafe" not in policy
    assert "<script>" not in answer.text and "style=" not in answer.text
    for name in ("main.js", "explain.css", "family.css"):
        found = httpx.get(f"{url}/static/{name}")
        assert found.status_code == 200 and found.headers["x-content-type-options"] == "nosniff"
    for name in ("nothing.js", "index.html", "..%2fapp.py", "%2e%2e/app.py"):
        assert httpx.get(f"{url}/static/{name}").status_code == 404


def test_other_hosts_and_origins_are_refused(url: str) -> None:
    question = {"run": 0, "text": "a film"}
    assert httpx.post(f"{url}/api/read", json=question).status_code == 200
    foreign = httpx.post(f"{url}/api/read", json=question, headers={"origin": "https://example.org"})
    named = httpx.get(f"{url}/api/page", headers={"host": "example.org"})
    assert (foreign.status_code, named.status_code) == (403, 421)
    # `gatewise explain` has no option that would let them in
    assert "not called by that name" in named.text and "--allow" not in foreign.text + named.text


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ({"run": 7, "text": "a"}, "there is no run 7"),
        ({"run": 0}, "there is nothing to read"),
        ({"run": 0, "text": " \n "}, "nothing to read"),
        ({"run": 0, "text": "x" * 200_000}, "the text is too long"),
        ({"run": 0, "example": 99}, "there is no example 99"),
        ([1], "no object"),
    ],
)
def test_questions_that_cannot_be_answered_say_why(url: str, question: Any, words: str) -> None:
    answer = httpx.post(f"{url}/api/read", json=question)
    assert answer.status_code == 422 and words in answer.json()["message"]


def test_a_body_that_is_too_long_is_refused_whether_or_not_it_states_its_length(url: str) -> None:
    for content in (b"x" * 1_100_000, iter([b"x" * 600_000] * 2)):
        answer = httpx.post(f"{url}/api/read", content=content)
        assert answer.status_code == 413 and "longer" in answer.json()["error"]["message"]
    assert httpx.get(f"{url}/api/read").status_code == 405


def test_an_input_that_another_thread_forgets_is_still_read(networks: Networks) -> None:
    class Forgetful(OrderedDict[Question, Any]):
        def __contains__(self, key: object) -> bool:
            return self.pop(key, None) is not None

        def get(self, key: Question, default: Any = None) -> Any:
            return self.pop(key, default)

    network = dataclasses.replace(networks.networks[0], _inputs=Forgetful())
    for _ in range(2):
        assert network.input_of(Question(text=TEXT)).text == TEXT


def test_the_page_asks_again_after_any_failure() -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    code = (
        f"import {{ Latest, LiveSource, Refused }} from {json.dumps((STATIC / 'source.js').as_uri())};"
        "const said = [];"
        "const latest = new Latest(async (q) => { if (q === 1) throw Error('x'); return q; }, (a) => said.push(a),"
        "  () => { throw Error('while failing'); });"
        "const first = latest.request(1).catch((error) => said.push(error.message));"
        "latest.request(2); await first; await latest.request(3);"
        "globalThis.setTimeout = () => {};"
        "const source = new LiveSource(); source.onReach = (reached) => said.push(reached);"
        "globalThis.fetch = async () => ({ ok: true, json: async () => { throw TypeError('cut off'); } });"
        "await source.more({}).catch((error) => said.push(error.message));"
        "globalThis.fetch = async () => ({ ok: false, json: async () => ({ error: { message: 'too long' } }) });"
        "await source.more({}).catch((error) => said.push(error instanceof Refused && error.message));"
        "console.log(JSON.stringify(said));"
    )
    command = [node, "--input-type=module", "-e", code]
    found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout
    assert json.loads(found) == [2, "while failing", 3, False, "cut off", True, "too long"]


def test_reasons_and_equations_come_over_the_wire(url: str, networks: Networks) -> None:
    given = {"run": 1, "text": TEXT}
    found = httpx.post(f"{url}/api/reasons", json={**given, "target": "sad"}, timeout=60).json()
    reading = networks.networks[1].reading(Question(text=TEXT))
    assert found["target"] == "sad" and len(found["values"]) == len(reading.input.steps)
    assert sum(found["values"]) == pytest.approx(
        found["score_at_input"] - found["score_at_baseline"], rel=0.011, abs=1e-3
    )
    assert len(found["removal"]["by_reasons"]) == len(found["removal"]["removed"])
    place = place_id(places_of(reading)[-1])
    lines = httpx.post(f"{url}/api/equation", json={**given, "place": place, "step": 1, "unit": 3}).json()["lines"]
    assert any(line.startswith("cell ") for line in lines)
    refused = httpx.post(f"{url}/api/reasons", json={**given, "method": "tea leaves"})
    assert refused.status_code == 422 and "integrated-gradients" in refused.json()["message"]


def test_reasons_stop_when_they_are_not_wanted_any_more(networks: Networks) -> None:
    looks = iter([False, True])
    with pytest.raises(Stopped):
        networks.networks[0].reasons(Question(text=TEXT), None, "integrated-gradients", lambda: next(looks))
    whole = networks.networks[0].reasons(Question(text=TEXT), None, "integrated-gradients")
    assert whole["complete"]


def test_runs_that_read_something_else_are_refused(pair: list[Path], runs: Callable[[str], Path]) -> None:
    with pytest.raises(OptionError, match="do not read the same kind of input"):
        Networks([pair[0], runs("series")])
    with pytest.raises(OptionError, match="too many runs"):
        Networks([pair[0]] * 4)


EVERY = ["characters", "words", "tags", "series", "probe", "both", "translations"]


# pictures take long; the test of their patches is the fast one
@pytest.mark.parametrize("name", [*EVERY, pytest.param("pictures", marks=pytest.mark.slow)])
def test_every_kind_reads_and_gives_reasons(runs: Callable[[str], Path], name: str) -> None:
    networks = Networks([runs(name)])
    page = networks.describe()
    assert page["examples"] and page["text"] == (name not in ("series", "probe", "pictures"))
    network, question = networks.networks[0], Question(example=0)
    header, array = decoded(network.frame(question, None))
    assert array(header["after"]).shape == (len(header["steps"]), len(header["names"]))
    assert header["gates"] and header["shows"] in [gate["name"] for gate in header["gates"]]
    assert ("series" in header) == (name in ("series", "probe"))
    assert ("picture" in header) == (name == "pictures")
    reasons = network.reasons(question, None, "gradient-x-input", with_removal=False)
    assert len(reasons["values"]) == len(header["steps"]) and np.isfinite(reasons["values"]).all()


def test_written_words_come_with_attention_and_reasons(runs: Callable[[str], Path]) -> None:
    network = Networks([runs("translations")]).networks[0]
    question = Question(text="we say two five.")
    header, array = decoded(network.frame(question, None))
    given, written = network.input_of(question), header["written"]
    assert header["at"] is None and written["place"] == given.place
    attention = array(written["attention"])
    assert attention.shape == (len(given.written), len(given.steps)) and attention.sum(axis=1) == pytest.approx(1)
    assert "".join(each["before"] + each["text"] for each in written["steps"][:-1]) == network.reader.drafts(given)[-1]
    last = Question(text=question.text, word=10**9)
    assert decoded(network.frame(last, None))[0]["written"]["place"] == len(given.written) - 1
    table = network.writing(question, "gradient-x-input").record()
    assert table["reasons"][0] == pytest.approx(
        network.reasons(Question(text=question.text, word=0), None, "gradient-x-input")["values"], abs=2e-5
    )
    decoder = next(place for place in map(place_id, places_of(network.reading(question))) if "decoder" in place)
    gates = decoded(network.frame(question, decoder))[0]["gates"]
    assert network.more(question)["flow"]["unit"] == "token", "of the encoder's first layer"
    hidden = next(gate for gate in gates if gate["name"] == "hidden")
    assert not hidden["aligned"] and hidden["values"]["shape"][0] == len(given.written) and "before" in hidden


def test_a_picture_comes_with_its_patches(runs: Callable[[str], Path]) -> None:
    network = Networks([runs("pictures")]).networks[0]
    question = Question(example=0)
    header, _ = decoded(network.frame(question, None))
    given, picture = network.input_of(question), header["picture"]
    assert picture["rows"] * picture["columns"] == len(header["steps"]) == len(given.steps)
    assert base64.b64decode(picture["png"].partition("data:image/png;base64,")[2]) == given.picture.png
    table = network.writing(question, "gradient-x-input").record()
    assert all(row == sorted(row, key=lambda each: -each[1]) for row in table["following"])
    assert len(table["following"]) == len(table["names"]) == len(given.written)
    # the layers walk over the words: what a unit keeps is counted in steps, and neighbours are found by words
    facts = network.more(question)["facts"]["decoder/0/forward"]
    assert any("steps" in each or "everything" in each for each in facts) and not any(
        "patches" in each for each in facts
    )
    found = network.neighbours(question, None, 0)["found"]
    assert found and all(each["example"] != 1 for each in found)
    flow = network.more(question)["flow"]
    assert flow["unit"] == "written word"
    assert all(len(line["values"]) == (given.place or 0) + 1 for line in flow["lines"]), "up to the word explained"


def test_the_page_names_the_data_of_all_its_runs(runs: Callable[[str], Path], tmp_path: Path) -> None:
    networks = Networks([runs("words")])
    other = Networks([runs("words")]).networks[0]
    spec = other.trained.spec
    other.trained.spec = replace(spec, data=replace(spec.data, data=str(tmp_path / "other.txt")))
    networks.networks.append(other)
    assert networks.describe()["kicker"] == "Gatewise · text.txt + other.txt · language modelling"


def test_changed_numbers_are_read_as_if_they_had_been_measured(runs: Callable[[str], Path]) -> None:
    network = Networks([runs("series")]).networks[0]
    example = network.input_of(Question(example=0))
    rows = tuple(map(tuple, example.values.tolist()))
    measured = network.reading(Question(example=0))
    same = network.reading(Question(example=0, values=rows))
    assert same.after == pytest.approx(measured.after, abs=1e-9) and same.input.title == example.title
    higher = np.array(rows)
    higher[-1, 0] += 5
    moved = network.reading(Question(example=0, values=tuple(map(tuple, higher.tolist()))))
    assert moved.final[0] > measured.final[0] and moved.after[:-1] == pytest.approx(measured.after[:-1], abs=1e-9)


@pytest.mark.parametrize(
    ("path", "more", "words"),
    [
        ("read", {"values": "no"}, "no table of numbers"),
        ("read", {"values": [[1.0, 2.0]]}, "does not fit the network"),
        ("read", {"values": [[1.0, float("nan")]] * 12}, "does not fit the network"),
        ("read", {"values": [[1.0, 10**400]] * 12}, "too large"),
        ("written", {}, "writes nothing"),
        ("neighbours", {"step": 3, "units": [1, 99]}, "no such unit"),
        ("neighbours", {"step": 3, "units": [10**40]}, "no such unit"),
        ("neighbours", {"step": 10**40}, "there is no step"),
        ("neighbours", {"step": 3, "units": "all"}, "neighbours need a step and units"),
        ("neighbours", {"step": 3, "place": "nowhere/0/forward"}, "there is no layer"),
    ],
)
def test_what_else_cannot_be_answered_says_why(windows_url: str, path: str, more: dict[str, Any], words: str) -> None:
    content = json.dumps({"run": 0, "example": 0, **more})
    answer = httpx.post(f"{windows_url}/api/{path}", content=content, timeout=60)
    assert answer.status_code == 422 and words in answer.json()["message"]


@pytest.fixture(scope="module")
def windows_url(runs: Callable[[str], Path]) -> Iterator[str]:
    with running(guarded_page(Networks([runs("series")]))) as address:
        yield address


def test_neighbours_and_sweeps_are_those_of_the_measurements(windows_url: str, runs: Callable[[str], Path]) -> None:
    given = {"run": 0, "example": 1, "step": 5}
    found = httpx.post(f"{windows_url}/api/neighbours", json={**given, "units": [0, 2]}, timeout=60).json()
    network = Networks([runs("series")]).networks[0]
    states = store_states(network.reader, network.reader.examples(200))
    own = store_states(network.reader, [network.examples[1]])
    moment = network.examples[1].steps[5].label  # windows overlap: those that hold the same day are no others
    without = [n for n, each in enumerate(states.inputs) if moment in [step.label for step in each.steps]]
    assert 1 < len(without) < len(states.inputs)
    near = states.nearest(own.values[5], units=[0, 2], without=without)
    assert [each["example"] for each in found["found"]] == [each.example + 1 for each in near]
    assert f"{len(states.values):,} states of {len(states.inputs)} test examples, by units 0, 2" in found["sentence"]
    sweeps = httpx.post(f"{windows_url}/api/parallel", json=given, timeout=60).json()
    assert sweeps["layers"][0]["full"]["outcome"] == "settled" and "Lyapunov" in sweeps["sentence"]


def test_a_port_in_use_is_said_before_anything_is_loaded(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OptionError, match=f"port {port} is in use"):
            show([tmp_path / "no run"], port=port, browser=False)
