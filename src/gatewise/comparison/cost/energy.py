"""Energy used by the processor, from Intel's and AMD's running average power limit counters (RAPL)."""

from __future__ import annotations

from pathlib import Path

__all__ = ["EnergyMeter"]

_ROOT = Path("/sys/class/powercap")


class EnergyMeter:
    """Reads the counters of all processor packages; they count everything that runs, so nothing else should.

    Args:
        root: the kernel's folder of power counters.

    Example:
        >>> EnergyMeter(Path("/nowhere")).joules() is None
        True
    """

    def __init__(self, root: Path = _ROOT) -> None:
        self._counters: list[tuple[Path, int]] = []
        for folder in sorted(root.glob("intel-rapl:*")) if root.is_dir() else ():
            if folder.name.count(":") == 1:  # a package; its parts have a second number
                reading, most = _whole(folder / "energy_uj"), _whole(folder / "max_energy_range_uj")
                if reading is not None and most:
                    self._counters.append((folder / "energy_uj", most))
        self._start = self._readings()

    @property
    def available(self) -> bool:
        """Whether there is a counter that this user may read."""
        return bool(self._counters)

    def restart(self) -> None:
        """Count from now on."""
        self._start = self._readings()

    def joules(self) -> float | None:
        """Energy of all packages since the start, one overflow of each counter allowed for; None: not readable."""
        now = self._readings()
        if not self._counters or None in now or None in self._start:
            return None
        total = 0
        for (_, most), before, after in zip(self._counters, self._start, now, strict=True):
            assert before is not None and after is not None
            total += after - before if after >= before else after - before + most
        return total / 1e6

    def _readings(self) -> list[int | None]:
        return [_whole(path) for path, _ in self._counters]


def _whole(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
