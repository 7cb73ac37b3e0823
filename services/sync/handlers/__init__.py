"""The RPCs of the sync service, a module for each kind of thing: message in, domain call, message out."""
