"""Captioning as a kind of problem. Imports no torch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatewise.errors import OptionError
from gatewise.kinds.captioning.spec import KNOWN, CaptionDataSpec, CaptionerSpec
from gatewise.training.amount import Amount
from gatewise.training.checks import flag
from gatewise.training.kind import Baseline, ExportedModel, Judgement, Kind, Request, Trained
from gatewise.training.settings import Spec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo
    from gatewise.kinds.captioning.dataset import CaptioningDataset
    from gatewise.kinds.captioning.exported import ExportedCaptioner
    from gatewise.kinds.captioning.problem import CaptioningProblem
    from gatewise.record import ModelEntry
    from gatewise.statistics import Measure
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["CaptioningKind"]

_SHOWN = 24
_REFERENCES = 3


class CaptioningKind(Kind):
    """A picture in, words out."""

    name: ClassVar[str] = "captioning"
    unit: ClassVar[str] = "pictures"
    data_spec: ClassVar[type[Spec]] = CaptionDataSpec
    model_spec: ClassVar[type[Spec]] = CaptionerSpec
    default_training: ClassVar[Mapping[str, Any]] = {
        "batch_size": 32,
        "learning_rate": 2e-3,
        "warm_up": 0.05,
        "averaging": 0.99,
    }
    amount: ClassVar[Amount] = Amount(steps=4_700, least=10, patience=20)
    known: ClassVar[tuple[str, ...]] = KNOWN
    files: ClassVar[tuple[str, ...]] = ("subwords.json", "pictures.json", "seen.json")
    resplit: ClassVar[str | None] = "split"
    commands: ClassVar[Mapping[str, str]] = {"caption": "gatewise.kinds.captioning.commands:caption"}
    estimators: ClassVar[Mapping[str, str]] = {"Captioner": "gatewise.kinds.captioning.estimator"}
    report: ClassVar[str | None] = "gatewise.kinds.captioning.report"

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """Drawn scenes, and the characters of a font."""
        from gatewise.kinds.captioning.dataset import caption_infos

        return caption_infos()

    def claims(self, path: Path) -> int:
        """Folders of pictures with a table of captions, and tables that name pictures."""
        from gatewise.kinds.captioning.places import names_pictures

        return 2 if names_pictures(path) else 0

    def check(self, spec: RunSpec) -> None:
        """Refuse pre-training, options of files with a known data set, and truth where it is not known."""
        super().check(spec)
        data = spec.data
        if data.data in self.known:
            for name in ("captions", "image_column", "caption_column", "test", "validation"):
                if getattr(data, name) is not None:
                    raise OptionError(
                        f"{flag(name)} does not go with the known data set {data.data!r}",
                        expected="a folder of your own",
                        fix=f"omit {flag(name)}, or give the path of a folder",
                    )
        if data.metric == "truth" and data.data != "scenes":
            raise OptionError(
                "truth is known of scenes alone", expected="exact, bleu or chrf", got=f"--metric truth of {data.data}"
            )

    def load(self, data: Any) -> CaptioningDataset:
        """Load, check and split the pictures; see `gatewise.kinds.captioning.dataset.load_captions`."""
        from gatewise.kinds.captioning.dataset import load_captions

        return load_captions(data)

    def problem(self, spec: RunSpec, dataset: Any) -> CaptioningProblem:
        """The network on its pictures."""
        from gatewise.kinds.captioning.trained import problem_of

        return problem_of(spec, dataset)

    def check_request(self, command: str, spec: RunSpec, request: Request) -> None:
        """Refuse pictures that are missing, and an output that cannot be written."""
        from gatewise.kinds.captioning.requests import check

        check(command, request)

    def check_exported_request(self, command: str, request: Request) -> None:
        """As `check_request`."""
        from gatewise.kinds.captioning.requests import check

        check(command, request)

    def open(self, run: RunFolder) -> Trained:
        """The captioner of a finished run."""
        from gatewise.kinds.captioning.trained import open_run

        return open_run(run)

    def exported(self, model: ExportedModel) -> ExportedCaptioner:
        """A captioner that was exported."""
        from gatewise.kinds.captioning.exported import ExportedCaptioner

        return ExportedCaptioner(model)  # type: ignore[arg-type]

    def baselines(self, data: Any) -> Sequence[Baseline]:
        """The nearest picture's caption, and the most frequent one."""
        from gatewise.kinds.captioning.baselines import FrequentBaseline, NearestBaseline

        return [NearestBaseline(), FrequentBaseline()]

    def measure(self, dataset: Any) -> Measure:
        """True captions of scenes, exact names of glyphs, else BLEU or chrF; or what ``--metric`` names."""
        from gatewise.kinds.captioning.figures import MEASURES

        return MEASURES[dataset.metric]

    def judgement(self, dataset: Any) -> Judgement:
        """Trivial: the most frequent caption for every picture."""
        from gatewise.kinds.captioning.baselines import most_frequent
        from gatewise.kinds.captioning.figures import MEASURES, contributions_of

        part = dataset.test
        rows = contributions_of(dataset.metric, [most_frequent(dataset)] * len(part), part)
        return Judgement(trivial=("one caption for all pictures", MEASURES[dataset.metric].of(rows)))

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Size and colours of the pictures, captions of each part, size of the vocabulary."""
        colours, size = dataset.shape
        return {
            "image_size": size,
            "colours": colours,
            "vocabulary_size": len(dataset.subwords),
            "captions": {
                part: sum(len(texts) for texts in getattr(dataset, part).captions)
                for part in ("train", "validation", "test")
            },
            "metric": dataset.metric,
        }

    def record(self, models: Sequence[ModelEntry], dataset: Any) -> dict[str, Any]:
        """The first test pictures with their captions, for the report."""
        import base64

        from gatewise.kinds.captioning.images import as_png

        part = dataset.test
        rows = zip(part.pixels[:_SHOWN], part.names, part.captions, strict=False)
        return {
            "drawn": dataset.name in KNOWN,
            "checked": bool(part.facts),
            "pictures": [
                {"name": name, "png": base64.b64encode(as_png(pixels)).decode(), "captions": list(texts[:_REFERENCES])}
                for pixels, name, texts in rows
            ],
        }

    def use(self, folder: Path) -> str:
        """Write the caption of a picture."""
        return f"gatewise caption {shlex.quote(str(folder))} picture.png"
