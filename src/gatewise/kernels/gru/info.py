"""What the package has to know about the compiled GRU."""

from gatewise.kernels.info import ROW_OPTIONS, KernelInfo

INFO = KernelInfo(
    "gru",
    gates=3,
    options=ROW_OPTIONS | {"reset_before", "update_replace"},
    step_options=frozenset({"reset_before", "update_replace"}),
    flags={"reset_before": 1, "update_replace": 2},
    saved=4,
    gpu_options=ROW_OPTIONS | {"reset_before", "update_replace"},
    torch_options=frozenset({"update_replace"}),
    rounds=True,
    reported=(frozenset({"reset_before"}), frozenset({"lengths"}), ROW_OPTIONS),
)
