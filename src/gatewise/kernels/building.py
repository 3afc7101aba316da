"""Compiles the kernels: one shared object per instruction set, from the C++ sources beside this file.

Used by the package's ``setup.py`` while it installs, and by hand with ``python -m gatewise.kernels.building`` after a
compiler was added or a source changed. Needs the standard library only, no torch. The kernels need no headers of
Python; the binding, which only saves some of Python's time per call, does, and is left out where there are none.

The objects are linked *without* an OpenMP runtime: :mod:`gatewise.kernels.fused.library` binds them to the one that
torch has already loaded, so that both share one pool of threads.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gatewise.kernels.variants import Variant, variants_wanted

__all__ = [
    "BINDING",
    "BuildReport",
    "binding_key",
    "build",
    "build_binding",
    "compiler_command",
    "sources",
]

KERNELS = Path(__file__).resolve().parent
"""The folder with the kernels' sources."""

OUTPUT = KERNELS / "fused"
"""Where the shared objects are looked for."""

BINDING = "libgatewise-binding.so"
"""The file of :mod:`gatewise.kernels.fused.binding`, for the stable interface of CPython, the same from 3.11 on."""


_FLAGS = (
    "-O3",
    "-std=c++17",
    "-fPIC",
    "-fopenmp",
    "-fvisibility=hidden",
    "-ffp-contract=fast",
    "-fno-math-errno",
    "-fno-trapping-math",
    "-Wall",
    "-Wextra",
    "-Wno-psabi",
    "-Wno-unknown-pragmas",
)
_KEPT_SECONDS = 86_400.0
"""How long another build's object files are kept."""


@dataclass(frozen=True)
class BuildReport:
    """What a build did.

    Attributes:
        built: names of the variants whose shared object is now current.
        problem: one line that says why others are missing, and what was built instead; None when all are there.
        details: the compiler's own words about the first source that failed.
    """

    built: tuple[str, ...]
    problem: str | None = None
    details: str = ""


def sources(kernels: Path = KERNELS) -> list[Path]:
    """Every C++ source of the kernels: ``native/*.cpp`` and each cell's ``fused.cpp``.

    Example:
        >>> any(path.name == "fused.cpp" for path in sources())
        True
    """
    return sorted([*kernels.glob("native/*.cpp"), *kernels.glob("*/fused.cpp")])


