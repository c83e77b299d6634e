"""Steps that bring the tables of an older elfowl up to date; run at each start."""
