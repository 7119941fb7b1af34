"""A machine whose KVM has Hyper-V emulation, made on any machine: QEMU's TCG emulates AMD's SVM, a Debian kernel in it loads kvm_amd."""
