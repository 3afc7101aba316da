"""What the estimators of all kinds have in common: arguments derived from the specs, training, saving, opening."""

from __future__ import annotations

import dataclasses
import inspect
import tempfile
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from gatewise import files
from gatewise.errors import OptionError, RunError, did_you_mean
from gatewise.training.assembly import setting_fields, settings_in
from gatewise.training.checks import check_threads
from gatewise.training.events import Listener, RunResult
from gatewise.training.kind import Kind, Trained
from gatewise.training.registry import kind_of
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import TrainingSpec

__all__ = ["RunEstimator", "plain"]

_PARAMETERS = "estimator.json"
_FORMAT_VERSION = 1
_PRETRAINING = "pretraining"
_NOT_DATA = ("data", "download", "test", "examples")


class RunEstimator(BaseEstimator):  # type: ignore[misc]
    """An estimator in scikit-learn's manner whose arguments are the settings of a kind of problem.

    A subclass names its kind: ``class TextClassifier(RunEstimator, task="classification", first=("cell",))``; it then
    has a constructor with every setting of data, model and training, their defaults and an ``Args`` section in place
    of ``{settings}`` in its docstring. Works in ``clone``, with ``get_params`` and ``set_params``.

    Class arguments:
        task: name of the kind.
        first: settings that may be given by position.
        omit: settings of the data that come with `fit`'s own arguments.
    """

    task: ClassVar[str]
    result_: RunResult
    _defaults: ClassVar[dict[str, Any]]
    _trained: Any
    _environment: dict[str, Any]
    _files: dict[str, Any]

    def __init_subclass__(
        cls, *, task: str | None = None, first: tuple[str, ...] = (), omit: tuple[str, ...] = (), **options: Any
    ) -> None:
        super().__init_subclass__(**options)
        if task is None:
            return
        kind = kind_of(task)
        cls.task = task
        found: dict[str, Any] = {}
        for part in ("data", "model", "training"):
            found |= setting_fields(task, part)
        found = {name: value for name, value in found.items() if name not in (*_NOT_DATA, *omit)}
        if kind.pretraining_spec is not None:
            found[_PRETRAINING] = None
        cls._defaults = {**{name: found[name] for name in first}, **found}
        cls.__init__ = _constructor(cls._defaults, first)  # type: ignore[method-assign]
        cls.__doc__ = (cls.__doc__ or "").replace("{settings}", _documentation(kind, cls._defaults))

    def save(self, folder: str | Path) -> Path:
        """Write the fitted network as a run folder (safetensors and JSON) that the command line can use too.

        Raises:
            RunError: the folder holds something else.
            StorageError: it cannot be written.
        """
        check_is_fitted(self)
        run = RunFolder(folder)
        run.claim(self.result_.spec, self._environment["data"]["fingerprint"])
        run.begin(self.result_.spec, self._environment, {**self._files, **self._own_files()})
        run.save_weights(self._trained.kept_weights())
        run.rewrite_metrics(self.result_.epochs)
        run.finish(self.result_)
        return run.path

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Open what `save` wrote, or any finished run of this kind.

        Raises:
            RunError: there is no finished run, or it is damaged or of another kind.
        """
        from gatewise.training.trained import load_run

        trained = load_run(folder)
        if trained.spec.task != cls.task:
            raise RunError(
                f"the run in {folder} is no {cls.task}",
                expected=f"a run of the task {cls.task}",
                got=trained.spec.task,
                fix=f"open it with gatewise.load_run({str(folder)!r})",
            )
        run = RunFolder(folder)
        result = run.result()
        if result is None:
            raise RunError(f"the run in {run.path} is not finished", fix="run its training command again to resume it")
        loaded = cls(**_parameters(cls, run, trained.spec))
        loaded._keep(run, trained, result)
        return loaded

    def _own_files(self) -> dict[str, dict[str, Any]]:
        """Files of the estimator besides those of its kind."""
        values = {name: _written(value) for name, value in self.get_params(deep=False).items()}
        return {_PARAMETERS: {"format_version": _FORMAT_VERSION, "parameters": values}}

    def _spec(self, data: str, **given: Any) -> RunSpec:
        """The run that the arguments describe.

        Args:
            data: name of the data.
            given: settings of the data that override the arguments.
        """
        kind = kind_of(self.task)
        values = {name: plain(getattr(self, name)) for name in self._defaults} | given
        check_threads(values["threads"])
        of_data = settings_in(kind, "data")
        return RunSpec(
            data=kind.data_spec(data, **{name: values[name] for name in of_data if name in values}),  # type: ignore[call-arg]
            model=kind.model_spec(**{name: values[name] for name in settings_in(kind, "model")}),
            training=TrainingSpec(**{name: values[name] for name in settings_in(kind, "training")}),
            pretraining=values.get(_PRETRAINING),
            task=self.task,
        )

    def _train(self, spec: RunSpec, dataset: Any, on_event: Listener | None) -> None:
        """Train in a temporary folder and keep the result."""
        from gatewise.training.loop import train_run
        from gatewise.training.trained import load_run

        with tempfile.TemporaryDirectory(prefix="gatewise-") as place:
            result = train_run(spec, dataset, Path(place) / "run", on_event=on_event)
            self._keep(RunFolder(result.folder), load_run(result.folder), result)

    def _keep(self, run: RunFolder, trained: Trained, result: RunResult) -> None:
        """Keep a finished run's result."""
        names = [name for name in kind_of(self.task).files if (run.path / name).is_file()]
        self._files = {name: files.read_json(run.path / name) for name in names}
        self._environment = files.read_json(run.path / "environment.json")
        self._trained, self.result_ = trained, result


