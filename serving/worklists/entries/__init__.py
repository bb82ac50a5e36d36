"""What a worklist shows of each person."""
