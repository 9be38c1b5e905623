#!/bin/sh
# Makes the work pool, registers the deployments of prefect.yaml, then runs what is asked of them.
set -eu
prefect --no-prompt work-pool create franklin --type process --overwrite
prefect --no-prompt deploy --all
exec prefect worker start --pool franklin --type process --with-healthcheck
