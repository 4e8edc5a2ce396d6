#!/usr/bin/env python3
"""Starts a command as systemd would (sd_notify(3)): waits for READY=1 and two WATCHDOG=1, sends SIGTERM, waits for
STOPPING=1 and an exit code of 0. Usage: notify.py COMMAND..."""

import os
import signal
import socket
import subprocess
import sys
import tempfile

with tempfile.TemporaryDirectory() as directory:
    path = os.path.join(directory, "notify")
    told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    told.bind(path)
    told.settimeout(15)
    # Half of it is between two signs of life.
    environment = os.environ | {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "1000000"}
    # systemd names the process that it expects to hear from, which only that process knows here.
    as_named = ["sh", "-c", 'WATCHDOG_PID=$$ exec "$0" "$@"', *sys.argv[1:]]
    running = subprocess.Popen(as_named, env=environment)

    def wait_for(line, times=1):
        while times:
            times -= told.recv(4096).decode().splitlines().count(line)

    try:
        wait_for("READY=1")
        wait_for("WATCHDOG=1", 2)
        running.send_signal(signal.SIGTERM)
        wait_for("STOPPING=1")
        sys.exit(running.wait(15))
    except TimeoutError:
        running.kill()
        sys.exit("systemd would have heard too little of " + " ".join(sys.argv[1:]))
