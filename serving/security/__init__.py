"""Who is calling, what that role may do, and whose people it may see."""
