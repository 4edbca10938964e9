#!/usr/bin/env bash
# Brings up the servers that the tests and benchmarks talk to, on loopback only: on Debian, as root, without systemd and
# without Docker. Everybody else runs `docker compose up -d`, or sets the URLs.
#
#   services.sh up [name...]      install what is missing, start, wait until ready; harmless when it is up
#   services.sh down [name...]    stop what this script started (only that, by pid file)
#   services.sh restart [name...] stop and start, as a server does that is updated
#   services.sh reset             down, and delete the data
#   services.sh status [name...]  one line per service; exit 1 if one is not ready
#   services.sh env               print export lines: eval "$(scripts/services.sh env)"
#
# names: postgres redis rabbitmq nats kafka (default: all)
# A service whose URL is set (DATABASE_URL, REDIS_URL, AMQP_URL, NATS_URL, KAFKA_BROKERS) is yours: it is left alone, and its URL is
# given on. There is no Kafka in Debian: kafka is a stand-in that speaks its protocol (kafka-stand-in.py), on other ports at each start.
# Knobs: SERVICES_DIR, PG_PORT, REDIS_PORT, AMQP_PORT, NATS_PORT, RABBIT_DIST_PORT, EPMD_PORT, SERVICES_DURABLE=1 (fsync on for PostgreSQL and AOF for Redis)
set -euo pipefail

SERVICES_DIR=${SERVICES_DIR:-/var/tmp/nestjs-emissions-services}
# Not the standard ports (a developer may have those in use), and below 32768: a port in the kernel's ephemeral
# range (net.ipv4.ip_local_port_range) can be taken at any moment by some outgoing connection.
PG_PORT=${PG_PORT:-15432}
REDIS_PORT=${REDIS_PORT:-16379}
AMQP_PORT=${AMQP_PORT:-15670}
NATS_PORT=${NATS_PORT:-14222}
RABBIT_DIST_PORT=${RABBIT_DIST_PORT:-15669}
EPMD_PORT=${EPMD_PORT:-14369}
SERVICES_DURABLE=${SERVICES_DURABLE:-0}
READY_TIMEOUT=${READY_TIMEOUT:-60}
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
ALL=(postgres redis rabbitmq nats kafka)
export LC_ALL=C

log() { printf '%s\n' "services: $*" >&2; }
die() { log "$*"; exit 1; }
ms()  { date +%s%3N; }
# a port is open when a TCP connect on loopback succeeds (bash's own /dev/tcp: no nc needed)
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# alive <name>: our pid file names a live process whose command line still is that service
alive() {
  local f="$SERVICES_DIR/$1.pid" p
  [ -s "$f" ] || return 1
  p=$(head -n1 "$f"); [ -n "$p" ] && [ -d "/proc/$p" ] || return 1
  [ "$(awk '{print $3}' "/proc/$p/stat" 2>/dev/null)" != Z ] || return 1
  # While a process becomes another program (exec), its command line is empty for a moment.
  local line=''
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    line=$(tr '\0' ' ' <"/proc/$p/cmdline" 2>/dev/null) || return 1
    [ -n "$line" ] && break
    sleep 0.02
  done
  grep -qE "$2" <<<"$line"
}
wait_for() { # wait_for <name> <test command...>
  local name=$1 t0; shift; t0=$(ms)
  until "$@" >/dev/null 2>&1; do
    if ! alive "$name" . || [ $(( $(ms) - t0 )) -gt $(( READY_TIMEOUT * 1000 )) ]; then
      log "$name ended or is not ready after $(( ($(ms) - t0) / 1000 ))s; last lines of its log:"
      tail -n 20 "$SERVICES_DIR/$name.log" >&2 2>/dev/null || true
      return 1
    fi
    sleep 0.05
  done
}
port_free_or_die() { if port_open "$2"; then die "$1: port $2 on 127.0.0.1 is taken by a process this script did not start (set another port)"; fi; }
# exec_bg <name> <command...>: background, own session, log and pid file; the pid is the service's own
exec_bg() { local n=$1; shift; ( exec setsid "$@" ) >>"$SERVICES_DIR/$n.log" 2>&1 </dev/null & echo $! >"$SERVICES_DIR/$n.pid"; }
as() { local u=$1; shift; setpriv --reuid "$u" --regid "$u" --init-groups --reset-env "$@"; }

