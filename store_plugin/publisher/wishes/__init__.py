"""What a Secret asks for with its annotations; checked here, and nowhere else."""
