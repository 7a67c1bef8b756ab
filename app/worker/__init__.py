"""What runs the diagnoses: a supervisor, two zygotes, and a fresh sandboxed child for each job."""
