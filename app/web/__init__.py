"""The pages: two templates and their static files.  Everything they show comes from the JSON API."""
