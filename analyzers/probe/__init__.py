"""The probe: trains a built model briefly on a synthetic task and measures it."""
