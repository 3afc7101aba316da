"""Records to tables, plots and one self-contained HTML file; never imports torch."""
