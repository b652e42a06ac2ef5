#!/usr/bin/env python3
"""A consumer for Willcall with the standard library of Python 3.9 or newer. See docs/clients.md.

Collects batches, and signs for a batch with the next receive.

    WILLCALL_URL=https://willcall.example.org WILLCALL_KEY=... SUBSCRIPTION=acme-erp python3 consumer.py

Also read: WAIT_SECONDS (20), VISIBILITY_SECONDS (30), and WORK_SECONDS (0), how long the pretended work takes.
"""
import base64
import http.client
import json
import os
import random
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

BASE = f"{os.environ['WILLCALL_URL']}/v1/subscriptions/{os.environ['SUBSCRIPTION']}"
HEADERS = {"Authorization": f"Bearer {os.environ['WILLCALL_KEY']}", "Content-Type": "application/json"}
WAIT_SECONDS = int(os.environ.get("WAIT_SECONDS", "20"))
VISIBILITY_SECONDS = int(os.environ.get("VISIBILITY_SECONDS", "30"))
WORK_SECONDS = float(os.environ.get("WORK_SECONDS", "0"))

stopping = threading.Event()
parked = False  # only then may a signal interrupt
held = {}  # receipt -> message: everything that is extended
held_lock = threading.Lock()


class Trouble(Exception):
    """Something that may be over later."""

    def __init__(self, what, retry_after=None):
        super().__init__(what)
        self.retry_after = int(retry_after) if (retry_after or "").isdigit() else 0


class Interrupted(Exception):
    """A signal came while a receive was parked."""


def call(verb, body, timeout=15, **headers):
    request = urllib.request.Request(f"{BASE}/{verb}", json.dumps(body).encode(), {**HEADERS, **headers})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        text = error.read().decode(errors="replace")
        if error.code == 409:  # none of the receipts is good; the results say why, as with 200
            return json.loads(text)
        if error.code in (408, 429) or error.code >= 500:
            raise Trouble(f"{error.code}", error.headers.get("Retry-After"))
        sys.exit(f"{error.code}: {text}")  # trying again cannot help
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Trouble(repr(error))


def back_off(failures, trouble):
    delay = min(30, 0.25 * 2**failures) * random.uniform(0.5, 1)
    delay = max(delay, trouble.retry_after + random.uniform(0, 0.25))
    print(f"{trouble}: trying again in {delay:.1f} s", file=sys.stderr)
    time.sleep(delay) if stopping.is_set() else stopping.wait(delay)


def insist(verb, body):
    """Calls until there is an answer; gives up after some tries, since the messages come again by themselves."""
    for failures in range(5):
        try:
            return call(verb, body)
        except Trouble as trouble:
            back_off(failures, trouble)
    return {"results": []}


def heartbeat():
    """Moves the visibility timeouts of all that is held on, at a third of the time."""
    while True:
        time.sleep(VISIBILITY_SECONDS / 3)
        with held_lock:
            receipts = list(held)
        try:
            if receipts:
                call("extend", {"receipts": receipts, "visibility_timeout_seconds": VISIBILITY_SECONDS}, timeout=5)
        except Trouble as trouble:
            print(f"not extended: {trouble}", file=sys.stderr)  # two more chances before the time is over


def settled(results):
    for result in results:
        with held_lock:
            message = held.pop(result["receipt"], None)
        outcome = result["outcome"]
        good = outcome in ("acknowledged", "acknowledged_late", "already_acknowledged", "released", "already_released")
        if message and good:
            print(f"{outcome.removeprefix('already_').removesuffix('_late')} {message['id']}", flush=True)
        elif message:  # not ours any more: somebody else has it, or has signed for it
            print(f"not settled {message['id']}: {outcome}", file=sys.stderr)


def process(message, body):
    """Your work, on the bytes of the body. It may come again with the same message["id"]: make the second time do nothing.

    True when it is done, False to give the message back because of the shutdown.
    """
    deadline = time.monotonic() + WORK_SECONDS
    while time.monotonic() < deadline:
        if stopping.wait(0.1):
            return False
    return True


def on_signal(*_):
    stopping.set()
    if parked:
        raise Interrupted


def receive(done, key):
    global parked
    body = {"max_messages": 10, "wait_seconds": WAIT_SECONDS, "visibility_timeout_seconds": VISIBILITY_SECONDS}
    try:
        parked = True
        if stopping.is_set():
            raise Interrupted
        # Signs for the last batch before it waits. The key brings back what a lost answer held.
        return call("receive", {**body, "acknowledge": done}, WAIT_SECONDS + 15, **{"Idempotency-Key": key})
    finally:
        parked = False


def main():
    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    threading.Thread(target=heartbeat, daemon=True).start()
    done, unfinished, failures, key = [], [], 0, str(uuid.uuid4())
    while not stopping.is_set():
        try:
            answer = receive(done, key)
        except Interrupted:
            break
        except Trouble as trouble:
            back_off(failures, trouble)
            failures += 1
            continue
        settled(answer["acknowledged"])
        done, failures, key = [], 0, str(uuid.uuid4())
        with held_lock:
            held.update((message["receipt"], message) for message in answer["messages"])
        for message in answer["messages"]:
            if not stopping.is_set():
                print(f"received {message['id']} attempt {message['attempt']}", flush=True)
            raw = message["body_encoding"] == "base64"
            body = base64.b64decode(message["body"]) if raw else message["body"].encode()
            finished = not stopping.is_set() and process(message, body)
            (done if finished else unfinished).append(message["receipt"])
    if done:
        settled(insist("acknowledge", {"receipts": done})["results"])
    if unfinished:
        settled(insist("release", {"receipts": unfinished})["results"])


main()
