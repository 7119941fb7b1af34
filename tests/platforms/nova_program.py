"""Runs in an environment of nova's: what nova makes of properties, extra specs and nova.conf, by its own code.

The questions are JSON on stdin, the answers on stdout: `{"image": {...}, "flavor": {...}, "libvirt": {...}}` each gives
the domain XML, or the error of the validator that refuses it; `{"provider": TEXT}` the providers of such a file.
"""
# mypy: ignore-errors

import json
import sys
import unittest
from pathlib import Path
from tempfile import TemporaryDirectory

from nova import exception, objects
from nova.api.validation.extra_specs import validators
from nova.compute import provider_config
from nova.tests.unit.virt.libvirt import test_driver
from nova.virt.libvirt import blockinfo, driver

QUESTIONS = json.load(sys.stdin)
ANSWERS = []


def providers(text):
    with TemporaryDirectory() as name:
        Path(name, "hvctl.yaml").write_text(text)
        try:
            return {"providers": list(provider_config.get_provider_configs(name).values())}
        except exception.ProviderConfigException as error:
            return {"error": str(error)}


class Guests(test_driver.LibvirtConnTestCase):
    def runTest(self):
        self.stub_out("nova.virt.libvirt.host.Host.has_min_version", lambda *_, **__: True)
        # Its made-up libvirt has the machine types of QEMU 2.11.
        self.stub_out("nova.virt.libvirt.host.Host._check_machine_type", lambda *_: None)
        for question in QUESTIONS:
            ANSWERS.append(providers(question["provider"]) if "provider" in question else self.guest(**question))

    def guest(self, image, flavor, libvirt):
        unknown = set(image) - set(objects.ImageMetaProps.fields)
        if unknown:
            return {"error": f"no property {sorted(unknown)}"}
        try:
            for name, value in flavor.items():
                validators.validate(name, value)
            # As nova.conf has them: text. What is not set is not that of the question before.
            lists = {name: libvirt.get(name, "") for name in ("cpu_models", "cpu_model_extra_flags")}
            lists = {name: text.split(", ") if text else [] for name, text in lists.items()}
            self.flags(group="libvirt", virt_type="kvm", **{"cpu_mode": None, **libvirt, **lists})
        except Exception as error:
            return {"error": str(error)}
        instance = objects.Instance(**self.test_instance)
        # nova/compute/api.py takes it from the image's property.
        instance.os_type = image.get("os_type")
        instance.flavor.extra_specs = flavor
        meta = objects.ImageMeta.from_dict({"disk_format": "raw", "properties": image})
        made = driver.LibvirtDriver(test_driver.fake.FakeVirtAPI(), True)
        disks = blockinfo.get_disk_info("kvm", instance, meta)
        config = made._get_guest_config(instance, test_driver._fake_network_info(self), meta, disks)
        return {"xml": config.to_xml()}


if __name__ == "__main__":
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(unittest.TestSuite([Guests()]))
    json.dump(ANSWERS, sys.stdout)
    sys.exit(not result.wasSuccessful())
