"""Reference tables of medicines: names, classes, doses, interactions and what people want to know."""
