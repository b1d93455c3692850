"""What in a frame is new, where its text is, what it says and what it is."""
