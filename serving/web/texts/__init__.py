"""The pages of texts: a person's thread, a team's inbox, and the form that sends."""
