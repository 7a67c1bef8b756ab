"""Interventions: functions ModelSpec -> ModelSpec, one module each."""
