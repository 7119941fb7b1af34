"""Saved plans and their files.

A room of its own, not part of plan: a file's arguments and domain must be those that guest writes of its plan, and plan
must not depend on guest.
"""
