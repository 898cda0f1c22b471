"""Random visits, compared with a model of the pages."""
