#!/bin/sh
# Prints which of the programs that tests run are on this machine, so that an installed or upgraded one invalidates the tests'
# cached results: a test whose program is missing is skipped.
for tool in node kubectl etcd consul git make bmake go openssl chromium promtool; do
  path=$(command -v "$tool") && ls -lL "$path"
done
exit 0
