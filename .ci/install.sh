#!/bin/sh
# Installs the dependencies from package-lock.json: `sh .ci/install.sh --omit=dev` what the programs need, with --include=dev
# what development needs too. Run by make, which passes in MACHINE_PATH the PATH without node_modules/.bin: npm must not run on
# the Node that it replaces.
set -u
PATH=${MACHINE_PATH:-$PATH}
sh k8s/doctor.sh --for init --quiet || exit 1

# These settings of npm make it install the packages of some workspaces only, and its ping fail.
for name in $(env | sed -n 's/^\([Nn][Pp][Mm]_[Cc][Oo][Nn][Ff][Ii][Gg]_[A-Za-z_]*\)=.*/\1/p'); do
  case $(printf '%s' "$name" | tr '[:upper:]' '[:lower:]') in
    npm_config_workspace | npm_config_workspaces | npm_config_include_workspace_root | npm_config_dry_run) unset "$name" ;;
  esac
done
# For the npm that an install script runs, which does not get the flags below.
export npm_config_dry_run=false

# A registry that does not answer makes npm ci wait minutes, package by package. An answer of any kind will do here.
offline=
problem=$(npm ping --fetch-retries=0 --fetch-timeout=10000 --loglevel=error 2>&1) ||
  case $problem in
    *'code E4'[0-9][0-9]* | *'code E5'[0-9][0-9]*) ;;
    *) offline=--offline ;;
  esac

if [ "$1" = --include=dev ]; then what='all dependencies'; else what='what the programs need'; fi
if [ -z "$offline" ]; then echo "installing $what from package-lock.json (once)"
else echo "installing $what from npm's cache (once): the registry $(npm config get registry) does not answer"; fi
# Flags take precedence over npm's environment and configuration, which may leave out what is needed (NODE_ENV=production,
# ignore-scripts, omit).
# shellcheck disable=SC2086 # empty or one flag
npm ci "$1" $offline --include=optional --ignore-scripts=false --bin-links --no-dry-run --no-global --prefer-offline \
  --no-audit --no-fund --loglevel=error --fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-timeout=60000 || {
  if [ -n "$offline" ]; then
    echo "init: npm's cache does not have every package, and the registry $(npm config get registry) does not answer:" \
      "$(printf '%s\n' "$problem" | sed -n 's/^npm error \(code [A-Z_]*\)$/\1/p')" >&2
  fi
  exit 1
}
version=$(node_modules/.bin/node --version 2>/dev/null)
case $version in
  v24.*) ;;
  *)
    echo "init: node_modules/.bin/node must be Node 24, got ${version:-no program}: the install script of the package node failed" >&2
    exit 1
    ;;
esac
touch node_modules/.runtime
if [ "$1" = --include=dev ]; then touch node_modules/.installed; fi
