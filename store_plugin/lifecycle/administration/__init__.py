"""What people do with plugins: install, look around, register, enable, take out, move elsewhere."""
