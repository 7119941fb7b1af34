"""Guests of Proxmox VE: VMID.conf beside cpu-models.conf, resolved as PVE does, and what hvctl writes for them."""
