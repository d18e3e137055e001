"""Plugins in Python as one file each: built, looked into before anything is unpacked."""
