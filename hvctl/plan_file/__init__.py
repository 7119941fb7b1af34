"""Saved plans and their files.

A room of its own, not part of plan: a file's arguments and domain are read back as a Guest and compared with its plan
by what migration takes to be in effect, and plan must not depend on either.
"""
