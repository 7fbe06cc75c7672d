"""Explanations of a layer: one content, shown on a terminal, a page, as LaTeX or as data."""
