"""What people type: `tokenward <command>`. Every command reads tokens from stdin, a file or the environment, never from argv."""
