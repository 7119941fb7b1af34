"""A plan becomes QEMU arguments or libvirt XML."""
