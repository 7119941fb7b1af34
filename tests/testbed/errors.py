"""What can go wrong with the testbed, for the person who runs it: what happened, and what to do about it."""


class TestbedError(Exception):
    """The root of the testbed's errors; `hint` says what to do, and may be empty."""

    __test__ = False

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message


class Missing(TestbedError):
    """A program or file that a Debian package provides is not on this machine."""

    def __init__(self, what: str, *packages: str) -> None:
        super().__init__(f"{what} is missing", f"install it: apt-get install {' '.join(packages)}")


class BuildFailed(TestbedError):
    """The root tree of a world could not be built."""


class NoAnswer(TestbedError):
    """L1 ended, or had to be ended, before its command did; the message holds the console's tail."""


class Stopped(TestbedError):
    """The caller ended L1 before its command did."""
