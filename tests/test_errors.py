import inspect
import pickle

import pytest

from gatewise import errors
from gatewise.cli.app import render_error
from gatewise.errors import DataError, GatewiseError, StorageError, did_you_mean

KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, GatewiseError)]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_says_place_expectation_finding_and_fix(kind):
    error = kind("column 'a' is not in x.csv", expected="a column", got="b", fix="use --text b")
    assert str(error) == "column 'a' is not in x.csv; expected: a column; got: b; fix: use --text b"
    assert (error.message, error.expected, error.got, error.fix) == (
        "column 'a' is not in x.csv",
        "a column",
        "b",
        "use --text b",
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_errors_keep_their_parts_between_processes(kind):
    # multiprocessing sends errors this way; nothing of this is ever on disk
    sent = pickle.loads(pickle.dumps(kind("m", expected=1, got=2, fix="f")))  # noqa: S301
    assert type(sent) is kind
    assert str(sent) == "m; expected: 1; got: 2; fix: f"


def test_the_tree_in_the_docstring_is_the_tree():
    drawn = errors.__doc__
    for kind in KINDS:
        assert kind.__name__ in drawn
    assert issubclass(DataError, ValueError)
    assert issubclass(StorageError, OSError)


def test_suggestion_ignores_case_and_falls_back_to_the_list():
    assert did_you_mean("Reveiw", ["review", "label"]) == "did you mean 'review'?"
    assert did_you_mean("LABEL", ["review", "Label"]) == "did you mean 'Label'?"
    assert did_you_mean("zzz", ["review", "label"]) == "use one of: review, label"


def test_terminal_form_has_one_fact_per_line():
    text = render_error(DataError("no rows in x.csv", got="only a header", fix="add rows"))
    assert text.splitlines() == ["Error: no rows in x.csv", "  got: only a header", "  fix: add rows"]
