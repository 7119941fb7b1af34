"""A fake QEMU that lies at random: the answers of tests/host/fake_qemu.py, each with something changed in it.

Its name ends in the seed, as in `mutating-17`; it is copied, and finds the checkout in PYTHONPATH.
"""

import sys
from pathlib import Path
from random import Random

from tests.host import fake_qemu
from tests.torture.odd_json import change

random = Random(Path(sys.argv[0]).name)
for command in fake_qemu.TRUTH:
    if random.random() < 0.3:
        answer = {"return": fake_qemu.TRUTH[command]}
        change(answer, random)
        fake_qemu.TRUTH[command] = answer.get("return")
fake_qemu.main()
