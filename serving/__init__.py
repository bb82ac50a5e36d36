"""The service: the interface, the pages, the nightly run, who may see what, and the audit log."""
