"""What the model is put through beyond its test rows: refits, planted causes and faults, random rows."""
