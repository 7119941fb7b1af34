"""hvctl writes the Hyper-V part of a KVM guest's configuration, and can prove that it is right."""

__version__ = "0.1.0"
