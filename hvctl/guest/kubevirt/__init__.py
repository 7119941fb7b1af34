"""KubeVirt's objects: what its API has fields for, written from a plan, read as guests, and changed."""
