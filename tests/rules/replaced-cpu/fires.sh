qemu-system-x86_64 -accel kvm -cpu host,hv_relaxed,hv_vpindex,hv_time,hv_synic,hv_stimer -cpu host,kvm=off
