"""The readers of the table and of graphs: what draws, explains, compiles, verifies. No reader imports another."""
