# SPDX-License-Identifier: GPL-3.0-or-later
"""The pretended signing server: POST /TSS/controller?action=2 with an XML property list.

For each requested key `@NAME` that holds "Ticket" (and is true) the reply has NAME: an IM4M for
ApImg4Ticket and Cryptex1,Ticket, a ticket of our own form for the rest (ticket.py). @BBTicket also
gets an empty BasebandFirmware, which idevicerestore wants.

What is signed: everything, until `signed` is a set of builds ("23C71") and UniqueBuildIDs (hex);
then an AP request is refused with 94 unless its UniqueBuildID is in the set, or belongs to a
registered IPSW whose build is. As the real server knows its builds, it is always refused when chip,
board or a digest are not those of the registered IPSW with its UniqueBuildID. Requests of other
chips (no UniqueBuildID) are always signed.
"""
import plistlib
from xml.parsers.expat import ExpatError

from ticket import TicketMaker
from web import Service

PATH = "/TSS/controller"
NOT_ELIGIBLE = "This device isn't eligible for the requested build."
INTERNAL = "An internal error occurred."
MESSAGES = {
    "69": NOT_ELIGIBLE, "94": NOT_ELIGIBLE, "8": INTERNAL, "49": INTERNAL, "100": INTERNAL,
    "126": INTERNAL, "128": INTERNAL, "168": INTERNAL,
    "551": "Error occured while importing config packet with cpsn:",
}
SHIELD = ("<html>\n<head><title>403 Forbidden</title></head>\n"
          "<body bgcolor=\"white\">\n<center><h1>403 Forbidden</h1></center>\n<hr>"
          "<center>Shield</center>\n</body>\n</html>\n")
KNOWN = {code: {} for code in MESSAGES} | {
    "status": {"code": 1, "message": INTERNAL},
    "no_ticket": {},  # success, and no ticket in it
    "shield_403": {},
    "truncated": {"keep": 0.5},  # the reply ends after this part of it
    "wrong_ecid": {"ecid": None},  # a ticket of another phone (default: one bit differs)
    "wrong_nonce": {"nonce": None},  # a replayed ticket (default: the nonce of the first request)
    "wrong_board": {},
    "wrong_digest": {"component": None},  # of one component, or of all
    "missing_component": {"component": "iBSS"},
    "bad_signature": {},
    "garbage_ticket": {},  # bytes that are no ticket
}
REQUIRED = {"ApECID": int, "ApChipID": int, "ApBoardID": int, "ApNonce": bytes}


def wanted_tickets(request):
    return [key[1:] for key, value in request.items()
            if key.startswith("@") and "Ticket" in key and value is True]


def components_of(request, ticket):
    """Names of the components that belong into an IM4M."""
    if ticket == "Cryptex1,Ticket":
        return [name for name, value in request.items()
                if name.startswith("Cryptex1,") and isinstance(value, dict)]
    own = {name.split(",")[0].rstrip("2") + "," for name in wanted_tickets(request) if "," in name}
    return [name for name, value in request.items() if isinstance(value, dict)
            and name != "BasebandFirmware" and not name.startswith(tuple(own))]


def values_for(request, ticket):
    """{key: plain value} that a ticket of another chip repeats."""
    chip = "Bb" if ticket == "BBTicket" else ticket.split(",")[0].rstrip("2")
    found = {key: value for key, value in request.items()
             if key.startswith(chip) and not isinstance(value, (dict, list))}
    for name, value in request.items():
        if name.startswith(chip) and isinstance(value, dict) and "Digest" in value:
            found[name] = value["Digest"]
    return found


