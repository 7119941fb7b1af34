qemu-system-x86_64 -machine pc-q35-9.2,accel=kvm,kernel-irqchip=on -cpu host,+vmx
