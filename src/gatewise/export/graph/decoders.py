"""Decoders of `gatewise.nn.writer` as graphs: what they begin with, and one step of their writing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewise.errors import ConversionError
from gatewise.export.graph.graph import Graph, GraphBuilder
from gatewise.export.graph.layers import stack_of
from gatewise.export.graph.writing import NEXT, SCORES, TOKEN
from gatewise.nn import Recurrent
from gatewise.nn.attention import Attention
from gatewise.nn.writer import Writer

__all__ = ["add_beginning", "embedded", "step_graph"]


def embedded(build: GraphBuilder, tokens: str, table: Any, name: str) -> str:
    """Rows of an embedding as `Writer` scales them."""
    return build.apply("mul", build.embedding(tokens, table, name), float(table.shape[1] ** 0.5))


def add_beginning(build: GraphBuilder, model: Writer, values: str, summary: str) -> None:
    """Make what every step looks at outputs of the reading graph, and the first states.

    ``values`` with the ``keys`` (and ``again``, those of the second look), or without an attention the ``summary``.

    Args:
        build: of the reading graph.
        model: the network.
        values: what is attended to, a sequence.
        summary: all of it in one vector.
    """
    if model.attention is None:
        build.output("summary", summary)
    else:
        build.output("values", values)
        build.output("keys", _keys(build, model.attention, values, "attention"))
    if model.again is not None:
        build.output("again", _keys(build, model.again, values, "again"))
    first = build.apply("tanh", build.linear(summary, model.bridge.weight, model.bridge.bias, "bridge"))
    for name, start, width in _states(model):
        build.output(name, build.slice(first, start, start + width))


def step_graph(name: str, model: Writer, tokens: int, steps: int | str) -> Graph:
    """One step of the writing.

    ``token``, what `add_beginning` gives and the states in; ``log_probabilities`` (V,) of the next token, the
    ``attention`` (S, 1) where there is one (the last look), and the states out.

    Args:
        name: of the kind of problem.
        model: the network.
        tokens: V.
        steps: S, how many values there are; ``"T"``: as many as were read.
    """
    build = GraphBuilder(f"{name} step")
    token = build.tokens(TOKEN, tokens, steps=None, meaning="number of the subword before")
    width = model.bridge.in_features
    looks: list[tuple[Attention, str, str]] = []
    context = values = ""
    if model.attention is None:
        context = build.input("summary", None, width, meaning="what was read, in one vector")
    else:
        for each, called in ((model.attention, "keys"), (model.again, "again")):
            if each is not None:
                size = each.of_values.out_features
                keys = build.input(called, steps, size, meaning="what the state is compared with")
                looks.append((each, keys, "attention" if called == "keys" else "again"))
        values = build.input("values", steps, width, meaning="what was read, at each place")
    states = {name: build.input(name, None, size, meaning="a state") for name, _, size in _states(model)}
    table = model.target.weight
    before = embedded(build, token, table, "target.weight")
    read = before
    if model.feeding == "input":
        read = build.concat([before, build.input("fed", None, table.shape[1], meaning="the step before's readout")])
    hidden = _advance(build, "decoder", model.decoder, read, states)
    weights = seen = None
    if looks:
        weights, context = _look(build, looks[0], values, hidden)
        if model.again is not None and model.again.of_seen is not None:
            seen = _covered(build, weights, steps)
    if model.upper is not None:
        hidden = _advance(build, "upper", model.upper, build.concat([hidden, context]), states)
    if model.again is not None:
        weights, context = _look(build, looks[1], values, hidden, seen)
    if weights is not None:
        build.output("attention", weights)
    joined = build.concat([hidden, context, before] if model.direct else [hidden, context])
    found = build.apply("tanh", build.linear(joined, model.readout.weight, model.readout.bias, "readout"))
    if model.feeding == "input":
        build.output("fed" + NEXT, found)
    head = build.weight(model.head, "head.weight") if not model.tied else "target.weight"
    scores = build.product(found, head, build.weight(model.bias, "head.bias"))
    build.output(SCORES, build.apply("log_softmax", scores))
    return build.graph({"task": name})


def _keys(build: GraphBuilder, attention: Attention, values: str, name: str) -> str:
    return build.linear(values, attention.of_values.weight, attention.of_values.bias, f"{name}.of_values")


def _covered(build: GraphBuilder, weights: str, steps: int | str) -> str:
    """How much the first looks of the steps before attended to each value (S, 1); with this one it is a state."""
    if not isinstance(steps, int):
        raise ConversionError(
            "coverage of what may be of any length cannot be exported", fix="train without coverage, or export pictures"
        )
    before = build.input("seen", None, steps, meaning="how much was looked at each place so far")
    build.output("seen" + NEXT, build.apply("add", before, build.reshape(weights, None, steps)))
    return build.reshape(before, steps, 1)


def _look(
    build: GraphBuilder, look: tuple[Attention, str, str], values: str, hidden: str, seen: str | None = None
) -> tuple[str, str]:
    """The weights (S, 1) of an attention, and the mean of the values by them."""
    attention, keys, name = look
    if attention.score == "multiplicative":
        scores = build.apply("sum", build.apply("mul", keys, hidden))
    else:
        query = build.linear(hidden, attention.of_queries.weight, name=f"{name}.of_queries")
        fit = build.apply("tanh", build.apply("add", keys, query))
        scores = build.linear(fit, attention.sum[None], name=f"{name}.sum")
    if seen is not None:
        assert attention.of_seen is not None
        asked = build.linear(hidden, attention.of_seen.weight, name=f"{name}.of_seen")
        scores = build.apply("add", scores, build.apply("mul", seen, asked))
    weights = build.softmax_steps(scores)
    return weights, build.pool(build.apply("mul", values, weights), "sum")


def _states(model: Writer) -> list[tuple[str, int, int]]:
    """Name, first place in the bridge's output and width of every state, layer by layer."""
    found, start = [], 0
    for name, layer in (("decoder", model.decoder), ("upper", model.upper)):
        if layer is None:
            continue
        parts = layer.initial_state(1)
        parts = parts if isinstance(parts, tuple) else (parts,)
        names = [state.name for state in stack_of(name, layer)[0].layers[0].directions[0].states]
        starts = []
        for part in parts:  # as `Writer` cuts it: state by state, in each layer by layer
            starts.append(start)
            start += part.shape[0] * part.shape[2]
        for depth in range(layer.num_layers):
            for state, part, place in zip(names, parts, starts, strict=True):
                width = part.shape[2]
                found.append((f"{name}_l{depth}_{state}", place + depth * width, width))
    return found


def _advance(build: GraphBuilder, name: str, layer: Recurrent, value: str, states: Mapping[str, str]) -> str:
    stack, weights = stack_of(name, layer)
    names = [f"{name}_l{depth}_{s.name}" for depth, each in enumerate(stack.layers) for s in each.directions[0].states]
    output, *after = build.advance(stack, weights, value, [states[each] for each in names])
    for each, new in zip(names, after, strict=True):
        build.output(each + NEXT, new)
    return output
