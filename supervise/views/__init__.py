"""What a browser or a client sees: one module for each family of pages, its forms beside it."""