def source_key(kernels: Path = KERNELS) -> str:
    """A fingerprint of all sources and headers, which each shared object carries.

    Example:
        >>> len(source_key())
        16
    """
    digest = hashlib.sha256()
    for path in [*sources(kernels), *_headers(kernels)]:
        digest.update(path.relative_to(kernels).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def compiler_command() -> list[str] | None:
    """The C++ compiler: ``CXX`` if set, else the first of g++, clang++, c++ on the path; None if there is none.

    Example:
        >>> command = compiler_command()
        >>> command is None or len(command) >= 1
        True
    """
    chosen = os.environ.get("CXX")
    if chosen:
        words = shlex.split(chosen)
        return words if shutil.which(words[0]) else None
    for name in ("g++", "clang++", "c++"):
        if shutil.which(name):
            return [name]
    return None


def build(
    output: Path = OUTPUT,
    *,
    kernels: Path = KERNELS,
    work: Path | None = None,
    extra_flags: Sequence[str] = (),
    variants: Sequence[Variant] | None = None,
    jobs: int | None = None,
) -> BuildReport:
    """Compile every variant into a folder. Never raises because of a compiler: the report says what went wrong.

    Sources are compiled in parallel, and only those whose text, headers or flags changed since the last build.

    Args:
        output: the folder that receives the shared objects.
        kernels: the folder with the sources.
        work: the folder for object files; default: a folder of the user's cache.
        extra_flags: added to the compiler's and linker's flags, as sanitizers need.
        variants: which; default: `gatewise.kernels.variants.variants_wanted`, with the next ones where none of the
            first can be built.
        jobs: compilers at work at once; default: the number of CPUs.

    Returns:
        Which variants are there now, and why others are not.

    Example:
        >>> build(variants=()).built
        ()
    """
    first, *others = variants_wanted() if variants is None else (tuple(variants),)
    compiler = compiler_command()
    problem = _cannot_build(compiler, first, variants is None)
    if problem is not None or compiler is None:
        return BuildReport((), problem)
    work = work or _cache_folder()
    work.mkdir(parents=True, exist_ok=True)
    output.mkdir(parents=True, exist_ok=True)
    report = _build_together(compiler, first, output, kernels, work, tuple(extra_flags), jobs)
    for instead in others:
        if report.built:
            break
        found = _build_together(compiler, instead, output, kernels, work, tuple(extra_flags), jobs)
        if found.built:
            said = f"{report.problem}; built instead: {', '.join(found.built)}"
            report = BuildReport(found.built, said, report.details)
    return report


def _build_together(
    compiler: list[str],
    chosen: tuple[Variant, ...],
    output: Path,
    kernels: Path,
    work: Path,
    extra: tuple[str, ...],
    jobs: int | None,
) -> BuildReport:
    """Compile some variants at once; see `build`."""
    headers = hashlib.sha256(b"".join(path.read_bytes() for path in _headers(kernels))).hexdigest()
    key = source_key(kernels)
    with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
        pending = {
            variant: [
                pool.submit(_compile, compiler, variant, path, kernels, work, headers, extra)
                for path in _largest_first(sources(kernels))
            ]
            for variant in chosen
        }
        built, details = [], []
        for variant, parts in pending.items():
            results = [part.result() for part in parts]
            errors = [text for _, text in results if text]
            objects = [path for path, text in results if not text]
            if not errors:
                errors = _link(compiler, variant, objects, work, output / variant.file_name, key, extra)
            if errors:
                details += errors
            else:
                built.append(variant.name)
    if not details:
        return BuildReport(tuple(built))
    missing = ", ".join(variant.name for variant in chosen if variant.name not in built)
    first = next((line for line in details[0].splitlines() if "error" in line), details[0].splitlines()[0])
    return BuildReport(tuple(built), f"{compiler[0]} could not build {missing}: {first.strip()}", details[0])


def binding_key(kernels: Path = KERNELS) -> str:
    """A fingerprint of the binding's source and of the struct that it shares with the kernels; empty without source.

    Example:
        >>> len(binding_key()) in (0, 16)
        True
    """
    paths = [kernels / "fused" / "binding.cpp", kernels / "native" / "interface.h"]
    if not all(path.exists() for path in paths):
        return ""
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()[:16]


def build_binding(output: Path = OUTPUT, *, kernels: Path = KERNELS, extra_flags: Sequence[str] = ()) -> str | None:
    """Compile :mod:`gatewise.kernels.fused.binding`'s part in C for this machine. Never raises because of a compiler.

    Args:
        output: the folder that receives the shared object.
        kernels: the folder with the sources.
        extra_flags: added to the compiler's flags.

    Returns:
        What went wrong, or None.
    """
    compiler = compiler_command()
    problem = _cannot_build(compiler, (), False)
    include = Path(sysconfig.get_path("include"))
    if problem is None and not has_stable_interface():
        problem = "the binding needs CPython with its stable interface"
    if problem is None and not (include / "Python.h").exists():
        problem = f"no headers of Python in {include}"
    if problem is not None or compiler is None:
        return problem
    output.mkdir(parents=True, exist_ok=True)
    unfinished = output / f".{BINDING}.{os.getpid()}"
    key = f'-DGATEWISE_BINDING_KEY="{binding_key(kernels)}"'
    places = [f"-I{include}", f"-I{kernels / 'native'}"]
    flags = ["-O2", "-std=c++17", "-fPIC", "-shared", "-fvisibility=hidden", "-Wall", "-Wextra", *extra_flags]
    source = kernels / "fused" / "binding.cpp"
    done = _run([*compiler, *flags, key, *places, str(source), "-o", str(unfinished)])
    if done is not None:
        unfinished.unlink(missing_ok=True)
        return done
    unfinished.replace(output / BINDING)
    return None


def has_stable_interface() -> bool:
    """Whether this Python can load what was compiled for CPython's stable interface.

    Example:
        >>> isinstance(has_stable_interface(), bool)
        True
    """
    return sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")


def _cannot_build(compiler: list[str] | None, chosen: Sequence[Variant], all_here: bool) -> str | None:
    if not sys.platform.startswith("linux"):
        return f"the fused kernels are built on Linux only, this is {sys.platform}"
    if all_here and not chosen:
        return f"the fused kernels are written for x86-64 and aarch64, this is {platform.machine()}"
    if compiler is None:
        return "no C++ compiler found (looked for CXX, g++, clang++, c++)"
    return None


def _headers(kernels: Path) -> list[Path]:
    return sorted(kernels.glob("*/*.h"))


def _largest_first(paths: list[Path]) -> list[Path]:
    """Cell kernels take longest: started first, no core waits at the end for one of them."""
    return sorted(paths, key=lambda path: (path.name != "fused.cpp", -path.stat().st_size))


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "gatewise" / "kernel-objects"


def _compile(
    compiler: list[str], variant: Variant, source: Path, kernels: Path, work: Path, headers: str, extra: tuple[str, ...]
) -> tuple[Path, str]:
    """One source to one object file: (its path, the compiler's errors or an empty text)."""
    command = [
        *compiler,
        *_FLAGS,
        *variant.flags,
        *extra,
        f"-DGATEWISE_WIDTH={variant.width}",
        f"-DGATEWISE_VARIANT={variant.name}",
        f"-I{kernels / 'native'}",
    ]
    key = hashlib.sha256("\0".join([*command, headers]).encode() + source.read_bytes()).hexdigest()[:20]
    target = work / f"{source.parent.name}-{source.stem}-{variant.name}-{key}.o"
    if target.exists():
        os.utime(target)
        return target, ""
    unfinished = target.with_suffix(f".{os.getpid()}.tmp.o")
    done = _run([*command, "-c", str(source), "-o", str(unfinished)])
    if done is not None:
        return target, done
    unfinished.replace(target)
    for old in work.glob(f"{source.parent.name}-{source.stem}-{variant.name}-*.o"):  # another build may use a new one
        if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
            old.unlink(missing_ok=True)
    return target, ""


def _link(
    compiler: list[str],
    variant: Variant,
    objects: list[Path],
    work: Path,
    target: Path,
    key: str,
    extra: tuple[str, ...],
) -> list[str]:
    """All objects to one shared object, written whole or not at all; the OpenMP names stay open on purpose."""
    stamp = work / f"stamp-{variant.name}-{key}.cpp"
    stamp.write_text(
        f'extern "C" __attribute__((visibility("default"))) const char* gatewise_source_key() {{ return "{key}"; }}\n',
        encoding="utf-8",
    )
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    command = [*compiler, "-shared", "-fPIC", "-O1", *extra, str(stamp), *map(str, objects), "-o", str(unfinished)]
    done = _run([*command, "-Wl,--build-id=none"])
    stamp.unlink(missing_ok=True)
    if done is not None:
        unfinished.unlink(missing_ok=True)
        return [done]
    unfinished.replace(target)
    return []


def _run(command: list[str]) -> str | None:
    """None when the command succeeded, else what it said."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return f"error: {error}"
    if done.returncode == 0:
        return None
    return done.stderr.strip() or f"error: {command[0]} ended with code {done.returncode}"


def main(words: Sequence[str]) -> int:
    """Rebuild the kernels in place and say what was built; a word names the folder of object files."""
    report = build(work=Path(words[0]) if words else None)
    if report.built:
        print(f"fused kernels built: {', '.join(report.built)} (in {OUTPUT})")
    if report.problem:
        print(f"fused kernels{'' if report.built else ' not built'}: {report.problem}", file=sys.stderr)
        print(report.details, file=sys.stderr)
    problem = build_binding()
    print(f"binding not built: {problem}" if problem else "binding built", file=sys.stderr if problem else sys.stdout)
    return 0 if report.built and not report.problem else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
