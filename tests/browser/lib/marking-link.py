"""A link between a browser and a server's media port that keeps and sets ECN bits, which Node's sockets cannot: each datagram
is read with its traffic class (IP_RECVTOS) and sent on with it (IP_TOS). It delays, has a rate in one direction and a queue
there, and marks what is ECT(1) as CE (RFC 9331) that waited for longer than `mark` milliseconds: a step, as of RFC 9332, whose
queue does not mark its last packet either, since that waited for the one that was being sent.

Usage: marking-link.py JSON, with port: the server's; narrow: "up" or "down"; rate: bit/s; delay, queue and mark: milliseconds,
mark 0 for none. Says its own port in one line of JSON, and what it saw in another once its input ends.
"""

import heapq
import json
import os
import select
import socket
import sys
import time

HOST = "127.0.0.1"
ECT1, CE = 1, 3


def kind(datagram):
    """By the first bytes (RFC 7983, RFC 5761 section 4)."""
    if datagram[0] < 4:
        return "STUN"
    if datagram[0] >> 6 != 2:
        return "DTLS"
    return "RTCP" if 64 <= datagram[1] & 0x7F <= 95 else "RTP"


def bind():
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    link.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 21)
    link.setblocking(False)
    link.bind((HOST, 0))
    return link


def receive(link):
    """A datagram, its traffic class, and whose it is."""
    datagram, controls, _, source = link.recvmsg(2048, 64)
    classes = [data[0] for level, option, data in controls if (level, option) == (socket.IPPROTO_IP, socket.IP_TOS)]
    return datagram, (classes or [0])[0], source


class Link:
    def __init__(self, options):
        self.options = options
        self.near = bind()
        self.far = {}
        self.clients = {}
        self.waiting = []
        self.order = 0
        self.free_at = 0.0
        self.last = None
        self.seen = {"waits": [], "lost": 0, "marked": 0, "bytes": 0, "ecn": {}}

    def run(self):
        print(json.dumps({"port": self.near.getsockname()[1]}), flush=True)
        while True:
            until = self.waiting[0][0] - time.monotonic() if self.waiting else 1.0
            readable, _, _ = select.select([0, self.near, *self.clients], [], [], max(0.0, until))
            for link in readable:
                if link == 0:
                    if not os.read(0, 1024):
                        return
                else:
                    self.drain(link)
            while self.waiting and self.waiting[0][0] <= time.monotonic():
                _, _, packet = heapq.heappop(self.waiting)
                tos = (socket.IPPROTO_IP, socket.IP_TOS, packet["tos"].to_bytes(4, sys.byteorder))
                packet["out"].sendmsg([packet["datagram"]], [tos], 0, packet["to"])

    def drain(self, link):
        while True:
            try:
                datagram, tos, source = receive(link)
            except (BlockingIOError, ConnectionRefusedError):
                return
            if not datagram:
                continue
            if link is self.near:
                if source not in self.far:
                    self.far[source] = bind()
                    self.clients[self.far[source]] = source
                self.take("up", datagram, tos, self.far[source], (HOST, self.options["port"]))
            else:
                self.take("down", datagram, tos, self.near, self.clients[link])

    def take(self, direction, datagram, tos, out, to):
        now = time.monotonic()
        key = f"{direction} {kind(datagram)} {tos & 3:02b}"
        self.seen["ecn"][key] = self.seen["ecn"].get(key, 0) + 1
        packet = {"out": out, "datagram": datagram, "tos": tos, "to": to, "begins": now, "waits": 0}
        leaves = now
        if direction == self.options["narrow"]:
            begins = max(now, self.free_at)
            waits = 1_000 * (begins - now)
            if waits > self.options["queue"]:
                self.seen["lost"] += 1
                return
            if self.last and now <= self.last["begins"]:
                self.mark(self.last)
            self.last = packet
            packet["begins"], packet["waits"] = begins, waits
            self.seen["waits"].append([round(1_000 * time.time()), round(waits, 2)])
            self.seen["bytes"] += len(datagram)
            self.free_at = leaves = begins + len(datagram) * 8 / self.options["rate"]
        self.order += 1
        heapq.heappush(self.waiting, (leaves + self.options["delay"] / 1_000, self.order, packet))

    def mark(self, packet):
        if 0 < self.options["mark"] < packet["waits"] and packet["tos"] & 3 == ECT1:
            packet["tos"] |= CE
            self.seen["marked"] += 1


link = Link(json.loads(sys.argv[1]))
link.run()
print(json.dumps(link.seen), flush=True)
