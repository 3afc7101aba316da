"""Networks on arrays: how a `gatewise.training.arrays.ArrayKind` trains, predicts and is inspected."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call

from gatewise.errors import DataError, OptionError
from gatewise.files import refuse_newer, write_text
from gatewise.nn import Recurrent
from gatewise.statistics.measure import Measure
from gatewise.training.arrays import SIZES_FILE, ArrayDataset, ArrayKind, checked_inputs
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation, Problem, StepLoss
from gatewise.training.reader import Reader
from gatewise.training.request import check_out
from gatewise.training.row_streaming import RowStreaming, columns_of
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec
from gatewise.training.streaming import numbers_of

if TYPE_CHECKING:
    from gatewise.export.graph import Example, Graph
    from gatewise.training.streaming import Streaming

__all__ = ["ArrayProblem", "LastStep", "TrainedArrays", "open_arrays"]

Array = npt.NDArray[Any]
_BATCH = 256
_FORMAT_VERSION = 1


class LastStep(nn.Module):
    """Recurrent layers and a linear head on the last step: (T, B, I) -> (B, O).

    Example:
        >>> LastStep(3, 2, cell="lstm", hidden_size=5)(torch.zeros(7, 4, 3)).shape
        torch.Size([4, 2])
    """

    def __init__(self, features: int, outputs: int, *, cell: str, hidden_size: int, **layers: Any) -> None:
        super().__init__()
        self.recurrent = Recurrent(cell, features, hidden_size, **layers)
        self.head = nn.Linear(hidden_size * (2 if layers.get("bidirectional") else 1), outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Outputs after the last step."""
        output, _ = self.recurrent(x)
        predictions: Tensor = self.head(output[-1])
        return predictions


