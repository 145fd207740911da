# Runs nginx, and reloads it when the addresses of server-headless change: it resolves the name only when it reads its configuration.
addresses() { getent ahosts server-headless | cut -d ' ' -f 1 | sort -u; }

# The first process of a container ignores TERM unless it traps it.
trap 'exit 0' TERM
known=$(addresses)
while [ -z "$known" ]; do
  sleep 1 &
  wait $!
  known=$(addresses)
done
nginx -c /etc/grpc-lb/nginx.conf -e stderr -g 'daemon off;' &
nginx=$!
trap 'kill -QUIT "$nginx"' TERM
while kill -0 "$nginx" 2>/dev/null; do
  now=$(addresses)
  if [ -n "$now" ] && [ "$now" != "$known" ]; then
    known=$now
    kill -HUP "$nginx"
  fi
  sleep 1 &
  wait $!
done
wait "$nginx"
