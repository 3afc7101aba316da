"""What the package has to know about the compiled MinGRU."""

from gatewise.kernels.info import KernelInfo

INFO = KernelInfo("mingru", gates=2, recurrent=False, gpu_options=frozenset({"zoneout"}))
