"""What pages and pictures are drawn with: SVG charts, one style for picture files, and templates.

Knows nothing of a kind of problem; kinds draw their part of the report with it. Imports no torch.
"""
