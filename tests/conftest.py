"""How many examples: enough for a change in the default profile, many more in the long one."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "default", deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)
settings.register_profile("long", parent=settings.get_profile("default"), max_examples=20_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


def examples(number):
    """So many examples, or those of the profile where it asks for more."""
    return settings(max_examples=max(number, settings.default.max_examples))