class ArrayProblem(Problem):
    """A network and its training sequences."""

    def __init__(self, kind: ArrayKind, model: nn.Module, dataset: ArrayDataset, spec: RunSpec) -> None:
        self.kind, self.model, self.dataset = kind, model, dataset
        self.batch_size, self.seed, self.device = spec.training.batch_size, spec.training.seed, spec.training.device
        self.examples_per_epoch = len(dataset.parts["train"])
        self.steps_per_epoch = -(-self.examples_per_epoch // self.batch_size)
        self._order = dataset.parts["train"]

    @property
    def unit(self) -> str:  # type: ignore[override]
        """Of the kind."""
        return self.kind.unit

    @property
    def metric(self) -> Measure:  # type: ignore[override]
        """Of the kind."""
        return self.kind.measure(self.dataset)

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Shuffle; the order depends on seed and epoch alone."""
        self._order = np.random.default_rng([self.seed, epoch]).permutation(self.dataset.parts["train"])

    def loss(self, step: int) -> StepLoss:
        """The mean of the batch's losses."""
        rows = self.part.rows(self._order[step * self.batch_size : (step + 1) * self.batch_size])
        targets = torch.from_numpy(self.dataset.targets[rows]).to(self.device)
        loss = self.kind.losses(self.model(_time_first(self.dataset.inputs[rows]).to(self.device)), targets).mean()
        return StepLoss(loss, loss, len(rows))

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss and measure on the validation part."""
        rows = self.dataset.parts["validation"]
        predictions = _predictions(self.model, self.dataset.inputs[rows], weights, self.device)
        return dict(self.kind.evaluation(predictions, self.dataset.targets[rows], self.dataset).metrics)

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers."""
        layers: Any = self.model.recurrent
        reasons = dict.fromkeys(choice.reason for _, choice in layers.choices)
        return {"implementation": layers.kernel or "not run yet", "reason": "; ".join(reasons)}

    def probe(self) -> None:
        """Run the first batch."""
        rows = self.dataset.parts["train"][: self.batch_size]
        self.model(_time_first(self.dataset.inputs[rows]).to(self.device))

    def files(self) -> dict[str, dict[str, Any]]:
        """Sizes of the network."""
        sizes = {"features": self.dataset.inputs.shape[2], "outputs": self.kind.outputs(self.dataset)}
        return {SIZES_FILE: {"format_version": _FORMAT_VERSION, **sizes}}


class TrainedArrays(Trained):
    """A finished run of an `ArrayKind`."""

    def __init__(self, kind: ArrayKind, spec: RunSpec, model: nn.Module) -> None:
        self.kind, self.spec, self.model = kind, spec, model

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        rows = dataset.parts[part]
        return self.kind.evaluation(_predictions(self.model, dataset.inputs[rows]), dataset.targets[rows], dataset)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From arrays to predictions."""
        inputs = dataset.inputs[dataset.parts["test"]]
        return lambda count: _predictions(self.model, inputs[:count])

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about; a kind says more with `ArrayKind.reader`."""
        return self.kind.reader(self, dataset)

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The last steps of the first test sequences."""
        inputs = _time_first(dataset.inputs[dataset.parts["test"][:count]])[-steps:]
        layers: Any = self.model.recurrent
        return {"recurrent": RecurrentInputs(layers, inputs, None)}

    def graph(self) -> Graph:
        """``x`` (T, I) in, ``predictions`` (O,) out, where the network is `LastStep`."""
        if type(self.model) is not LastStep:
            return super().graph()
        from gatewise.export.graph import GraphBuilder
        from gatewise.export.graph.layers import add_recurrent

        build = GraphBuilder(self.spec.task)
        x = build.input("x", "T", self.model.recurrent.input_size, meaning="a sequence")
        last = build.pool(add_recurrent(build, "recurrent", self.model.recurrent, x), "last")
        build.output("predictions", build.linear(last, self.model.head.weight, self.model.head.bias, "head"))
        return build.graph({"task": self.spec.task})

    def graph_examples(self, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
        """Sequences of a part with their predictions."""
        from gatewise.export.graph import Example, spread

        rows = dataset.parts[part]
        inputs = dataset.inputs[rows[spread(len(rows), count)]]
        answers = zip(inputs, _predictions(self.model, inputs), strict=True)
        return [Example({"x": row}, {"predictions": found}) for row, found in answers]

    def graph_scores(self, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure]:
        """What predictions for test sequences contribute."""
        from gatewise.export.graph import spread

        rows = dataset.parts["test"]
        targets = dataset.targets[rows[spread(len(rows), len(outputs))]]
        answers = np.stack([each["predictions"] for each in outputs])
        return self.kind.contributions(answers, targets), self.kind.measure(dataset)

    input_schema: ClassVar[Mapping[str, Any]] = {
        "type": "array",
        "items": {"type": "array", "items": {"type": "number"}},
        "description": "a sequence: rows of numbers",
    }

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The prediction for each sequence."""
        layers: Any = self.model.recurrent
        found = []
        for each in inputs:
            rows = numbers_of({"values": each}, columns_of(layers.input_size)).astype(np.float32)
            if not len(rows):
                raise DataError("the sequence has no row", expected="at least one")
            found.append({"prediction": _predictions(self.model, rows[None])[0].tolist()})
        return found

    def streaming(self) -> Streaming:
        """The prediction after every step, where the network is `LastStep`."""
        if not isinstance(self.model, LastStep):
            return super().streaming()
        return RowStreaming(self.model.recurrent, self.model.head, "prediction")

    def predict_command(self, request: Request) -> None:
        """Print the prediction for every sequence of a file, one JSON list a line, or write them to ``--out``."""
        check_out(request)
        inputs, _ = self._file(request)
        rows = _predictions(self.model, inputs)
        lines = "".join(json.dumps([round(float(value), 6) for value in row]) + "\n" for row in rows)
        if request.out is None:
            print(lines, end="")
            return
        write_text(request.out, lines)

    def evaluate_command(self, request: Request) -> None:
        """Print the figures on all sequences of a file as one JSON object."""
        inputs, targets = self._file(request)
        if targets is None or len(targets) != len(inputs):
            raise DataError(f"{request.file} has no target for each sequence", fix="name a file with targets")
        rows = np.arange(len(inputs))
        parts = {"train": rows[:0], "validation": rows[:0], "test": rows}
        dataset = ArrayDataset(str(request.file), "-", "-", inputs, targets, parts)
        print(json.dumps(self.test(dataset).metrics))

    def _file(self, request: Request) -> tuple[Array, Array | None]:
        if request.file is None:
            raise OptionError("there is no file to predict", fix=f"gatewise predict {request.run} --file FILE")
        found, targets = self.kind.read_file(
            dataclasses.replace(self.spec.data, data=str(request.file), **request.settings)
        )
        inputs = checked_inputs(str(request.file), found)
        trained = int(RunFolder(request.run).content(SIZES_FILE)["features"])
        if inputs.shape[2] != trained:
            raise DataError(
                f"the sequences of {request.file} have another width than the network",
                expected=f"{trained} numbers per step",
                got=inputs.shape[2],
            )
        return inputs, targets


def open_arrays(kind: ArrayKind, run: RunFolder) -> TrainedArrays:
    """The network of a finished run.

    Raises:
        RunError: the folder is damaged.
    """
    spec, sizes = run.spec(), run.content(SIZES_FILE)
    refuse_newer(sizes, _FORMAT_VERSION, run.path / SIZES_FILE)
    with torch.random.fork_rng():
        network = kind.network(spec.model, int(sizes["features"]), int(sizes["outputs"]))
    run.load_weights_into(network)
    return TrainedArrays(kind, spec, network.eval())


def _time_first(inputs: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(np.swapaxes(inputs, 0, 1)))


def _predictions(
    model: nn.Module, inputs: Array, weights: Mapping[str, Tensor] | None = None, device: str = "cpu"
) -> npt.NDArray[np.float64]:
    """Predictions of a network, set to evaluation mode: (N, O)."""
    model.eval()
    with torch.inference_mode():
        found = [
            (model(x) if weights is None else functional_call(model, dict(weights), (x,))).double().cpu().numpy()
            for start in range(0, len(inputs), _BATCH)
            for x in [_time_first(inputs[start : start + _BATCH]).to(device)]
        ]
    return np.concatenate(found)
