"""Makes `python -m hvctl` the same as the command `hvctl`."""

from hvctl.cli import main

main()
