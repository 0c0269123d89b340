# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's kind `network`, and the command: which server cannot be used from here, and why, told by evidence.

Servers are the pretended ones of tests/net with their bad certificates, and small fakes of our own for what stands in
between: login pages, proxies, firewalls, name servers that lie."""

import contextlib
import http.server
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest

import silent_names
from firmware_bed import PROGRAM, Apple, FirmwareWorker, ask, refused

COMMAND = PROGRAM.parent / "idevicerescue"
HOSTS = {"gs.apple.com": "tss", "gg.apple.com": "gg", "wkms-public.apple.com": "gg",
         "updates.cdn-apple.com": "firmware", "secure-appldnld.apple.com": "firmware",
         "api.ipsw.me": "catalogue", "s.mzstatic.com": "catalogue"}
PAGE = "captive.apple.com"
PAGE_BODY = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>"
LONG_AGO, FAR_AHEAD = "Wed, 01 Jan 2020 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"
EXIT_NETWORK, EXIT_USAGE = 10, 2


class Fake:
    """A small HTTP server that says one thing to everybody; `context` makes it one of TLS."""

    def __init__(self, status=200, body="", headers=None, date=None, context=None):
        fake = self
        self.asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def date_time_string(self, timestamp=None):
                return date or super().date_time_string(timestamp)

            def log_message(self, format, *args):  # pylint: disable=redefined-builtin
                pass

            def answer(self):
                fake.asked.append((self.command, self.path))
                self.send_response(status)
                for key, value in (headers or {}).items():
                    self.send_header(key, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(body.encode())

            do_GET = do_HEAD = do_CONNECT = answer

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request, client_address):
                pass  # who does not believe us hangs up

        self.server = Server(("127.0.0.1", 0), Handler)
        if context:
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True,
                                                     do_handshake_on_connect=False)
        self.place = f"127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@contextlib.contextmanager
def listener(answer):
    """A server of TCP: answer(connection) is called for each connection. Gives its place."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listening.accept()
                    with connection, contextlib.suppress(OSError):
                        answer(connection)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield "127.0.0.1:%d" % listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def dead_place():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return "127.0.0.1:%d" % server.getsockname()[1]


class Network:
    """Apple's servers, a page without a login, and the folder of hooks that leads to them."""

    def __init__(self, folder):
        self.folder = folder
        self.apple = Apple(folder / "pki").start()
        self.page = Fake(body=PAGE_BODY)
        self.page.__enter__()
        self.number = 0

    def stop(self):
        self.page.__exit__()
        self.apple.stop()

    def hooks(self, ca=None, page=None, **places):
        """places: host (with _ for . and -) = scheme of its server, or where it leads, or None: the name is unknown."""
        self.number += 1
        folder = self.folder / f"hooks-{self.number}"
        folder.mkdir()
        lines = {f"{PAGE}:80": page or self.page.place}
        for host, service in HOSTS.items():
            to = places.pop(host.replace(".", "_").replace("-", "_"), "https")
            if to and ":" not in to:
                to = f"127.0.0.1:{self.apple.port(service, to)}"
            if to:
                lines[f"{host}:443"] = to
        assert not places, places
        (folder / "idevicerescue.hosts").write_text("".join(f"{key} {value}\n" for key, value in lines.items()))
        shutil.copy(ca or self.apple.ca, folder / "idevicerescue.ca")
        return folder

    def look(self, hosts=None, **places):
        fields = {} if hosts is None else {"hosts": hosts}
        result = ask("network", self.hooks(**places), **fields)
        assert result["ok"], result
        return result


@pytest.fixture(scope="module")
def network():
    with tempfile.TemporaryDirectory(prefix="n", dir="/tmp") as folder:
        made = Network(pathlib.Path(folder))
        yield made
        made.stop()


