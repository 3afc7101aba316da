"""Records -> tables, plots, one self-contained page. Reads only what a comparison left; never imports torch."""

from gatewise.reports.page import render_page, write_report
from gatewise.reports.records import read_comparison
from gatewise.reports.terminal import print_comparison

__all__ = ["print_comparison", "read_comparison", "render_page", "write_report"]
