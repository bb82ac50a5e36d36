"""The sandbox of the demo: a hook sent, and the card that comes back."""
