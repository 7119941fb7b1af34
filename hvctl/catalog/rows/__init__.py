"""The rows of the catalog, in groups that follow each other in the catalog's order."""
