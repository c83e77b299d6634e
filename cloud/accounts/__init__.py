"""Who may do what: roles, passwords, limits of guessing, tokens; no database, no HTTP."""
