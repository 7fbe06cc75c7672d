"""Equations evaluated without rounding, and proofs that rest on it."""
