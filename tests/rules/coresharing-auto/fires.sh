qemu-system-x86_64 -accel kvm -machine pc-q35-7.2 -cpu host,hv_relaxed=on,hv_no_nonarch_coresharing=auto
