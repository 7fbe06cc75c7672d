"""Equations for people: LaTeX, MathML, the terminal and plain text, in several conventions."""
