"""Every check of a token, for whoever explains: the verifiers' own tables row by row, and what each row expected and saw."""