class Tss(Service):
    """See the top of the file."""

    name = "tss"
    known = KNOWN
    ca = "apple"

    def __init__(self, registry):
        super().__init__()
        self.registry = registry
        self.maker = TicketMaker()
        self.signed = None  # None: everything; else a set of builds and UniqueBuildIDs (hex)

    # --- what was asked

    def facts_of(self, exchange):
        exchange.request = None
        try:
            request = plistlib.loads(exchange.body)
        except (plistlib.InvalidFileException, ExpatError, ValueError, OverflowError):
            return {"keys": [], "tickets": []}
        if not isinstance(request, dict):
            return {"keys": [], "tickets": []}
        exchange.request = request
        unique_id = request.get("UniqueBuildID")
        unique_id = unique_id if isinstance(unique_id, bytes) else b""
        owners = self.registry.identities_of(unique_id) if unique_id else []
        facts = {
            "keys": sorted(request), "tickets": wanted_tickets(request), "request": request,
            "ecid": request.get("ApECID"), "nonce": request.get("ApNonce"),
            "chip_id": request.get("ApChipID"), "board_id": request.get("ApBoardID"),
            "unique_build_id": unique_id.hex(), "build": None, "board": None,
            "variant": None, "user_agent": exchange.headers.get("User-Agent"),
        }
        if owners:
            file, identity = owners[0]
            facts |= {"build": file.build, "board": identity.board_name,
                      "variant": identity.variant}
        elif "Ap,Target" in request:
            facts["board"] = request["Ap,Target"]
        return facts

    # --- what is answered

    def handle(self, exchange):
        path, query = exchange.url
        if path != PATH or query.get("action") != "2":
            exchange.reply(404, "<html>Not Found</html>\n")
        elif exchange.command != "POST":
            exchange.reply(405, "", headers={"Allow": "POST"})
        else:
            self._answer_request(exchange, exchange.rule)

    def _answer_request(self, exchange, rule):
        if rule.name in MESSAGES:
            self._refuse(exchange, rule.name, MESSAGES[rule.name])
        elif rule.name == "status":
            self._refuse(exchange, rule["code"], rule["message"])
        elif rule.name == "shield_403":
            exchange.reply(403, SHIELD)
        elif exchange.request is None:
            self._refuse(exchange, 126, INTERNAL)
        elif self._is_malformed(exchange.request):
            self._refuse(exchange, 100, INTERNAL)
        elif not self._is_eligible(exchange.request):
            self._refuse(exchange, 94, NOT_ELIGIBLE)
        else:
            self._grant(exchange, rule)

    @staticmethod
    def _refuse(exchange, code, message):
        exchange.note["status"] = int(code)
        exchange.reply(200, f"STATUS={code}&MESSAGE={message}")

    @staticmethod
    def _is_malformed(request):
        """A request for an AP ticket that lacks what every client sends."""
        return "ApImg4Ticket" in wanted_tickets(request) and not all(
            isinstance(request.get(key), kind) for key, kind in REQUIRED.items())

    def _is_eligible(self, request):
        unique_id = request.get("UniqueBuildID")
        if not isinstance(unique_id, bytes):
            return True
        owners = self.registry.identities_of(unique_id)
        signed = None if self.signed is None else {str(one).lower() for one in self.signed}
        if signed is not None and unique_id.hex() not in signed:
            owners = [(file, one) for file, one in owners if file.build.lower() in signed]
            if not owners:
                return False
        return not owners or any(self._matches(request, identity) for _, identity in owners)

    @staticmethod
    def _matches(request, identity):
        if (request.get("ApChipID"), request.get("ApBoardID")) != (identity.chip, identity.board):
            return False
        return all(value["Digest"] == identity.digests.get(name, b"")
                   for name, value in request.items()
                   if isinstance(value, dict) and "Digest" in value)

    def _grant(self, exchange, rule):
        request = self._twisted(exchange.request, rule)
        reply = {"@ServerVersion": "2.1.0"}
        if rule.name != "no_ticket":
            for name in wanted_tickets(request):
                reply[name] = self._ticket(request, name, rule)
                if name == "BBTicket":
                    reply["BasebandFirmware"] = {}
        exchange.note["status"] = 0
        exchange.note["derived_tags"] = dict(self.maker.derived)
        text = b"STATUS=0&MESSAGE=SUCCESS&REQUEST_STRING=" + plistlib.dumps(reply)
        if rule.name == "truncated":
            exchange.begin(200, {"Content-Type": "text/html", "Content-Length": len(text)})
            exchange.wfile.write(text[:int(len(text) * rule["keep"])])
            exchange.hang_up()
        exchange.reply(200, text)

    def _ticket(self, request, name, rule):
        spoil = rule.name == "bad_signature"
        if rule.name == "garbage_ticket":
            return b"this is no ticket"
        if name in ("ApImg4Ticket", "Cryptex1,Ticket"):
            names = components_of(request, name)
            if rule.name == "missing_component":
                names = [one for one in names if one != rule["component"]]
            return self.maker.make_im4m(request, names, spoil)
        return self.maker.make_other(name, values_for(request, name), spoil)

    def _twisted(self, request, rule):
        """The request as another would have been, for tickets that are true of another phone."""
        changed = dict(request)
        if rule.name == "wrong_ecid":
            changed["ApECID"] = rule["ecid"] or request.get("ApECID", 0) ^ 0x10
        elif rule.name == "wrong_board":
            changed["ApBoardID"] = request.get("ApBoardID", 0) ^ 0x02
        elif rule.name == "wrong_nonce":
            changed["ApNonce"] = self._other_nonce(request.get("ApNonce", b""), rule)
        elif rule.name == "wrong_digest":
            for name, value in request.items():
                if isinstance(value, dict) and value.get("Digest") and (
                        rule["component"] in (None, name)):
                    digest = value["Digest"]
                    changed[name] = value | {"Digest": bytes([digest[0] ^ 1]) + digest[1:]}
        return changed

    def _other_nonce(self, nonce, rule):
        """The option's nonce (hex), else the first seen that differs, else the bits inverted."""
        if rule["nonce"]:
            return bytes.fromhex(rule["nonce"])
        seen = (entry.get("nonce") for entry in self.record.entries())
        inverted = bytes(0xFF ^ one for one in nonce)
        return next((one for one in seen if one and one != nonce), inverted)
