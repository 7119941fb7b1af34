"""Folders of this machine that L1 sees over 9p, each at its own path."""

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

# The control share carries the job in and the exit code and output out; it is mounted before all else.
CONTROL = PurePosixPath("/run/testbed/control")
OUT = PurePosixPath("/run/testbed/out")


@dataclass(frozen=True, slots=True)
class Share:
    """`source` on this machine, `target` in L1; what is not writable gets a tmpfs overlay there."""

    tag: str
    source: Path
    target: PurePosixPath
    writable: bool = False

    def arguments(self) -> list[str]:
        """QEMU's arguments; a comma in a value is written twice."""
        path = str(self.source).replace(",", ",,")
        mode = "" if self.writable else ",readonly=on"
        return [
            "-fsdev",
            f"local,id={self.tag},security_model=none,multidevs=remap,path={path}{mode}",
            "-device",
            f"virtio-9p-pci,fsdev={self.tag},mount_tag={self.tag}",
        ]

    def line(self) -> str:
        """The share's line in the table that L1's init reads."""
        return f"{self.tag} {'writable' if self.writable else 'overlay'} {self.target}\n"


def outermost(paths: tuple[Path, ...]) -> tuple[Path, ...]:
    """`paths` without doubles and without what lies in another of them."""
    distinct = tuple(dict.fromkeys(paths))
    return tuple(
        path for path in distinct if not any(path.is_relative_to(other) and path != other for other in distinct)
    )
