"""What the command asks and answers: its verbs, a module a topic, gathered by `jobs.cli`."""
