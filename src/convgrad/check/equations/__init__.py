"""Equations as people write them, checked against the derived gradient."""

from convgrad.check.equations.judge import EquationReport, check_equation, check_equations

__all__ = ["EquationReport", "check_equation", "check_equations"]
