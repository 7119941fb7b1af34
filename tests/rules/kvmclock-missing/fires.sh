qemu-system-x86_64 -accel kvm -machine pc-q35-5.1 -cpu host,kvm=off,hv_relaxed,hv_time
