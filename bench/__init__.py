"""What a call costs, measured against its floors in the same run. `make bench`."""
