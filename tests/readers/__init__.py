"""What reads graphs, and what it reads."""
