#!/bin/sh
# Uses a kit that `make kit` has packed, with no network: sh grpc-lb-kit/use.sh. Installs the dependencies from the kit's cache of
# npm, and loads the images into docker where there is one.
set -eu
cd "$(dirname "$0")"
kit=$PWD

# The cache is found by the registry's address, which is that of the machine that packed it.
registry=$(sed -n 's/^registry=//p' kit.conf)
(cd grpc-lb && npm_config_cache=$kit/npm-cache npm_config_offline=true npm_config_registry=$registry sh .ci/install.sh --include=dev)

if docker version >/dev/null 2>&1; then docker load --quiet --input images.tar.gz
else echo "docker does not run here: the images are not loaded, which the exercises on a cluster need"; fi

echo
echo "ready: cd $kit/grpc-lb && make demo"
