"""The gateway in front of a workspace: what it judges (path, fields, rules), under whose token a request goes on, and its way."""
