"""A machine whose KVM emulates Hyper-V, made on any machine.

QEMU's TCG emulates AMD's SVM, so a Debian kernel booted in it ("L1") loads kvm_amd and has a real KVM, in which guests
("L2") run.
"""
