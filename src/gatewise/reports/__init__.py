"""Records -> tables, plots, one self-contained page. Reads only what a comparison left; never imports torch."""

from gatewise.reports.kind_report import read_comparison
from gatewise.reports.page import render_page, write_page, write_report
from gatewise.reports.terminal import print_changes, print_comparison
from gatewise.reports.text_tables import write_tables
from gatewise.reports.why import print_reasons

__all__ = [
    "print_changes",
    "print_comparison",
    "print_reasons",
    "read_comparison",
    "render_page",
    "write_page",
    "write_report",
    "write_tables",
]
