"""What is serving, and whether it is fit to."""
