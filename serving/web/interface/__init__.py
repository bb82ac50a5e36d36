"""``/docs``: the interface as a page on which each call can be tried."""
