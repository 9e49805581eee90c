"""Why no token was given: what Entra, OAuth and Databricks answer, looked up in a catalogue."""
