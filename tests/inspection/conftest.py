"""The runs that the tests of this folder share."""

from __future__ import annotations

import pytest
from readable import Runs


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("readable"))
