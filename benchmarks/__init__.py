"""Measurements of convgrad beside other libraries: `python -m benchmarks layers`."""
