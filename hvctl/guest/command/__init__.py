DRIFTFIX = {"catchup": "slew", "delay": "none"}
"""QEMU's words of -rtc for libvirt's tick policies."""


RTC_CLOCKS = {"guest": "vm", "wall": "host"}
"""QEMU's words of -rtc for what libvirt's RTC tracks."""
