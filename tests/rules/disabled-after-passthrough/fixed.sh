qemu-system-x86_64 -accel kvm -machine pc-q35-7.2 -cpu host,hv-passthrough
