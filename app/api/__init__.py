"""The API under /v1: routes, request and response models."""
