"""Rules about the last activation against the loss."""
