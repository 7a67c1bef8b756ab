"""Webhooks: what is said, how it is signed, and to which addresses it may go."""
