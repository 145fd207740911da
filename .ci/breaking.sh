#!/bin/sh
# Fails when the .proto files break those of branch main. Run by Nx from the root of the repository.
set -eu
if base=$(git rev-parse --verify --quiet origin/main || git rev-parse --verify --quiet main); then
  exec buf breaking protos --against ".git#ref=$base,subdir=protos"
fi
echo 'there is no branch main to compare with, so breaking changes are not detected'
