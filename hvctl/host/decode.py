"""The fields of a host file become the records of a host."""

from __future__ import annotations

from typing import Any

from hvctl.model.host import Hardware, Host, Kvm, Libvirt, MachineType, Qemu
from hvctl.text.json_fields import Fields, Form

FORM = Form("host file", 1, "host files are written by 'hvctl check-host --record FILE'", 4 * 1024 * 1024)
# What a profile's key tsc-frequency takes: one of `auto` is this host's.
TSC_HZ = (1_000_000, 100_000_000_000)


def is_frequency(value: Any) -> bool:
    """Whether a number can be a TSC frequency in Hz."""
    return type(value) is int and TSC_HZ[0] <= value <= TSC_HZ[1]


def decode_host(root: Fields) -> Host:
    """The host; what is wrong with it is in the fields' mistakes."""
    return Host(
        name=root.text("name", optional=True),
        kvm=_kvm(root.fields("kvm")),
        hardware=decode_hardware(root.fields("hardware")),
        qemu=tuple(_qemu(fields) for fields in root.records("qemu")),
        libvirt=_libvirt(root.fields("libvirt", optional=True)),
        how=root.fields("how", needed=False).text_items(),
        notes=root.texts("notes", needed=False),
    )


def _libvirt(libvirt: Fields | None) -> Libvirt | None:
    if libvirt is None:
        return None
    partial = bool(libvirt.flag("partial"))
    return Libvirt(libvirt.text("version", optional=True), libvirt.texts("elements"), partial)


def _kvm(kvm: Fields) -> Kvm:
    return Kvm(
        release=kvm.text("release", optional=True),
        how=kvm.text("how") or "",
        caps=kvm.fields("caps").number_items(),
        leaves=kvm.fields("leaves").leaf_items(),
        unseen=kvm.texts("unseen", needed=False),
    )


def decode_hardware(hardware: Fields) -> Hardware:
    """The processor's facts."""
    return Hardware(
        vendor=hardware.text("vendor", optional=True),
        model_name=hardware.text("model_name", optional=True),
        family=hardware.number("family"),
        model=hardware.number("model"),
        stepping=hardware.number("stepping"),
        nested=hardware.flag("nested"),
        apicv=hardware.flag("apicv"),
        tsc_hz=hardware.number("tsc_hz", limits=TSC_HZ),
        tsc_scaling=hardware.flag("tsc_scaling"),
        smt=hardware.text("smt", optional=True),
        clocksource=hardware.text("clocksource", optional=True),
    )


def _qemu(qemu: Fields) -> Qemu:
    expansion = qemu.fields("expansion", optional=True)
    return Qemu(
        path=qemu.text("path") or "",
        version=qemu.text("version", optional=True),
        properties=qemu.fields("properties").text_items(),
        options=qemu.texts("options"),
        machines=tuple(
            MachineType(machine.text("name") or "", machine.text("alias", optional=True), machine.flag("hpet"))
            for machine in qemu.records("machines")
        ),
        expansion=None if expansion is None else expansion.scalar_items(),
        passthrough=qemu.texts_or_none("passthrough"),
        models=qemu.texts_or_none("models"),
        partial=bool(qemu.flag("partial")),
    )
