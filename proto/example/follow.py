#!/usr/bin/python3
"""Follows the lease feed and keeps a correct copy of Kea's leases: a follower in another language, in one file.

    apt-get install python3-zmq python3-protobuf protobuf-compiler
    protoc --proto_path=proto --python_out=proto/example proto/lease_feed.proto
    proto/example/follow.py ipc:///run/kea-lease-feed/dhcp4

Prints `+ ADDRESS CLIENT` for each lease that is given, `- ADDRESS` for each that has ended, and notes that begin with `#`.
../README.md says why each step is as it is.
"""

import ipaddress
import sys
import time

import lease_feed_pb2 as feed
import zmq

CONTRACT_MAJOR = 1
WALK_EVERY = 3600  # seconds: Kea removes some rows silently, and others may write to its database
ANSWER_MS = 2000
REPLAY_EVENTS = 1000


class Lost(Exception):
    """Events have left the ring: only a walk tells what they were."""


class BegunAnew(Exception):
    """Another epoch: Kea has loaded the hook anew."""


class Failed(Exception):
    """Not now; ask again later."""


def note(text):
    print("#", text, flush=True)


def is_held(lease):
    """States 1 to 3, and a lifetime of 0, are as good as no row."""
    return lease.state in (0, 4) and lease.valid_lifetime > 0


def client_of(lease):
    """Whose lease it is: what was captured of a client's packet belongs to this address and this client."""
    return (lease.hardware_type, lease.hardware_address, lease.client_id)


class Hook:
    """The two sockets."""

    def __init__(self, endpoint):
        context = zmq.Context.instance()
        self.events = context.socket(zmq.SUB)
        self.events.set_hwm(100_000)
        self.events.subscribe(b"")
        self.events.connect(endpoint)
        self.questions = context.socket(zmq.DEALER)
        self.questions.setsockopt(zmq.LINGER, 0)
        self.questions.connect(endpoint + "-sync")
        self.number = 0

    def ask(self, epoch=b"", **body):
        """One answer. Requests are idempotent: whoever gets none asks again. Answers to earlier ones are dropped by their id."""
        self.number += 1
        self.questions.send(feed.Request(id=self.number, epoch=epoch, **body).SerializeToString())
        until = time.monotonic() + ANSWER_MS / 1000
        while self.questions.poll(max(0, (until - time.monotonic()) * 1000)):
            reply = feed.Reply.FromString(self.questions.recv())
            if reply.id != self.number:
                continue
            kind = reply.WhichOneof("body")
            if kind != "error":
                return reply
            code = reply.error.code
            if code == feed.Error.WRONG_EPOCH:
                raise BegunAnew
            if code == feed.Error.NOT_IN_RING:
                raise Lost
            raise Failed(reply.error.text)
        raise Failed("no answer")

    def heard(self, patience_ms):
        """The next message of the PUB socket, or None."""
        if not self.events.poll(patience_ms):
            return None
        return feed.FeedMessage.FromString(self.events.recv())


class Walk:
    """Kea's leases, page by page, while events go on being applied."""

    def __init__(self, number):
        self.number = number
        self.after = b""
        self.shown = set()  # addresses that a page has shown
        self.touched = {}  # address -> number of the newest event about it since the walk began


