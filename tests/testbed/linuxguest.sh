#!/bin/busybox sh
# /init of the Linux guest: what Linux found and uses of Hyper-V, then the end.

/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

echo "guest: $(uname -sr)"
dmesg | grep -i -e 'hyper-v' -e 'hypercall' -e 'Hypervisor detected' | sed 's/^\[[^]]*\] */guest: /'
echo "guest: clock source $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
sleep 1
grep HVS /proc/interrupts | sed 's/^ */guest: interrupts /'
# With panic=-1 and QEMU's -no-reboot a reboot is the end on every machine type.
reboot -f
