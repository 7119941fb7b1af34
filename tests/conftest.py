"""Settings for every test."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy two-core machine makes wall-time deadlines lie; the number of examples is the budget.
settings.register_profile("hvctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hvctl")
