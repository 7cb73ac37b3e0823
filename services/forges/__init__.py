"""Code forges behind one port: GitHub and GitLab.

A library of the auth and pr services, without state of its own. ``select.connect`` gives a ``Forge``;
``address`` reads repository addresses; ``guess_kind`` says which forge an address belongs to. A plain Git
remote has no pull-request API and so no adapter here: its reviews live in the pr service.
"""
