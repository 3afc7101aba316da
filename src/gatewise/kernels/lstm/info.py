"""What the package has to know about the compiled LSTM."""

from gatewise.kernels.info import ROW_OPTIONS, KernelInfo

INFO = KernelInfo(
    "lstm",
    gates=4,
    options=ROW_OPTIONS | {"coupled", "peephole"},
    flags={"coupled": 1},
    gates_with={"coupled": 3},
    states=2,
    gpu_options=ROW_OPTIONS | {"coupled", "peephole"},
    torch_options=frozenset({"proj_size"}),
    rounds=True,
    reported=(frozenset({"peephole"}), frozenset({"coupled"}), frozenset({"proj_size"})),
)
