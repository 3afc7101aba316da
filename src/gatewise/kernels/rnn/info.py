"""What the package has to know about the compiled RNN."""

from gatewise.kernels.info import ROW_OPTIONS, KernelInfo

INFO = KernelInfo(
    "rnn",
    gates=1,
    names=("rnn_tanh", "rnn_relu"),
    options=ROW_OPTIONS,
    flags={"rnn_relu": 1},
    output_suffices=True,
    gpu_options=ROW_OPTIONS,
    torch_options=frozenset(),
    rounds=True,
)
