"""Equations as people write them, checked against the derived gradient."""

from convgrad.check.equations.judge import EquationReport, check_equation

__all__ = ["EquationReport", "check_equation"]
