"""How many examples: enough for a change by default, ten times as many in the long profile."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
settings.load_profile("default")
LONG = os.environ.get("CONVGRAD_TESTS") == "long"


def examples(number):
    """So many examples, or ten times as many in the long run."""
    return settings(max_examples=number * (10 if LONG else 1))
