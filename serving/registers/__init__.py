"""The registers of a caseload (clozapine, lithium, ...) and what falls due this week, over the caller's teams."""
