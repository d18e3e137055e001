"""What is done for one Secret: publish it, fill it, let it go, and say how it went."""
