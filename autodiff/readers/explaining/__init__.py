"""What `explain` is made of: `derivation` chooses the lines, `layout` sets them."""
