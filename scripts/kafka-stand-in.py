#!/usr/bin/env python3
"""A stand-in for Kafka, for tests: the mock cluster of librdkafka, driven through ctypes. It speaks the real protocol and keeps
the newest records of each partition in memory; it knows no disks, replication, access rights or TLS.

    kafka-stand-in.py [brokers]     3 unless it says otherwise

Wants Debian's python3 and librdkafka1, and no compiler. Listens on loopback, on ports that the kernel picks. Prints
KAFKA_BROKERS=…, then answers each line of standard input with OK or ERR, until that ends:

    errors <ApiKey> <code>...          what the next requests of that kind are answered; 0 is none (Produce=0 Fetch=1 Metadata=3)
    no-errors <ApiKey>                 takes back those that are left
    broker-error <id> <ApiKey> <code>  what the next one at that broker is answered
    topic <name> <partitions>          makes a topic; others are made, with 4, when they are asked for, except 'no-such-topic'
    topic-error <name> <code>          what is asked about that topic fails; 0 for no longer
    leader <topic> <partition> <id>    moves a partition
    down <id> | up <id>                closes a broker's connections and refuses new ones, or takes them again
    rtt <id> <ms>                      how long a broker takes to answer
"""
import ctypes
import os
import socket
import sys
import threading
import time

rdkafka = ctypes.CDLL(os.environ.get('LIBRDKAFKA', 'librdkafka.so.1'))
POINTER, INT, SHORT, ID, TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_int16, ctypes.c_int32, ctypes.c_char_p


def function(name, result, *takes):
    found = getattr(rdkafka, 'rd_kafka_' + name)
    found.restype, found.argtypes = result, takes
    return found


def start(brokers):
    problem = ctypes.create_string_buffer(512)
    conf = function('conf_new', POINTER)()
    function('conf_set', INT, POINTER, TEXT, TEXT, TEXT, ctypes.c_size_t)(conf, b'log_level', b'3', problem, 512)
    client = function('new', POINTER, INT, POINTER, TEXT, ctypes.c_size_t)(0, conf, problem, 512)
    if not client:
        sys.exit(problem.value.decode())
    cluster = function('mock_cluster_new', POINTER, POINTER, INT)(client, brokers)
    if not cluster:
        sys.exit('librdkafka gives no mock cluster')
    # What it answers to newer versions of Fetch and ListOffsets (2.0), JoinGroup and SyncGroup (2.15) is not what consumers of
    # @platformatic/kafka take.
    for api, newest in ((1, 4), (2, 1), (11, 5), (14, 3)):
        function('mock_set_apiversion', INT, POINTER, SHORT, SHORT, SHORT)(cluster, api, 0, newest)
    # Where it can be said: else the controller is a broker that there is not, and idempotent producers of kafkajs ask for it.
    if hasattr(rdkafka, 'rd_kafka_mock_set_controller_id'):
        function('mock_set_controller_id', None, POINTER, ID)(cluster, 1)
    return cluster


def send_at_once():
    """A real broker switches Nagle's algorithm off; the mock does not, and makes a second request wait for 40 ms."""
    done = {}
    while True:
        for name in os.listdir('/proc/self/fd'):
            try:
                target = os.readlink('/proc/self/fd/' + name)
                if not target.startswith('socket:') or done.get(name) == target:
                    continue
                with socket.socket(fileno=os.dup(int(name))) as copy:
                    copy.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                done[name] = target
            except OSError:
                pass
        time.sleep(0.02)


cluster = start(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
threading.Thread(target=send_at_once, daemon=True).start()

push_errors = function('mock_push_request_errors_array', None, POINTER, SHORT, ctypes.c_size_t, POINTER)
push_broker_errors = rdkafka.rd_kafka_mock_broker_push_request_error_rtts
broker = (INT, POINTER, ID)


def errors(api, *codes):
    push_errors(cluster, int(api), len(codes), (INT * len(codes))(*map(int, codes)))
    return 0


def broker_error(name, api, code):
    return push_broker_errors(POINTER(cluster), ID(int(name)), SHORT(int(api)), ctypes.c_size_t(1), INT(int(code)), INT(0))


def topic_error(name, code):
    function('mock_topic_set_error', None, POINTER, TEXT, INT)(cluster, name.encode(), int(code))
    return 0


# It makes every topic that is asked for, whatever the client says to that; one is needed that there is not.
topic_error('no-such-topic', 3)

VERBS = {
    'errors': errors,
    'no-errors': lambda api: function('mock_clear_request_errors', None, POINTER, SHORT)(cluster, int(api)) or 0,
    'broker-error': broker_error,
    'topic': lambda name, count: function('mock_topic_create', INT, POINTER, TEXT, INT, INT)(
        cluster, name.encode(), int(count), 1
    ),
    'topic-error': topic_error,
    'leader': lambda topic, part, to: function('mock_partition_set_leader', INT, POINTER, TEXT, ID, ID)(
        cluster, topic.encode(), int(part), int(to)
    ),
    'down': lambda name: function('mock_broker_set_down', *broker)(cluster, int(name)),
    'up': lambda name: function('mock_broker_set_up', *broker)(cluster, int(name)),
    'rtt': lambda name, ms: function('mock_broker_set_rtt', *broker, INT)(cluster, int(name), int(ms)),
}

print('KAFKA_BROKERS=' + function('mock_cluster_bootstraps', TEXT, POINTER)(cluster).decode(), flush=True)
for line in sys.stdin:
    words = line.split()
    try:
        answer = 'OK' if VERBS[words[0]](*words[1:]) == 0 else 'ERR'
    except (IndexError, KeyError, TypeError, ValueError):
        answer = 'ERR'
    print(answer, line.strip(), flush=True)
