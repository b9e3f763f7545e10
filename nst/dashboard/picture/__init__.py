"""Parts of the page of one result."""
