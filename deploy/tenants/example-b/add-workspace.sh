#!/bin/sh
# Once, by an administrator of the tenant: LOCKSTEP_SERVER and LOCKSTEP_TOKEN say where and who; the forge's token
# comes on standard input. Edits go to the fork and are proposed to the upstream.
exec lockstep workspace add catalogue --repo https://github.com/example-b/catalogue \
  --upstream https://github.com/example/catalogue --collection lots=catalogue --token-stdin
