"""Who a caller is, and how people are identified. Reads no database and no request."""
