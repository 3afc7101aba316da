"""Run folders whose files a test changes."""

from __future__ import annotations

import json
from pathlib import Path


def without_checksums(run: Path) -> None:
    """Make a run as older versions wrote it, so that a changed file is read and not refused for its checksum."""
    place = run / "result.json"
    record = json.loads(place.read_text())
    del record["checksums"]
    place.write_text(json.dumps(record))
