"""Histories in; risks, reasons and gaps out. The one scoring function, and the route that stores nothing."""
