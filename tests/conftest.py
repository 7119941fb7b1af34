"""Settings for every test."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

# A busy two-core machine makes wall-time deadlines lie; the number of examples is the budget.
settings.register_profile("hvctl", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("hvctl")

# A run in the background or under nohup ignores these, and so would every program that the tests start and signal.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