def plain(value: Any) -> Any:
    """Numpy numbers, as parameter searches draw them, to Python's own."""
    return value.item() if isinstance(value, np.generic) else value


def _constructor(defaults: dict[str, Any], first: tuple[str, ...]) -> Any:
    """A constructor that keeps its arguments as they are; scikit-learn reads its signature."""

    def construct(self: Any, *positional: Any, **named: Any) -> None:
        if len(positional) > len(first):
            raise TypeError(f"at most {len(first)} arguments may be given by position: {', '.join(first)}")
        given = dict(zip(first, positional, strict=False))
        for name in named:
            if name not in defaults:
                raise OptionError(f"there is no setting {name!r}", fix=did_you_mean(name, defaults))
            if name in given:
                raise TypeError(f"{name} is given twice")
        for name, value in {**defaults, **given, **named}.items():
            setattr(self, name, value)

    kinds = {True: inspect.Parameter.POSITIONAL_OR_KEYWORD, False: inspect.Parameter.KEYWORD_ONLY}
    parameters = [inspect.Parameter(name, kinds[name in first], default=value) for name, value in defaults.items()]
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    construct.__name__ = construct.__qualname__ = "__init__"
    construct.__signature__ = inspect.Signature([own, *parameters])  # type: ignore[attr-defined]
    return construct


def _documentation(kind: Kind, defaults: dict[str, Any]) -> str:
    """The ``Args`` section: each setting's help."""
    known = {name: entry for part in ("data", "model", "training") for name, entry in settings_in(kind, part).items()}
    lines = [f"        {name}: {known[name].help}" for name in defaults if name in known]
    if _PRETRAINING in defaults and kind.pretraining_spec is not None:
        lines.append(f"        {_PRETRAINING}: An earlier phase, a `{kind.pretraining_spec.__name__}`; None for none.")
    return "\n".join(["Args:", *lines])


def _written(value: Any) -> Any:
    return (
        dataclasses.asdict(value) if dataclasses.is_dataclass(value) and not isinstance(value, type) else plain(value)
    )


def _parameters(cls: type[RunEstimator], run: RunFolder, spec: RunSpec) -> dict[str, Any]:
    """The arguments of a saved estimator; for a run that was not saved by one, those of its spec."""
    known = {**vars(spec.data), **vars(spec.model), **vars(spec.training), _PRETRAINING: spec.pretraining}
    found = {name: known[name] for name in cls._defaults}
    if not (run.path / _PARAMETERS).is_file():
        return found
    record = run.content(_PARAMETERS)
    files.refuse_newer(record, _FORMAT_VERSION, run.path / _PARAMETERS)
    written = record.get("parameters")
    if not isinstance(written, dict) or set(written) - set(found):
        raise RunError(f"{run.path / _PARAMETERS} is damaged", expected="parameters by name", fix="delete it")
    return {**found, **{name: value for name, value in written.items() if name != _PRETRAINING}}
