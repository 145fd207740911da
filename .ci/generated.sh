#!/bin/sh
# Fails when protos/gen is not what the .proto files generate. Run by Nx from the root of the repository.
set -eu
fresh=$(mktemp -d)
trap 'rm -r "$fresh"' EXIT
node protos/generate.ts "$fresh"
diff -r "$fresh/gen" protos/gen || { echo 'protos/gen is not up to date; run: make protoc' >&2; exit 1; }