@pytest.fixture(autouse=True)
def calm(network, monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for service in network.apple.services.values():
        service.behave_normally()
        service.record.clear()


def host_of(result, host):
    return next(one for one in result["hosts"] if one["host"] == host)


def only_fails(result, host, cause, *words):
    """That host alone fails, for this cause, which is that of the whole, with a text that tells what to do."""
    one = host_of(result, host)
    assert [other["host"] for other in result["hosts"] if other["state"] != "works"] == [host], result
    assert (one["cause"], result["cause"]) == (cause, cause), one
    assert one["text"] == result["text"] and "{" not in one["text"] and host in one["text"]
    assert all(word.lower() in one["text"].lower() for word in words), one["text"]
    return one


def test_all_work(network):
    result = network.look()
    assert [one["host"] for one in result["hosts"]] == list(HOSTS)
    assert all((one["state"], one["cause"]) == ("works", "none") for one in result["hosts"]), result
    assert result["cause"] == "none" and "restore" in result["text"]
    assert {one["host"] for one in result["hosts"] if one["needed"]} == \
        {"gs.apple.com", "gg.apple.com", "wkms-public.apple.com"}
    asked = [entry for service in network.apple.services.values() for entry in service.record.entries()]
    assert all(entry["method"] == "HEAD" and entry["path"] == "/" for entry in asked)
    assert network.page.asked[-1] == ("GET", "/hotspot-detect.html")


def test_only_some(network):
    result = network.look(hosts=["wkms-public.apple.com", "appldnld.apple.com", "wkms-public.apple.com"])
    assert [one["host"] for one in result["hosts"]] == ["wkms-public.apple.com", "appldnld.apple.com"]
    assert result["cause"] == "dns-fails"  # the second one is not in the map


@pytest.mark.parametrize("hosts", [["evil.example"], [7], []])
def test_nobody_else_is_looked_at(network, hosts):
    refused(ask("network", network.hooks(), hosts=hosts), "usage", "hosts")


def test_usage(network):
    refused(ask("network", network.hooks(), hosts="gs.apple.com"), "usage", "hosts")
    refused(ask("network", network.hooks(), other=1), "usage", "other")


# --- certificates


@pytest.mark.parametrize("scheme", ["self_signed", "other_ca", "no_chain"])
def test_inspection(network, scheme):
    result = network.look(gs_apple_com=scheme, gg_apple_com=None, ca=network.apple.pki.ca("apple"),
                          hosts=["gs.apple.com"])
    one = only_fails(result, "gs.apple.com", "tls-inspection", "firewall", "idevicerescue tests")
    assert one["issuer"] == "idevicerescue tests"


def test_inspection_of_one(network):
    only_fails(network.look(wkms_public_apple_com="self_signed"), "wkms-public.apple.com", "tls-inspection")


def test_old_tls(network):
    only_fails(network.look(s_mzstatic_com="old_tls"), "s.mzstatic.com", "tls-inspection")


def test_phones_server_of_another_authority(network):
    """The phone verifies it; but an authority that is not Apple's looks into it."""
    only_fails(network.look(gg_apple_com="self_signed"), "gg.apple.com", "tls-inspection")


@pytest.mark.parametrize("scheme", ["expired", "not_yet_valid"])
def test_wrong_dates_and_a_right_clock(network, scheme):
    """Two clocks agree: it is the certificate."""
    only_fails(network.look(api_ipsw_me=scheme), "api.ipsw.me", "tls-inspection")


@pytest.mark.parametrize("scheme, date, year", [("expired", LONG_AGO, "2020"), ("not_yet_valid", FAR_AHEAD, "2100")])
def test_wrong_clock(network, scheme, date, year):
    """The server's date says when its certificate is good: then this clock is wrong."""
    with Fake(date=date, context=network.apple.pki.context("apple", scheme)) as server:
        only_fails(network.look(gs_apple_com=server.place, page=dead_place()), "gs.apple.com", "clock", year,
                   time.strftime("%Y"), "Set date")


def test_wrong_clock_by_the_page(network):
    with Fake(body=PAGE_BODY, date=LONG_AGO) as page:
        only_fails(network.look(gs_apple_com="expired", page=page.place), "gs.apple.com", "clock", "2020")


# --- names


def test_unknown_name(network):
    only_fails(network.look(api_ipsw_me=None), "api.ipsw.me", "dns-fails", "name server")


def test_name_leads_to_another_server(network):
    only_fails(network.look(wkms_public_apple_com="wrong_host"), "wkms-public.apple.com", "dns-lie", "another machine")


def test_name_leads_into_the_house(network):
    """A map that changes the address alone is what a lying name server does."""
    one = only_fails(network.look(gs_apple_com="127.0.0.99:443"), "gs.apple.com", "dns-lie", "127.0.0.99")
    assert one["address"] == "127.0.0.99"


# --- what stands in between


@pytest.mark.parametrize("how", [
    {"status": 302, "headers": {"Location": "http://login.hotel.example/x"}},
    {"body": "<html><head><meta http-equiv='refresh' content='0;url=http://login.hotel.example/'></head></html>"},
    {"status": 511, "body": "Network Authentication Required"}], ids=["redirect", "page", "511"])
def test_login_page(network, how):
    """It answers for everybody: plainly with its page, at the port of TLS with a certificate that nobody asked for."""
    with Fake(**how) as page:
        places = {host.replace(".", "_").replace("-", "_"): "self_signed" for host in HOSTS}
        result = network.look(page=page.place, **places)
    assert result["cause"] == "captive-portal" and "log in" in result["text"].lower(), result
    assert {one["cause"] for one in result["hosts"]} == {"captive-portal"}
    if how.get("status") == 302:
        assert "login.hotel.example" in result["text"]


def test_login_page_at_the_port_of_tls(network):
    with Fake(body="<html>Log in</html>") as page:
        result = network.look(gs_apple_com=page.place, page=page.place)
    only_fails(result, "gs.apple.com", "captive-portal")


def test_login_page_is_no_excuse_for_who_works(network):
    with Fake(body="<html>Log in</html>") as page:
        assert network.look(page=page.place)["cause"] == "none"


@pytest.mark.parametrize("status", [407, 403])
def test_proxy_refuses(network, monkeypatch, status):
    with Fake(status=status, headers={"Proxy-Authenticate": "Basic realm=\"x\""}) as proxy:
        monkeypatch.setenv("https_proxy", f"http://{proxy.place}")
        result = network.look()
    assert result["cause"] == "proxy" and {one["cause"] for one in result["hosts"]} == {"proxy"}, result
    assert {method for method, _ in proxy.asked} == {"CONNECT"} and "proxy" in result["text"]


def test_proxy_is_gone(network, monkeypatch):
    monkeypatch.setenv("https_proxy", f"http://{dead_place()}")
    assert network.look()["cause"] == "proxy"


def test_proxy_that_nobody_set(network):
    with Fake(status=407) as page:
        only_fails(network.look(gs_apple_com=dead_place(), page=page.place), "gs.apple.com", "proxy")


def test_refused(network):
    only_fails(network.look(gs_apple_com=dead_place()), "gs.apple.com", "refused", "443")


@pytest.mark.parametrize("answer", [
    lambda one: one.recv(100), lambda one: None, lambda one: one.sendall(b"no TLS\r\n")],
    ids=["hears the name", "at once", "says something else"])
def test_hangs_up(network, answer):
    with listener(answer) as place:
        only_fails(network.look(gs_apple_com=place), "gs.apple.com", "refused")


def test_silent(network):
    """Two at a time cost no more than one."""
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as server:
        place = "127.0.0.1:%d" % server.getsockname()[1]
        result = network.look(gs_apple_com=place, wkms_public_apple_com=place)
    assert time.monotonic() - began < 20
    assert result["cause"] == "silent" and "router" in result["text"]
    assert [one["host"] for one in result["hosts"] if one["cause"] == "silent"] == \
        ["gs.apple.com", "wkms-public.apple.com"]


@pytest.mark.parametrize("behaviour", [("http", {"status": 503}), ("close", {})], ids=["503", "hangs up"])
def test_down(network, behaviour):
    name, options = behaviour
    network.apple.tss.behave(name, **options)
    only_fails(network.look(), "gs.apple.com", "down", "Nothing here is wrong")


def test_phones_server_is_asked_for_nothing(network):
    network.apple.gg.behave("silence")
    assert network.look(hosts=["gg.apple.com"])["cause"] == "none"


def test_the_most_telling_cause_is_that_of_the_whole(network):
    """Of servers that a restore needs, if one of them fails; else of the others."""
    network.apple.catalogue.behave("http", status=503)
    result = network.look(gs_apple_com=dead_place(), wkms_public_apple_com="self_signed", updates_cdn_apple_com=None)
    assert result["cause"] == "tls-inspection" and "wkms-public.apple.com" in result["text"]
    assert {host: host_of(result, host)["cause"] for host in HOSTS} == {
        "gs.apple.com": "refused", "gg.apple.com": "none", "wkms-public.apple.com": "tls-inspection",
        "updates.cdn-apple.com": "dns-fails", "secure-appldnld.apple.com": "none", "api.ipsw.me": "down",
        "s.mzstatic.com": "down"}
    assert network.look(updates_cdn_apple_com=None)["cause"] == "dns-fails"


def test_no_network():
    """A computer with nothing but itself: no cable, no address."""
    wrap = ("unshare", "--map-root-user", "--net")
    if subprocess.run([*wrap, "true"], check=False, capture_output=True).returncode:
        pytest.skip("no network namespaces here")
    with FirmwareWorker("network", None, {}, wrap=wrap) as worker:
        result = worker.result()
    assert result["cause"] == "no-network" and "cable" in result["text"], result
    assert {one["cause"] for one in result["hosts"]} == {"no-network"}


def test_a_name_server_that_is_silent():
    """It costs the limit of a question, not that of the system's own resolver, which cannot be called back."""
    wrap = ("unshare", "--map-root-user", "--net", "--mount", sys.executable, silent_names.__file__)
    if subprocess.run([*wrap, shutil.which("true")], check=False, capture_output=True).returncode:
        pytest.skip("no namespaces here")
    began = time.monotonic()
    with FirmwareWorker("network", None, {}, wrap=wrap) as network, \
            FirmwareWorker("catalogue", None, {"product": "iPhone12,1", "all": True}, wrap=wrap) as catalogue:
        results = [network.result(), catalogue.result()]
    assert time.monotonic() - began < silent_names.WAIT_S - 5
    assert {one["state"] for one in results[0]["hosts"]} == {"fails"}
    assert results[1]["ok"], results[1]  # what the image knows
    assert {one["name"] for one in results[1]["sources"] if one["state"] == "failed"} == {"apple", "ipsw.me", "gdmf"}


# --- the command


def command(network, *arguments, **places):
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(network.hooks(**places))}
    return subprocess.run([COMMAND, "network", "--worker", PROGRAM, *arguments], env=environment, check=False,
                          capture_output=True, text=True, timeout=60)


def test_command_all_work(network):
    done = command(network)
    assert done.returncode == 0, done
    assert all(host in done.stdout for host in HOSTS) and "FAILS" not in done.stdout
    assert "All servers" in done.stdout


def test_command_tells_why(network):
    done = command(network, gs_apple_com="self_signed")
    assert done.returncode == EXIT_NETWORK, done
    assert done.stdout.count("FAILS") == 1 and "firewall" in done.stdout


def test_command_in_json(network):
    done = command(network, "--json", api_ipsw_me=None)
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["type"], last["exit"], done.returncode) == ("result", EXIT_NETWORK, EXIT_NETWORK)
    assert last["network"]["cause"] == "dns-fails"
    assert [one["host"] for one in last["network"]["hosts"]] == list(HOSTS)


def test_command_takes_no_arguments(network):
    assert command(network, "gs.apple.com").returncode == EXIT_USAGE
