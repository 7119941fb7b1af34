"""What QEMU says where it does not start a guest, or warns; and what it says of a guest that KVM cannot run on.

Texts of QEMU 7.2 to 11.1; those of older versions where people still paste them.
"""

from hvctl.catalog import ROWS
from hvctl.catalog.messages.types import Layer, Message

_KVM_C = "qemu:target/i386/kvm/kvm.c"
_CPU_C = "qemu:target/i386/cpu.c"
_NO_CHIP = (
    "the SynIC and what is built on it need the interrupt controller in the kernel; write kernel-irqchip=on, or leave "
    "the option out"
)

MESSAGES = (
    Message(
        "not-supported-by-kernel",
        Layer.QEMU,
        "QEMU asked this host's KVM for {row} ({title}), and KVM does not report it.",
        "{kernel}; or leave {row} out. `hvctl check-host` shows what this host supports, and `hvctl gen` writes only "
        "that.",
        f"{_KVM_C}:1496-1516",
        ("Hyper-V {feature} is not supported by kernel",),
        rules=("evmcs-without-nested-intel", "not-supported-by-host"),
    ),
    Message(
        "requirement-missing",
        Layer.QEMU,
        "{row} ({title}) is on, and QEMU requires {needed} with it. QEMU names only the first requirement that is "
        "missing: {row} requires {needs} in all.",
        "Turn on {needs}, or leave {row} out; `hvctl lint` shows what to write.",
        f"{_KVM_C}:1496-1526",
        (
            "Hyper-V {feature} requires Hyper-V {other_feature}",
            # QEMU 4.0 to 4.2
            "(requested by '{row}' cpu flag) requires Hyper-V {words}('{needed}')",
        ),
        rules=("requirement-missing", "stimer-without-hypervclock"),
    ),
    *(
        Message(
            f"{row.id}-not-settable",
            Layer.QEMU,
            "QEMU makes a board with {row} ({title}) only where the kernel offers "
            f"{' and '.join(row.caps)}. This one does not: it has no Hyper-V emulation; or QEMU 7.2 or older runs "
            "without KVM.",
            "Boot a kernel built with CONFIG_KVM_HYPERV=y, and start the guest with -accel kvm (libvirt: "
            "<domain type='kvm'>). In KubeVirt, useEmulation rules the enlightenments out.",
            "qemu:hw/i386/x86-common.c:431",
            (row.board_error,),
            row=row.id,
            rules=("not-kvm", "not-supported-by-host"),
        )
        for row in ROWS
        if row.board_error
    ),
    *(
        Message(
            f"{row.id}-not-enabled",
            Layer.QEMU,
            "KVM does not offer what {row} ({title}) turns on in a vCPU.",
            "{kernel}; or leave {row} out: it is for debugging.",
            f"{_KVM_C}:1777-1784",
            (row.vcpu_error.partition(":")[0],),
            row=row.id,
            rules=("debugging-only", "not-supported-by-host"),
        )
        for row in ROWS
        if row.vcpu_error and not row.qemu_name
    ),
    Message(
        "vp-index-differs",
        Layer.QEMU,
        "KVM numbers the vCPUs differently from QEMU.",
        "Report it to QEMU with the topology of the guest; start with fewer sockets, or without hotplugged vCPUs.",
        f"{_KVM_C}:1710-1726",
        ("kernel's vp_index != QEMU's vp_index",),
        row="vpindex",
    ),
    Message(
        "synic-without-irqchip",
        Layer.QEMU,
        "KVM refuses the SynIC for a guest without the interrupt controller in the kernel (kernel-irqchip=off).",
        f"Remove kernel-irqchip=off: {_NO_CHIP}.",
        "linux:arch/x86/kvm/x86.c:5567-5571",
        ("failed to turn on HyperV SynIC in KVM", "failed to create HyperV SynIC"),
        row="synic",
        rules=("irqchip-off",),
    ),
    Message(
        "no-userspace-apic",
        Layer.QEMU,
        "Newer versions of QEMU run no KVM guest with the local APIC in QEMU itself (kernel-irqchip=off).",
        f"Remove kernel-irqchip=off: {_NO_CHIP}.",
        "qemu:hw/i386/x86-common.c, x86_cpus_init(); observed with QEMU 10.0",
        ("KVM does not support userspace APIC",),
        rules=("irqchip-off",),
    ),
    Message(
        "evmcs-version",
        Layer.QEMU,
        "KVM offers no enlightened VMCS of the version that QEMU wants. [0..0] means none at all: the processor is "
        "AMD's, or kvm_intel runs with nested=0, or in a virtual machine without VMX.",
        "Load kvm_intel with nested=1 (`options kvm_intel nested=1` in /etc/modprobe.d), or leave {row} out.",
        f"{_KVM_C}:1748-1775",
        ("eVMCS version range [{number}..{number}] is not supported by kernel",),
        row="evmcs",
        rules=("evmcs-without-nested-intel", "not-supported-by-host"),
    ),
    Message(
        "hyperv-msr-refused",
        Layer.QEMU,
        "QEMU writes the MSR of {row} ({title}) at reset, and the host's KVM does not have it: this kernel has no "
        "Hyper-V emulation. QEMU ends by an assertion; other enlightenments are ignored silently.",
        "Boot a kernel built with CONFIG_KVM_HYPERV=y, or leave every enlightenment out; `hvctl check-host` shows "
        "whether KVM emulates Hyper-V.",
        f"{_KVM_C}, kvm_buf_set_msrs(); observed with QEMU 7.2 and 10.0 on a kernel without CONFIG_KVM_HYPERV",
        ("failed to set MSR {hyperv_msr} to",),
        rules=("not-supported-by-host",),
    ),
    Message(
        "vmx-msr-refused",
        Layer.QEMU,
        "QEMU gives the guest VMX capabilities (MSR {msr}) that the host's kvm_intel refuses: the kernel is older "
        "than QEMU expects, or is itself a guest with a restricted VMX.",
        "Boot Linux 5.3 or newer; or take VMX out of the guest's CPU (-cpu host,-vmx; libvirt: "
        "<feature policy='disable' name='vmx'/>), which rules nested virtualization out.",
        "users' reports: quickemu issue 594, kubevirt issue 5068, kata-containers issue 1326",
        ("failed to set MSR {vmx_msr} to",),
    ),
    Message(
        "msr-assertion",
        Layer.QEMU,
        "QEMU ends where the host's KVM refuses an MSR. The line before, `failed to set MSR`, shows which.",
        "Paste that line, too.",
        f"{_KVM_C}, kvm_buf_set_msrs()",
        ("kvm_buf_set_msrs: Assertion",),
        vague=True,
    ),
    Message(
        "other-msr-refused",
        Layer.QEMU,
        "The host's KVM refuses MSR {msr}, which QEMU's CPU model brings. It is not one of Hyper-V's.",
        "Update the host's kernel; or use a named CPU model without the feature, as `hvctl gen` proposes, instead of "
        "host.",
        f"{_KVM_C}, kvm_buf_set_msrs()",
        ("failed to set MSR {other_msr} to", "failed to get MSR {other_msr}"),
    ),
    Message(
        "vcpu-not-made",
        Layer.QEMU,
        "KVM could not make the vCPU; the line before says what it lacks.",
        "Look for the message before this one, in the whole of QEMU's stderr or of /var/log/libvirt/qemu/NAME.log.",
        "qemu:accel/kvm/kvm-all.c, kvm_init_vcpu()",
        ("kvm_init_vcpu: kvm_arch_init_vcpu failed", "kvm_init_vcpu failed:"),
        vague=True,
    ),
    Message(
        "plus-with-underscore",
        Layer.QEMU,
        "`+` and `-` before a CPU property take its name with hyphens only: {name} is written with underscores.",
        "Write {property}=on, or +{property}.",
        f"{_CPU_C}, x86_cpu_parse_featurestr(); observed with QEMU 10.0",
        ("Property '{cpu}.{underscored}' not found",),
        rules=("unknown-enlightenment",),
    ),
    Message(
        "unknown-property",
        Layer.QEMU,
        "This QEMU's CPU has no property {name}: QEMU is older than the enlightenment, or the name is misspelt.",
        "{qemu}; or leave it out. `hvctl explain` lists the names.",
        f"{_CPU_C}:8802-8921",
        ("Property '{cpu}.{hyphened}' not found",),
        rules=("unknown-enlightenment", "not-supported-by-host"),
    ),
    Message(
        "unknown-cpu-property",
        Layer.QEMU,
        "This QEMU's CPU has no property {name}. It is not an enlightenment.",
        "Correct the name, or leave it out; `qemu-system-x86_64 -cpu help` lists the features of CPUs.",
        f"{_CPU_C}, x86_cpu_parse_featurestr()",
        ("Property '{cpu}.{other_property}' not found",),
        rules=("unknown-cpu-feature",),
    ),
    Message(
        "wrong-value",
        Layer.QEMU,
        "The value of {name} is not of the type that QEMU wants: {type}.",
        "Correct the value; `hvctl explain {name}` shows its type and an example.",
        "qemu:qom/object.c, qapi/qobject-input-visitor.c",
        ("Parameter '{enlightenment}' expects {type}", "Parameter '{enlightenment}' does not accept value {type}"),
        rules=("invalid-value", "spinlocks-out-of-range"),
    ),
    Message(
        "global-needs-a-class",
        Layer.QEMU,
        "-global wants a device before the property: -global DEVICE.PROPERTY=VALUE.",
        "Write {name} in -cpu, or as -global x86_64-cpu.{name}=VALUE.",
        "qemu:softmmu/qdev-monitor.c; observed with QEMU 7.2 and 10.0",
        ("Invalid parameter '{enlightenment}'",),
    ),
    Message(
        "vendor-id-cut",
        Layer.QEMU,
        "hv-vendor-id is longer than CPUID has room for, so QEMU cuts it to 12 characters.",
        "Write at most 12 characters, or leave it out.",
        f"{_CPU_C}:8041-8056",
        ("hv-vendor-id truncated to {number} characters",),
        row="vendor-id",
        rules=("vendor-id-invalid", "vendor-id-pointless"),
    ),
    Message(
        "vmbus-without-synic",
        Layer.QEMU,
        "The device vmbus-bridge needs the SynIC and the VP index.",
        "Turn on {row} and vpindex, or remove the device.",
        "qemu:hw/hyperv/vmbus.c:2625-2634",
        ("VMBus requires usable Hyper-V SynIC and VP_INDEX",),
        row="synic",
    ),
    Message(
        "vmbus-handler-refused",
        Layer.QEMU,
        "The device vmbus-bridge could not register for messages or events of the SynIC, which the host's KVM or "
        "another such device prevents.",
        "Remove vmbus-bridge: Windows needs no VMBus where it has virtio.",
        "qemu:hw/hyperv/vmbus.c:2640-2660",
        ("hyperv set message handler failed: {number}", "hyperv set event handler failed with {number}"),
        row="synic",
    ),
    Message(
        "vmbus-without-stimer",
        Layer.QEMU,
        "Some Windows versions do not boot with a VMBus, or do not use it, without hv-stimer, hv-vapic and hv-runtime.",
        "Turn on stimer, vapic and runtime, or remove vmbus-bridge.",
        "qemu:hw/hyperv/vmbus.c:2625-2634; not in QEMU 7.2",
        ("VMBus enabled without the recommended set of Hyper-V features",),
        rules=("no-stimer", "recommended-missing"),
    ),
    Message(
        "slow-signal-event",
        Layer.QEMU,
        "The host's kernel lacks KVM_CAP_HYPERV_EVENTFD, so QEMU handles events of the VMBus itself.",
        "Boot a newer kernel. Without a VMBus device nothing is lost.",
        "qemu:hw/hyperv/hyperv.c",
        ("Hyper-V event signaling is not supported by this kernel",),
        row="synic",
    ),
    Message(
        "tsc-cannot-be-scaled",
        Layer.QEMU,
        "The guest wants another TSC frequency than this host's, and the processor cannot scale the TSC.",
        "Remove tsc-frequency, or write this host's; or run the guest on a host with TSC scaling, or of the same "
        "frequency within 250 ppm. `hvctl check-host` shows both.",
        f"{_KVM_C}:880-930",
        ("TSC frequency mismatch between VM ({number} kHz) and host ({number} kHz)",),
    ),
    Message(
        "requested-feature-missing",
        Layer.QEMU,
        "The CPU model has {cpu_feature}, and this host's KVM cannot give it, so the guest does not see it. Alone it "
        "is a warning: the guest starts.",
        "Choose a CPU model that the host fully supports (`hvctl check-host`), or switch the feature off. Between "
        "hosts that differ, use what `hvctl pool` proposes.",
        f"{_CPU_C}, mark_unavailable_features()",
        ("host doesn't support requested feature: {cpu_feature}",),
    ),
    Message(
        "emulator-lacks-feature",
        Layer.QEMU,
        "QEMU runs without KVM, and its emulator has no {cpu_feature}. The enlightenments do nothing there either.",
        "Start the guest with -accel kvm; -accel tcg is for other processors and for tests.",
        f"{_CPU_C}, mark_unavailable_features()",
        ("TCG doesn't support requested feature: {cpu_feature}",),
        rules=("not-kvm",),
    ),
    Message(
        "enforced-features-missing",
        Layer.QEMU,
        "With `enforce` in -cpu (libvirt: check='full') QEMU refuses to start where a CPU feature is missing. The "
        "warnings before name the features.",
        "Remove `enforce`, or choose a CPU model that the host fully supports; `hvctl check-host` shows which.",
        f"{_CPU_C}, x86_cpu_filter_features()",
        ("host doesn't support requested features", "TCG doesn't support requested features"),
    ),
    Message(
        "host-model-needs-kvm",
        Layer.QEMU,
        "QEMU does not use KVM, and the CPU models host and (in libvirt) host-passthrough exist only with it.",
        "Start with -accel kvm. If that fails, load kvm_intel or kvm_amd, and see that this user may open /dev/kvm.",
        "qemu:target/i386/host-cpu.c",
        ("CPU model 'host' requires KVM",),
        rules=("not-kvm",),
    ),
    Message(
        "unknown-cpu-model",
        Layer.QEMU,
        "This QEMU has no CPU model {value}: it is newer than QEMU, or misspelt.",
        "Name a model that this QEMU has (`qemu-system-x86_64 -cpu help`); for several hosts, the one that "
        "`hvctl pool` proposes.",
        f"{_CPU_C}; observed with QEMU 7.2 and 10.0",
        ("unable to find CPU model '{value}'",),
    ),
    Message(
        "unknown-machine",
        Layer.QEMU,
        "This QEMU has no such machine type: the guest was made with a newer QEMU, or the type was removed since.",
        "Name one of `qemu-system-x86_64 -machine help`. Windows may ask to be activated again after it changes.",
        "qemu:softmmu/vl.c; observed with QEMU 7.2 and 10.0",
        ("unsupported machine type",),
    ),
    Message(
        "no-such-accelerator",
        Layer.QEMU,
        "This QEMU was built without the accelerator {value}; the enlightenments need kvm.",
        "Write -accel kvm on Linux. Under whpx, hvf and tcg no enlightenment does anything.",
        "qemu:accel/accel-common.c; observed with QEMU 7.2 and 10.0",
        ("invalid accelerator {value}",),
        rules=("not-kvm",),
    ),
    Message(
        "option-removed",
        Layer.QEMU,
        "Newer versions of QEMU have no option -no-hpet (removed in 9.0).",
        "Write -machine hpet=off.",
        "qemu:docs/about/removed-features.rst; observed with QEMU 10.0",
        ("-no-hpet: invalid option",),
        rules=("hpet-on",),
    ),
    Message(
        "remapping-with-full-irqchip",
        Layer.QEMU,
        "Interrupt remapping of a vIOMMU needs the I/O APIC in QEMU, so kernel-irqchip=on rules it out.",
        "Write kernel-irqchip=split; the enlightenments work with it. On Linux before 7.0 a Windows with VBS then "
        "boots very slowly: leave the vIOMMU out there.",
        "qemu:hw/i386/x86-iommu.c; kernel bug 220549",
        ("Interrupt Remapping cannot work with kernel-irqchip=on",),
    ),
    Message(
        "many-vcpus-need-x2apic",
        Layer.QEMU,
        "More than 255 vCPUs need the interrupt controller in the kernel, and KVM's X2APIC API.",
        "Write kernel-irqchip=split, and add -device intel-iommu,intremap=on,eim=on.",
        "qemu:hw/i386/x86-common.c, x86_cpus_init()",
        ("current -smp configuration requires kernel irqchip and X2APIC API support",),
    ),
    Message(
        "emulation-failure",
        Layer.QEMU,
        "KVM met an instruction of the guest that it cannot emulate. Its registers, which QEMU prints, show where: EIP "
        "or RIP in the firmware is another fault than one in Windows.",
        "Update the host's kernel and OVMF. On a host that is itself a guest, the fault may be the outer hypervisor's. "
        "No enlightenment is known to cause it.",
        "qemu:accel/kvm/kvm-all.c, target/i386/kvm/kvm.c; linux:Documentation/virt/kvm/api.rst, "
        "KVM_EXIT_INTERNAL_ERROR",
        ("KVM internal error. Suberror: {number}",),
    ),
    Message(
        "entry-failed",
        Layer.QEMU,
        "The processor refused to enter the guest. Code 0x80000021 is Intel's: invalid guest state.",
        "Update the host's kernel. On Intel without unrestricted guest, or on a host that is itself a guest, see "
        "/sys/module/kvm_intel/parameters/unrestricted_guest, and the outer hypervisor.",
        "qemu:target/i386/kvm/kvm.c, kvm_arch_handle_exit()",
        ("KVM: entry failed, hardware error {hex}",),
    ),
)
"""In the order of QEMU's start."""
