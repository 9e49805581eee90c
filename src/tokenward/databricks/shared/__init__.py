"""Access tokens that several processes share: one exchange for all of them, through a store that cannot read them."""
