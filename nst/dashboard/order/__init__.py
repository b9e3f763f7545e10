"""The Studio's left side: what is to be painted, and how."""
