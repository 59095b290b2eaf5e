"""What draws: each widget turns the lines that it is given into strips, and knows nothing of clouds."""