# ---------------------------------------------------------------- install
PGBIN() { ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n1; }
install_missing() {
  local want=() n
  for n in "$@"; do case $n in
    postgres) [ -x "$(PGBIN)/postgres" ] || want+=(postgresql) ;;
    redis)    command -v redis-server >/dev/null || want+=(redis-server) ;;
    rabbitmq) [ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || want+=(rabbitmq-server) ;;
    nats)     command -v nats-server >/dev/null || want+=(nats-server) ;;
    kafka)    { [ -x /usr/bin/python3 ] && ls /usr/lib/*/librdkafka.so.1; } >/dev/null 2>&1 || want+=(python3 librdkafka1) ;;
  esac; done
  [ ${#want[@]} -eq 0 ] && return 0
  [ "$(id -u)" = 0 ] || die "must be root to install: ${want[*]}"
  log "installing ${want[*]}"
  # Without this, the packages' post-install scripts start the init.d services, on the standard ports.
  local policy=/usr/sbin/policy-rc.d made=0
  if [ ! -e $policy ]; then printf '#!/bin/sh\nexit 101\n' >$policy; chmod 755 $policy; made=1; fi
  # no default cluster: we make our own
  if [[ " ${want[*]} " == *" postgresql "* ]]; then
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/nestjs-emissions.conf
  fi
  local opts=(-y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3)
  export DEBIAN_FRONTEND=noninteractive
  { apt-get install "${opts[@]}" "${want[@]}" || { apt-get update -qq && apt-get install "${opts[@]}" "${want[@]}"; }; } >"$SERVICES_DIR/apt.log" 2>&1 \
    || { tail -n 30 "$SERVICES_DIR/apt.log" >&2; die "apt-get failed"; }
  [ $made = 0 ] || rm -f $policy
}

# ---------------------------------------------------------------- PostgreSQL
pg_ready() { "$(PGBIN)/pg_isready" -q -h 127.0.0.1 -p "$PG_PORT"; }
up_postgres() {
  alive postgres postgres && return 0
  port_free_or_die postgres "$PG_PORT"
  local bin d=$SERVICES_DIR/postgres; bin=$(PGBIN)
  install -d -o postgres -g postgres -m 700 "$d"; : >>"$SERVICES_DIR/postgres.log"; chown postgres "$SERVICES_DIR/postgres.log"
  # postgres refuses to run as root; initdb too
  [ -s "$d/PG_VERSION" ] || as postgres "$bin/initdb" -D "$d" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$SERVICES_DIR/postgres.log" 2>&1
  rm -f "$d/postmaster.pid"   # left by a killed machine; alive() already said it is not ours
  local o=(-c listen_addresses=127.0.0.1 -c "port=$PG_PORT" -c unix_socket_directories= -c max_connections=200 -c shared_buffers=128MB)
  [ "$SERVICES_DURABLE" = 1 ] || o+=(-c fsync=off -c synchronous_commit=off -c full_page_writes=off)
  # `exec`, so that $! is the postmaster itself and no shell stays behind holding the lock's descriptor
  ( exec setsid setpriv --reuid postgres --regid postgres --init-groups --reset-env "$bin/postgres" -D "$d" "${o[@]}" ) >>"$SERVICES_DIR/postgres.log" 2>&1 </dev/null &
  echo $! >"$SERVICES_DIR/postgres.pid"
  wait_for postgres pg_ready
}
down_postgres() { stop_pid postgres postgres INT; }   # INT = fast shutdown

# ---------------------------------------------------------------- Redis
redis_ready() { [ "$(redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping 2>/dev/null)" = PONG ]; }
up_redis() {
  alive redis redis-server && return 0
  port_free_or_die redis "$REDIS_PORT"
  local d=$SERVICES_DIR/redis aof=(no); mkdir -p "$d"
  # not every second: then it may answer before it has written
  [ "$SERVICES_DURABLE" = 1 ] && aof=(yes --appendfsync always)
  exec_bg redis redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$d" --save '' --appendonly "${aof[@]}" \
    --daemonize no --protected-mode yes
  wait_for redis redis_ready
}
down_redis() { stop_pid redis redis-server TERM; }

# ---------------------------------------------------------------- RabbitMQ
# Run straight from /usr/lib/rabbitmq/bin (not the /usr/sbin wrapper, which insists on `su rabbitmq`
# and on /var/lib/rabbitmq): own cookie (HOME), own mnesia, own epmd port, all on loopback.
# RUNNING_UNDER_SYSTEMD makes the start script exec the Erlang VM, so that $! is the VM and not a shell in front of it.
rabbit_env() {
  local d=$SERVICES_DIR/rabbitmq
  printf '%s\n' "HOME=$d" "RUNNING_UNDER_SYSTEMD=1" "PATH=/usr/lib/rabbitmq/bin:/usr/sbin:/usr/bin:/sbin:/bin" "LANG=C.UTF-8" \
    "RABBITMQ_NODENAME=emissions@localhost" "RABBITMQ_DIST_PORT=$RABBIT_DIST_PORT" \
    "RABBITMQ_MNESIA_BASE=$d/mnesia" "RABBITMQ_LOG_BASE=$d/log" "RABBITMQ_CONFIG_FILE=$d/rabbitmq.conf" \
    "RABBITMQ_ENABLED_PLUGINS_FILE=$d/enabled_plugins" "RABBITMQ_CONF_ENV_FILE=/dev/null" \
    "ERL_EPMD_ADDRESS=127.0.0.1" "ERL_EPMD_PORT=$EPMD_PORT" \
    "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
}
rabbit_run() { local e; mapfile -t e < <(rabbit_env); as rabbitmq env -i "${e[@]}" "$@"; }
amqp_ready() { # protocol-level: the broker answers an AMQP header with connection.start (frame type 1)
  local b; exec 4<>"/dev/tcp/127.0.0.1/$AMQP_PORT" || return 1
  printf 'AMQP\x00\x00\x09\x01' >&4; b=$(timeout 2 head -c1 <&4 | od -An -tu1 | tr -d ' '); exec 4>&-
  [ "$b" = 1 ]
}
up_rabbitmq() {
  alive rabbitmq 'beam|erl|rabbitmq-server' && return 0
  port_free_or_die rabbitmq "$AMQP_PORT"
  local d=$SERVICES_DIR/rabbitmq
  mkdir -p "$d/mnesia" "$d/log"
  cat >"$d/rabbitmq.conf" <<C
listeners.tcp.local = 127.0.0.1:$AMQP_PORT
log.file.level = warning
disk_free_limit.absolute = 50MB
loopback_users.guest = true
C
  [ -s "$d/enabled_plugins" ] || echo '[].' >"$d/enabled_plugins"
  # the cookie must be readable by its owner alone, or the VM refuses to start
  [ -s "$d/.erlang.cookie" ] || head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$d/.erlang.cookie"
  chmod 400 "$d/.erlang.cookie"; chown -R rabbitmq:rabbitmq "$d"
  local e; mapfile -t e < <(rabbit_env)
  ( cd "$d"; exec setsid setpriv --reuid rabbitmq --regid rabbitmq --init-groups env -i "${e[@]}" \
      /usr/lib/rabbitmq/bin/rabbitmq-server ) >>"$SERVICES_DIR/rabbitmq.log" 2>&1 </dev/null &
  echo $! >"$SERVICES_DIR/rabbitmq.pid"
  wait_for rabbitmq amqp_ready
}
down_rabbitmq() {
  stop_pid rabbitmq 'beam|erl|rabbitmq-server' TERM
  # epmd outlives the node; it is ours alone because of its own port
  if [ -d "$SERVICES_DIR/rabbitmq" ] && port_open "$EPMD_PORT"; then rabbit_run epmd -port "$EPMD_PORT" -kill >/dev/null 2>&1 || true; fi
}

# ---------------------------------------------------------------- NATS
nats_ready() { local l; exec 5<>"/dev/tcp/127.0.0.1/$NATS_PORT" || return 1; read -r -t 2 l <&5; exec 5>&-; [[ $l == INFO*'"jetstream":true'* ]]; }
up_nats() {
  alive nats nats-server && return 0
  port_free_or_die nats "$NATS_PORT"
  mkdir -p "$SERVICES_DIR/nats"
  exec_bg nats nats-server -a 127.0.0.1 -p "$NATS_PORT" -js -sd "$SERVICES_DIR/nats"
  wait_for nats nats_ready
}
down_nats() { stop_pid nats nats-server TERM; }

# ---------------------------------------------------------------- Kafka: a stand-in
kafka_brokers() { ! alive kafka kafka-stand-in || sed -n 's/^KAFKA_BROKERS=//p' "$SERVICES_DIR/kafka.log" 2>/dev/null | tail -n1; }
kafka_ready() { local b; b=$(kafka_brokers); [ -n "$b" ] && port_open "${b##*:}"; }
up_kafka() {
  alive kafka kafka-stand-in && return 0
  : >"$SERVICES_DIR/kafka.log"; rm -f "$SERVICES_DIR/kafka.stdin"; mkfifo "$SERVICES_DIR/kafka.stdin"
  # The fifo is open for reading and writing, so that standard input does not end.
  ( exec setsid /usr/bin/python3 "$HERE/kafka-stand-in.py" 3 ) >>"$SERVICES_DIR/kafka.log" 2>&1 <>"$SERVICES_DIR/kafka.stdin" &
  echo $! >"$SERVICES_DIR/kafka.pid"
  wait_for kafka kafka_ready
}
down_kafka() { stop_pid kafka kafka-stand-in TERM; }

# ---------------------------------------------------------------- common
stop_pid() { # name, cmdline pattern, signal
  local f="$SERVICES_DIR/$1.pid" p
  if alive "$1" "$2"; then
    p=$(head -n1 "$f"); kill -"$3" "$p" 2>/dev/null || true
    for _ in $(seq 1 200); do alive "$1" "$2" || break; sleep 0.05; done
    if alive "$1" "$2"; then log "$1 did not stop in 10s, killing $p"; kill -KILL "$p" 2>/dev/null || true; fi
  fi
  rm -f "$f"
}
url_of() {
  case $1 in
    postgres) echo "${DATABASE_URL:-postgres://postgres@127.0.0.1:$PG_PORT/postgres}" ;;
    redis) echo "${REDIS_URL:-redis://127.0.0.1:$REDIS_PORT}" ;;
    rabbitmq) echo "${AMQP_URL:-amqp://guest:guest@127.0.0.1:$AMQP_PORT}" ;;
    nats) echo "${NATS_URL:-nats://127.0.0.1:$NATS_PORT}" ;;
    kafka) echo "${KAFKA_BROKERS:-$(kafka_brokers)}" ;;
  esac
}
is_yours() {
  case $1 in
    postgres) [ -n "${DATABASE_URL:-}" ] ;;
    redis) [ -n "${REDIS_URL:-}" ] ;;
    rabbitmq) [ -n "${AMQP_URL:-}" ] ;;
    nats) [ -n "${NATS_URL:-}" ] ;;
    kafka) [ -n "${KAFKA_BROKERS:-}" ] ;;
  esac
}
print_env() {
  echo "export DATABASE_URL=$(url_of postgres)"
  echo "export REDIS_URL=$(url_of redis)"
  echo "export AMQP_URL=$(url_of rabbitmq)"
  echo "export NATS_URL=$(url_of nats)"
  local brokers; brokers=$(url_of kafka)
  [ -z "$brokers" ] || echo "export KAFKA_BROKERS=$brokers"
}
is_ready() { case $1 in postgres) pg_ready ;; redis) redis_ready ;; rabbitmq) amqp_ready ;; nats) nats_ready ;; kafka) alive kafka kafka-stand-in && kafka_ready ;; esac; }

cmd=${1:-up}; [ $# -gt 0 ] && shift
names=("$@"); [ ${#names[@]} -gt 0 ] || names=("${ALL[@]}")
ours=()
for n in "${names[@]}"; do
  [[ " ${ALL[*]} " == *" $n "* ]] || die "there is no service $n; there are: ${ALL[*]}"
  is_yours "$n" || ours+=("$n")
done

up() {
  mkdir -p "$SERVICES_DIR"; chmod 755 "$SERVICES_DIR"
  exec 9>"$SERVICES_DIR/.lock"; flock -w 300 9 || die "another up or down holds the lock"
  install_missing "${ours[@]}"
  local pids=() rc=0 n p
  for n in "${ours[@]}"; do ( "up_$n" 9>&- || { log "$n FAILED"; exit 1; } ) & pids+=($!); done
  for p in "${pids[@]}"; do wait "$p" || rc=1; done
  [ $rc = 0 ] || die "not everything is up"
  exec 9>&-
}
down() {
  [ -d "$SERVICES_DIR" ] || return 0
  exec 9>"$SERVICES_DIR/.lock"; flock -w 300 9
  local n
  for n in "${ours[@]}"; do "down_$n" 9>&- & done; wait
  exec 9>&-
}

case $cmd in
  up) [ ${#ours[@]} -eq 0 ] || up; print_env ;;
  down) [ ${#ours[@]} -eq 0 ] || down ;;
  restart) [ ${#ours[@]} -eq 0 ] || { down; up; } ;;
  reset) down; rm -rf "${SERVICES_DIR:?}"; log "data deleted" ;;
  status)
    rc=0
    for n in "${names[@]}"; do
      if is_yours "$n"; then echo "$n is yours: $(url_of "$n")"
      elif is_ready "$n" >/dev/null 2>&1; then echo "$n up: $(url_of "$n")"
      else echo "$n down"; rc=1; fi
    done
    exit $rc ;;
  env) print_env ;;
  *) die "usage: $0 up|down|restart|reset|status|env [${ALL[*]}]" ;;
esac
