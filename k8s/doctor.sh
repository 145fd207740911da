#!/bin/sh
# Shows which tools are installed, which are missing, what each is for and how to get it. Needs only a shell and sed, so that it
# can report a missing Node.
#
#   k8s/doctor.sh                             a table; exits 1 if demo or test lack something
#   k8s/doctor.sh --for kube-deploy           the same for one target
#   k8s/doctor.sh --for kube-deploy --quiet   only what is missing, one line each, on stderr; istio-inject itself checks istiod
set -u

target='' quiet=''
while [ $# -gt 0 ]; do
  case $1 in
    --for) target=${2-}; if [ $# -gt 1 ]; then shift; fi ;;
    --quiet) quiet=yes ;;
    *) echo "doctor: unknown argument $1; known: --for TARGET, --quiet" >&2; exit 2 ;;
  esac
  shift
done

case $target in
  '' | init | demo | live | policies | test | docs | docs-test | build | consumers | bench | compare-cost | format | protoc | check | lint) needs='node npm' ;;
  certs) needs='node npm openssl' ;;
  docker-build | docker-push | kit) needs='node npm docker engine' ;;
  kube-load) needs='node npm docker engine kubectl cluster' ;;
  kube-deploy | kube-logs | kube-verdict | kube-compare | kube-live | kube-delete | istio-eject) needs='node npm kubectl cluster' ;;
  istio-inject) needs='node npm kubectl cluster istiod' ;;
  e2e | e2e-long) needs='node npm docker engine kubectl cluster' ;;
  *)
    echo "doctor: unknown target $target; known: init demo live policies test docs docs-test build consumers bench compare-cost format protoc check lint certs docker-build docker-push kit" \
      "kube-load kube-deploy kube-logs kube-verdict kube-compare kube-live kube-delete istio-inject istio-eject e2e e2e-long" >&2
    exit 2
    ;;
esac

is_installed() { command -v "$1" >/dev/null 2>&1; }
needed() { case " $needs " in *" $1 "*) true ;; *) false ;; esac; }
# Colours only on a terminal.
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then red=$(printf '\033[31m') green=$(printf '\033[32m') dim=$(printf '\033[2m') off=$(printf '\033[0m')
else red='' green='' dim='' off=''; fi

missing=0
# row NAME FOUND FOR GET : FOUND is empty if the tool is missing; after a leading "!" it is what is wrong with it
row() {
  name=$1 found=$2 used_for=$3 get=$4
  case $found in
    '') ok='' found='missing' ;;
    '!'*) ok='' found=${found#!} ;;
    *) ok=yes ;;
  esac
  if [ -z "$ok" ] && needed "$name"; then
    missing=$((missing + 1))
    if [ -n "$quiet" ]; then echo "${target:-doctor} needs $name: $found; $get" >&2; fi
  fi
  if [ -n "$quiet" ]; then return; fi
  if [ -n "$ok" ]; then line "$green" '✓' "$name" "$found" "$used_for"; return; fi
  if needed "$name"; then line "$red" '✗' "$name" "$found" "$used_for"
  else line "$dim" '-' "$name" "$found" "$used_for"; fi
  printf '    get it: %s\n' "$get"
}
# line COLOUR MARK NAME FOUND FOR : at most 80 columns; what does not fit into its column moves the next one to a line of its own
line() {
  if [ ${#4} -le 27 ]; then printf '%s%s%s %-15s %-27s %s\n' "$1" "$2" "$off" "$3" "$4" "$5"
  else printf '%s%s%s %-15s %s\n%46s%s\n' "$1" "$2" "$off" "$3" "$4" '' "$5"; fi
}
# wanted NAME : whether its row is printed: for a target what it needs. --quiet leaves out istiod, which its target checks.
wanted() { [ -z "$target" ] || { needed "$1" && { [ -z "$quiet" ] || [ "$1" != istiod ]; }; }; }

if [ -z "$quiet" ]; then line '' ' ' 'tool' 'found' 'for'; fi

if wanted node; then
  node=''
  if is_installed node; then
    node=$(node --version 2>/dev/null) node=${node#v}
    major=${node%%.*}
    case $major in
      '' | *[!0-9]*) node='!does not run' ;;
      *) if [ "$major" -lt 20 ]; then node="!$node is too old"; fi ;;
    esac
  fi
  row node "$node" 'everything' 'Node 20 or newer: https://nodejs.org or your package manager'
fi
if wanted npm; then
  npm=''
  if is_installed npm; then npm=$(npm --version 2>/dev/null) || npm='!does not run'; fi
  row npm "$npm" 'everything' 'comes with Node: https://nodejs.org or your package manager'
fi
if wanted make; then
  make=''
  if is_installed make; then make=$(make --version 2>/dev/null | sed -n '1s/.* //p'); fi
  row make "$make" 'all targets' 'GNU make, from your package manager'
fi
if wanted git; then
  git=''
  if is_installed git; then git=$(git --version | sed 's/git version //'); fi
  row git "$git" 'check (breaking protos)' 'https://git-scm.com or your package manager'
fi
if wanted openssl; then
  openssl=''
  if is_installed openssl; then openssl=$(openssl version 2>/dev/null | sed 's/ (.*//; s/  *[0-9]* [A-Z][a-z]* [0-9]*$//'); fi
  row openssl "$openssl" 'certs' 'https://www.openssl.org or your package manager'
fi
if wanted docker; then
  docker=''
  if is_installed docker; then docker=$(docker --version 2>/dev/null | sed 's/^Docker version //; s/,.*//'); fi
  row docker "$docker" 'docker-build, kube-load' 'https://docs.docker.com/get-docker'
fi
if wanted engine; then
  engine=''
  if is_installed docker; then
    if engine=$(docker version --format '{{.Server.Version}}' 2>/dev/null) && [ -n "$engine" ]; then engine="running, $engine"
    else engine='!does not answer'; fi
  fi
  row engine "$engine" 'docker-build, kube-load' 'start Docker (or dockerd), with the right to use it'
fi
# Where istiod runs, and whether one is ready; kubectl prints a line `namespace/ready replicas` for each.
find_istiod() {
  rows='{range .items[*]}{.metadata.namespace}/{.status.readyReplicas}{"\n"}{end}'
  if ! list=$(kubectl get deployments --all-namespaces -l app=istiod --request-timeout=10s -o jsonpath="$rows" 2>/dev/null)
  then echo 'not visible with your rights'; return; fi
  ready=$(printf '%s\n' "$list" | sed -n 's|/[1-9][0-9]*$||p;' | sed -n '1p')
  if [ -n "$ready" ]; then echo "in $ready, ready"
  elif [ -n "$list" ]; then echo "!in ${list%%/*}, not ready"
  else echo '!not in this cluster'; fi
}
if wanted kubectl || wanted cluster || wanted istiod; then
  kubectl='' cluster='' istiod=''
  if is_installed kubectl; then
    kubectl=$(kubectl version --client 2>/dev/null | sed -n 's/^Client Version: v*//p')
    kubectl=${kubectl:-found}
    context=$(kubectl config current-context 2>/dev/null) || context=''
    if answer=$(kubectl get --raw /version --request-timeout=10s 2>&1); then
      version=$(printf '%s\n' "$answer" | sed -n 's/.*"gitVersion": *"v*\([^"]*\)".*/\1/p')
      cluster="${context:-in this pod}, ${version:-unknown version}"
    else
      if [ -z "$context" ]; then cluster='!no current context'
      else
        cluster="!$context does not answer"
        if [ -n "$quiet" ]; then cluster="$cluster ($(printf '%s\n' "$answer" | tail -n 1))"; fi
      fi
      if [ -n "${KUBECONFIG-}" ]; then cluster="$cluster, KUBECONFIG=$KUBECONFIG"; fi
    fi
    if wanted istiod; then
      case $cluster in
        '!'*) istiod='!no cluster' ;;
        *) istiod=$(find_istiod) ;;
      esac
    fi
  fi
  if wanted kubectl; then row kubectl "$kubectl" 'kube-*, istio-*' 'https://kubernetes.io/docs/tasks/tools'; fi
  if wanted cluster; then
    row cluster "$cluster" 'kube-*, istio-*, e2e' 'start one (kind create cluster), or point KUBECONFIG at one'
  fi
  if wanted istiod; then row istiod "$istiod" 'istio-inject' 'https://istio.io/latest/docs/setup/install/istioctl'; fi
