"""The typed document that an evaluation is: scores, pairs of outcome and horizon, and the whole."""