class Follower:
    def __init__(self, endpoint):
        self.hook = Hook(endpoint)
        self.leases = {}  # address -> lease
        self.packets = {}  # address -> what the packet of its present client carried
        self.epoch = b""
        self.unsure = True  # whether this is still the epoch: Hello tells
        self.lost = False  # events are lost for good
        self.seq = 0  # every event up to here is applied, or counts as such
        self.walk = None
        self.walks = 0
        self.walk_at = 0.0
        self.resync = 0

    # ------------------------------------------------------------------ 1: who is there

    def begin(self):
        reply = self.hook.ask(
            hello=feed.HelloRequest(contract_major=CONTRACT_MAJOR, contract_minor=2, follower="follow.py")
        )
        hello = reply.hello
        if hello.contract_major != CONTRACT_MAJOR:
            sys.exit(f"the hook speaks version {hello.contract_major} of the contract, this program {CONTRACT_MAJOR}")
        self.unsure = False
        if reply.epoch == self.epoch and not self.lost:
            return  # What made us ask was only late.
        note(f"Kea {hello.kea_version}, epoch {reply.epoch.hex()}, at event {hello.last_seq}")
        # A position of another epoch means nothing. This program keeps none over a restart: each start walks.
        self.epoch = reply.epoch
        self.seq = hello.last_seq
        self.resync = hello.resync_generation
        self.begin_walk("events are lost" if self.lost else "a new epoch")
        self.lost = False

    # ------------------------------------------------------------------ 2: events

    def hear(self, message):
        kind = message.WhichOneof("body")
        if kind is None:
            return  # Of a later minor version.
        body = getattr(message, kind)
        if body.epoch != self.epoch:
            raise BegunAnew  # Or late; Hello tells which.
        if kind == "batch":
            if body.first_seq > self.seq + 1:
                self.replay(body.first_seq - 1)
            self.apply(body)
        else:
            # What was published by now and has not come has been lost on its way.
            if body.last_seq > self.seq:
                self.replay(body.last_seq)
            if body.resync_generation != self.resync:
                self.resync = body.resync_generation
                self.begin_walk("the operator asks for it")

    def apply(self, batch):
        for number, event in enumerate(batch.events, batch.first_seq):
            if number <= self.seq:
                continue  # A repeat.
            self.seq = number
            kind = event.WhichOneof("body")
            if kind == "change":
                self.change(event.change, number)
            elif kind == "annotation":
                self.annotate(event.annotation)
            # An event of an unknown kind has its number, and no more.

    def change(self, change, number):
        lease = change.lease
        if self.walk:
            self.walk.touched[lease.address] = number
        if change.operation == feed.DELETE:
            self.end(lease.address)
        else:
            self.store(lease)
            if change.HasField("packet") and lease.address in self.leases:
                self.packets[lease.address] = change.packet

    def annotate(self, annotation):
        """What became known after the write; it never changes whether there is a lease."""
        lease = self.leases.get(annotation.address)
        if lease is None or client_of(lease) != client_of(annotation):
            return
        if annotation.HasField("packet"):
            self.packets[annotation.address] = annotation.packet

    def store(self, lease):
        if not is_held(lease):
            return self.end(lease.address)
        before = self.leases.get(lease.address)
        self.leases[lease.address] = lease
        if before is None or client_of(before) != client_of(lease):
            self.packets.pop(lease.address, None)
            client = (lease.hardware_address or lease.client_id).hex(":")
            print("+", ipaddress.ip_address(lease.address), client, flush=True)

    def end(self, address):
        self.packets.pop(address, None)
        if self.leases.pop(address, None) is not None:
            print("-", ipaddress.ip_address(address), flush=True)

    # ------------------------------------------------------------------ 3: what was lost on its way

    def replay(self, through):
        """Fetches events out of the ring until `through` is applied."""
        while self.seq < through:
            request = feed.ReplayRequest(from_seq=self.seq + 1, limit=REPLAY_EVENTS)
            batch = self.hook.ask(self.epoch, replay=request).replay
            if not batch.events:
                raise Failed(f"event {self.seq + 1} is not there yet")
            if batch.first_seq > self.seq + 1:
                raise Lost
            self.apply(batch)

    # ------------------------------------------------------------------ 4: a walk

    def begin_walk(self, reason):
        self.walks += 1
        self.walk = Walk(self.walks)
        note(f"walk {self.walks}: {reason}")

    def read_page(self):
        walk = self.walk
        request = feed.SnapshotPageRequest(walk=walk.number, after=walk.after, limit=256)
        page = self.hook.ask(self.epoch, page=request).page
        if page.walk != walk.number or page.after != walk.after:
            return
        # A page counts once the events up to its stamp are applied: it may show what they have overtaken, or lack them.
        self.replay(page.stamp)
        for lease in page.leases:
            walk.shown.add(lease.address)
            if walk.touched.get(lease.address, 0) <= page.stamp:
                self.store(lease)
        if page.leases:
            walk.after = page.leases[-1].address
        # Only `end` ends a walk. Whoever takes a failed page for the end ends every subscriber behind it.
        if page.end:
            for address in [a for a in self.leases if a not in walk.shown and a not in walk.touched]:
                self.end(address)
            note(f"walk {walk.number} ended: {len(self.leases)} leases, at event {self.seq}")
            self.walk = None
            self.walk_at = time.monotonic() + WALK_EVERY

    # ------------------------------------------------------------------ for ever

    def run(self):
        pause = 0.1
        while True:
            try:
                if self.unsure:
                    self.begin()
                message = self.hook.heard(0 if self.walk else 1000)
                if message is not None:
                    self.hear(message)
                # Events do not hold a walk up, nor a walk events.
                if self.walk:
                    self.read_page()
                elif time.monotonic() > self.walk_at:
                    self.begin_walk("an hour has passed")
                pause = 0.1
            except BegunAnew:
                self.unsure = True
            except Lost:
                # The newest number is in Hello. A walk under way is begun anew, since what it has read may be wrong by now.
                self.unsure = self.lost = True
            except Failed as why:
                note(f"{why}; again in {pause:.1f} s")
                time.sleep(pause)
                pause = min(2 * pause, 10)


if __name__ == "__main__":
    Follower(sys.argv[1] if len(sys.argv) > 1 else "ipc:///run/kea-lease-feed/dhcp4").run()
