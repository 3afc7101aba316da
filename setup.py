"""Adds the compiled kernels to the package's build. Without a compiler the installation goes on and says so."""

import sys
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = Path(__file__).resolve().parent
# the part of the package that builds needs nothing installed
sys.path.insert(0, str(HERE / "src"))

from gatewise.kernels import building  # noqa: E402
from gatewise.kernels.variants import variants_here  # noqa: E402


class BuildKernels(build_ext):
    """Builds all variants in one go, in parallel; each Extension stands for one shared object."""

    def run(self):
        self.report = None
        super().run()

    def build_extension(self, extension):
        place = Path(self.get_ext_fullpath(extension.name)).parent
        if self.report is None:
            self.report = building.build(place, work=HERE / "build" / "kernel-objects")
            self.announce_result()
            problem = building.build_binding(place)
            if problem:
                print(f"gatewise: {problem}; calls go through Python", file=sys.stderr, flush=True)

    def announce_result(self):
        if self.report.problem:
            end = "" if self.report.built else "; layers will run on PyTorch's kernels"
            print(f"gatewise: fused kernels: {self.report.problem}{end}", file=sys.stderr, flush=True)

    def get_ext_filename(self, fullname):
        return str(Path(*fullname.split(".")[:-1]) / f"lib{fullname.split('.')[-1]}.so")


# which of these are there depends on the compiler; all are optional
names = [f"gatewise-{variant.name}" for variant in variants_here()] + ["gatewise-binding"]
extensions = [Extension(f"gatewise.kernels.fused.{name}", sources=[], optional=True) for name in names]
setup(ext_modules=extensions, cmdclass={"build_ext": BuildKernels})
