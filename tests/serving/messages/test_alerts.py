"""Words of distress reach the team's own channel: a call or an e-mail that names no person, holds no words, and is
tried again until it is taken."""

from __future__ import annotations

import dataclasses
import email
import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from serving.messages.incoming.reaching_out import deal_with_waiting
from serving.messages.incoming.watch import TextingWatch
from serving.messages.service import show_thread
from serving.texting_settings import MailServer, TeamAlert, TextingSettings
from tests.serving.messages.desks import NUMBERS, SAM, TEXTING, arrive, audit_of, desk_over, reply
from tests.serving.messages.test_pages import eventually

CANARY = "Zebrafinch of 12 Quagga Street can't cope"
SECRETS = ("Zebrafinch", "Quagga", "N03", "7700900013")


class Hook(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.taken.append((self.path, dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def hook():
    server = HTTPServer(("127.0.0.1", 0), Hook)
    server.taken, server.status = [], 204
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


class Post(socketserver.StreamRequestHandler):
    """Takes one e-mail by the few commands that a client sends."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        lines, in_data = [], False
        for line in self.rfile:
            if in_data:
                if line == b".\r\n":
                    in_data = False
                    self.server.taken.append(b"".join(lines))
                    self.wfile.write(b"250 taken\r\n")
                else:
                    lines.append(line)
            elif line.upper().startswith(b"DATA"):
                in_data = True
                self.wfile.write(b"354 go on\r\n")
            elif line.upper().startswith(b"QUIT"):
                self.wfile.write(b"221 bye\r\n")
                return
            else:
                self.wfile.write(b"250 yes\r\n")


@pytest.fixture
def post():
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Post)
    server.daemon_threads, server.taken = True, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def alerted(database):
    """A desk whose texting settings have some alerts."""

    def with_alerts(*alerts, mail=None):
        texting = TEXTING.model_copy(update={"alerts": alerts, "mail": mail})
        page = "https://upstream.example.nhs.uk"
        return dataclasses.replace(desk_over(database), texting=texting, page=page)

    return with_alerts


def hook_at(server, **given):
    return TeamAlert(webhook_url=f"http://127.0.0.1:{server.server_address[1]}/alert", webhook_token="w" * 20, **given)


def test_a_call_names_the_team_and_the_page_and_no_person(alerted, hook):
    desk = alerted(hook_at(hook))
    arrive(desk, reply(NUMBERS["N03"], CANARY, "r1"))
    arrive(desk, reply(NUMBERS["N04"], "1", "r2"))
    assert len(hook.taken) == 1, "a code is no distress"
    path, headers, body = hook.taken[0]
    assert path == "/alert" and headers["Authorization"] == "Bearer " + "w" * 20
    assert json.loads(body) == {
        "event": "text-distress",
        "team": "north",
        "received_at": desk.now.at.isoformat(),
        "page": "https://upstream.example.nhs.uk/teams/north/texts",
    }
    assert not [word for word in SECRETS if word in body.decode() + str(headers)]
    deal_with_waiting(desk)
    assert len(hook.taken) == 1, "one reply alerts once"


def test_an_e_mail_says_what_to_do_and_names_no_person(alerted, post):
    server = MailServer(host="127.0.0.1", port=post.server_address[1], sender="upstream@trust.example")
    desk = alerted(TeamAlert(email_to=("duty@trust.example",), teams=("north",)), mail=server)
    arrive(desk, reply(NUMBERS["N03"], CANARY, "r1"))
    arrive(desk, reply(NUMBERS["S02"], CANARY, "r2"))
    assert len(post.taken) == 1, "only the team's own people"
    message = email.message_from_bytes(post.taken[0])
    assert message["To"] == "duty@trust.example" and "needs reading now" in message["Subject"]
    words = message.get_payload()
    assert "/teams/north/texts" in words and not [word for word in SECRETS if word in post.taken[0].decode()]


def test_a_channel_that_fails_is_tried_again_alone_and_the_page_shows_it_meanwhile(alerted, hook, post):
    server = MailServer(host="127.0.0.1", port=post.server_address[1], sender="upstream@trust.example")
    desk = alerted(hook_at(hook), TeamAlert(email_to=("duty@trust.example",)), mail=server)
    hook.status = 503
    arrive(desk, reply(NUMBERS["N03"], CANARY, "r1"))
    deal_with_waiting(desk)
    assert (len(hook.taken), len(post.taken)) == (2, 1)
    hook.status = 204
    deal_with_waiting(desk)
    deal_with_waiting(desk)
    assert (len(hook.taken), len(post.taken)) == (3, 1)


def test_somebody_who_opened_it_ends_the_alerts(alerted, hook):
    desk = alerted(hook_at(hook))
    hook.status = 500
    arrive(desk, reply(NUMBERS["N03"], CANARY, "r1"))
    show_thread(desk, SAM, audit_of(desk.database), "N03", "r1")
    deal_with_waiting(desk)
    assert len(hook.taken) == 1


def test_distress_from_a_number_that_nobody_has_reaches_the_channel_of_all_teams(alerted, hook):
    desk = alerted(hook_at(hook, teams=("north",)))
    arrive(desk, reply("+447700900555", CANARY, "r1"))
    assert hook.taken == []
    every = desk.texting.model_copy(update={"alerts": (hook_at(hook),)})
    arrive(dataclasses.replace(desk, texting=every), reply("+447700900556", CANARY, "r2"))
    assert [json.loads(body)["team"] for _, _, body in hook.taken] == [None]


def test_the_person_who_moved_team_alerts_the_team_they_are_with_now(alerted, hook):
    from serving.messages import repository

    desk = alerted(hook_at(hook))
    desk.messenger.held = []
    arrive(desk, reply(NUMBERS["N03"], "hello", "r0"))
    with desk.database.write() as connection:
        repository.set_reply(connection, "r0", team_id="south")
    arrive(desk, reply(NUMBERS["N03"], CANARY, "r1"))
    assert [json.loads(body)["team"] for _, _, body in hook.taken] == ["north"]


def test_the_watch_alerts_within_a_minute_what_a_crash_left_unread(alerted, hook):
    from serving.messages.incoming.inbound import store_reply

    desk = alerted(hook_at(hook))
    store_reply(desk, reply(NUMBERS["N03"], CANARY, "r1"))
    watch = TextingWatch(desk, every=0.05)
    watch.start()
    try:
        eventually(lambda: hook.taken)
        store_reply(desk, reply(NUMBERS["N04"], CANARY, "r2"))
        eventually(lambda: len(hook.taken) == 2)
    finally:
        watch.stop()


def test_an_alert_needs_a_channel_and_a_secure_connection():
    for wrong in ({}, {"webhook_url": "http://elsewhere.example/alert"}):
        with pytest.raises(ValueError, match=r"webhook_url or an email_to|must be an https"):
            TeamAlert(**wrong)
    with pytest.raises(ValueError, match="needs mail"):
        TextingSettings(alerts=(TeamAlert(email_to=("a@b.example",)),))
