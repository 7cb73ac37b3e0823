"""What a publication says: title, body, branch name, commit message. Functions of the records alone."""
