qemu-system-x86_64 -accel kvm -cpu host,kvm=off,hv_relaxed,hv_vpindex,hv_time,hv_synic,hv_stimer
