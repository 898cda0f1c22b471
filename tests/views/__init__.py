"""The pages, as browsers and scripts see them."""
