#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# nginx on a free loopback port, as a foreground process with all its files in a folder of its own. Sourced or run:
#
#   start_nginx FOLDER PORTFILE [WORK [EXTRA]]     serves FOLDER; sets NGINX_PID; waits until it listens
#   stop_nginx                                     ends it
#   nginx.sh FOLDER PORTFILE [WORK [EXTRA]]        the same as a process (for a fixture that starts and ends it itself)
#
# WORK: folder for nginx's own files (default: a new one, removed by stop_nginx); errors go to WORK/error.log, requests to
# WORK/access.log. EXTRA: file with lines for the server block, such as locations. With WORK/tls.crt and WORK/tls.key the port
# speaks TLS; with WORK/ca.crt a client certificate of that authority is asked for and $ssl_client_verify tells the result, unless EXTRA
# has its own ssl_protocols or ssl_verify_client.
# It listens once WORK/nginx.pid exists. One process, so that ending it leaves nothing; the port is a random free one below the range that
# the kernel gives to clients.

nginx_exec() { # FOLDER PORTFILE WORK EXTRA
    exec /usr/bin/python3 - "$@" <<'PYTHON'
import os, random, socket, sys

folder, portfile, work, extra = (sys.argv + [""])[1:5]
for attempt in range(100):
    port = random.randrange(20000, 32000)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
        try:
            s.bind(("127.0.0.1", port))
            break
        except OSError:
            continue
tls = os.path.exists(work + "/tls.crt")
more = open(extra).read() if extra else ""
lines = ["listen 127.0.0.1:%d%s;" % (port, " ssl" if tls else ""), "server_name localhost;", "root %s;" % folder]
if tls:
    lines += ["ssl_certificate %s/tls.crt;" % work, "ssl_certificate_key %s/tls.key;" % work,
              "ssl_session_cache shared:a:1m;"]
    if "ssl_protocols" not in more:
        lines.append("ssl_protocols TLSv1.1 TLSv1.2 TLSv1.3;")
    if os.path.exists(work + "/ca.crt"):
        lines.append("ssl_client_certificate %s/ca.crt;" % work)
        if "ssl_verify_client" not in more:
            lines.append("ssl_verify_client optional;")
lines.append(more)
if "location /" not in more:
    lines.append("location / { }")
temps = " ".join("%s_temp_path %s/%s;" % (t, work, t) for t in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
with open(work + "/nginx.conf", "w") as f:
    f.write("""daemon off; master_process off; worker_processes 1; user root; pid %s/nginx.pid; error_log %s/error.log info;
events { worker_connections 64; }
http { %s default_type application/octet-stream;
log_format main '$request_method $request_uri $status $body_bytes_sent $connection $ssl_session_reused';
access_log %s/access.log main;
server { %s } }
""" % (work, work, temps, work, "\n".join(lines)))
with open(portfile + ".new", "w") as f:
    f.write("%d\n" % port)
os.rename(portfile + ".new", portfile)
os.execv("/usr/sbin/nginx", ["nginx", "-c", work + "/nginx.conf", "-e", work + "/error.log"])
PYTHON
}

start_nginx() {
    NGINX_WORK=${3:-}
    NGINX_OWN=
    if [ -z "$NGINX_WORK" ]; then
        NGINX_WORK=$(mktemp -d) || return 1
        NGINX_OWN=$NGINX_WORK
    fi
    rm -f "$2" "$NGINX_WORK/nginx.pid"
    (nginx_exec "$1" "$2" "$NGINX_WORK" "${4:-}") &
    NGINX_PID=$!
    while [ ! -s "$NGINX_WORK/nginx.pid" ]; do
        kill -0 "$NGINX_PID" 2>/dev/null || return 1
        sleep 0.05
    done
}

stop_nginx() {
    kill "$NGINX_PID" 2>/dev/null
    wait "$NGINX_PID" 2>/dev/null
    [ -z "$NGINX_OWN" ] || rm -rf "$NGINX_OWN"
    NGINX_PID='' NGINX_OWN=''
}

case $0 in
*/nginx.sh)
    [ $# -ge 2 ] || { echo "usage: nginx.sh FOLDER PORTFILE [WORK [EXTRA]]" >&2; exit 2; }
    work=${3:-$(mktemp -d)}
    nginx_exec "$1" "$2" "$work" "${4:-}"
    ;;
esac
