"""The Studio's right side: what is being painted, waits and has ended."""
