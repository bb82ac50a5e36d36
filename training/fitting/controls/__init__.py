"""The controls of every run: fitted on the model's rows, judged beside it, and never served."""
