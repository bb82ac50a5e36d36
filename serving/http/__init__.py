"""HTTP rules that every route shares: errors, limits, ETags, threads, middleware."""