fi
if [ -z "$quiet" ] && { [ -z "$target" ] || [ "$target" = kube-load ]; }; then
  loader=''
  for tool in kind minikube k3d; do
    if is_installed "$tool"; then loader="${loader:+$loader, }$tool"; fi
  done
  row 'local cluster' "$loader" 'kube-load' 'kind.sigs.k8s.io, minikube.sigs.k8s.io or k3d.io'
fi
# What more strategies of the demo and more tests need.
case $quiet$target in '' | demo | live | test | check | bench | compare-cost | docs-test) more=yes ;; *) more='' ;; esac
if [ -n "$more" ]; then
  etcd='' consul=''
  if is_installed etcd; then
    etcd=$(etcd --version 2>/dev/null | sed -n 's/^etcd Version: //p') etcd=${etcd:-'!does not run'}
  fi
  if is_installed consul; then
    consul=$(consul version 2>/dev/null | sed -n 's/^Consul v//p') consul=${consul:-'!does not run'}
  fi
  row etcd "$etcd" 'demo STRATEGIES=all, test' 'apt install etcd-server, or https://etcd.io/docs/latest/install'
  row consul "$consul" 'demo STRATEGIES=all, test' 'https://developer.hashicorp.com/consul/install'
  for proxy in envoy nginx haproxy; do
    found=''
    if is_installed $proxy; then
      # envoy  version: <commit>/1.40.0/…, nginx version: nginx/1.22.1, HAProxy version 2.6.12-1 …
      found=$($proxy "$([ $proxy = envoy ] && echo --version || echo -v)" 2>&1 |
        sed -n 's|^.*[/ ]\([0-9][0-9]*\.[0-9][0-9.]*\).*|\1|p' | sed 1q)
      found=${found:-'!does not run'}
    fi
    case $proxy in
      envoy) get='https://www.envoyproxy.io/docs/envoy/latest/start/install' ;;
      nginx) get='apt install nginx-light, or https://nginx.org' ;;
      haproxy) get='apt install haproxy, or https://www.haproxy.org' ;;
    esac
    row $proxy "$found" "demo STRATEGIES=$proxy" "$get"
  done
fi
if [ -z "$quiet$target" ]; then
  grpcurl=''
  if is_installed grpcurl; then grpcurl=$(grpcurl -version 2>&1 | sed 's/^grpcurl //; q'); fi
  row grpcurl "$grpcurl" 'calling the server by hand' 'https://github.com/fullstorydev/grpcurl'
fi
if [ -z "$quiet" ]; then
  for_what=${target:-demo and test}
  if [ "$missing" -eq 0 ]; then echo "$for_what: nothing is missing"
  else echo "$for_what: what is marked ✗ is missing"; fi
fi
[ "$missing" -eq 0 ]
