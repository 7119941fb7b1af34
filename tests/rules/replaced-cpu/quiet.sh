qemu-system-x86_64 -M pc-q35-7.2,accel=kvm,hpet=off \
  -cpu host,kvm=off,hv_relaxed,hv_vapic,hv_vpindex,hv_time,hv_synic,hv_stimer
