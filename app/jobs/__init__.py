"""The life of a job: states, what submits and deletes it, and what executes it."""
