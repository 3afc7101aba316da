"""What the package has to know about the compiled MinLSTM."""

from gatewise.kernels.info import KernelInfo

INFO = KernelInfo("minlstm", gates=3, recurrent=False, gpu_options=frozenset({"zoneout"}))
