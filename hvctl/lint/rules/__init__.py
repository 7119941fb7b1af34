"""The rules: one file each, in the directory of its group."""
