"""Stateful stand-ins for what lies outside: forges and Git over HTTP."""
