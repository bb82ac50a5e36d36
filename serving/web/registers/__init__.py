"""The pages of registers and of the week."""
