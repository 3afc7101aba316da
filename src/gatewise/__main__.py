"""``python -m gatewise`` is the same as ``gatewise``."""

from gatewise.cli import main

main()
