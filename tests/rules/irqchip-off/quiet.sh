qemu-system-x86_64 -machine pc-q35-7.2,accel=kvm,kernel-irqchip=on -cpu host,hv_vpindex,hv_time,hv_synic,hv_stimer
