"""
An OpenID Connect server for tests, with the endpoints of the authorization code flow.

It asks nobody for a password. The test decides who is logged in there.
"""

import json
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

KEY_ID = "the-key"


class OIDCServer:
    """
    Serves the endpoints during its `with` block.

    `person` has the claims of who is logged in: ``sub`` and ``email``. `new_token`
    returns an access token for a ``sub``. It is valid for `expires_in` seconds.
    """

    def __init__(self, new_token):
        self.new_token = new_token
        self.person = {}
        self.expires_in = 3600
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._logins = {}
        self._people = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.oidc = self
        self._thread = Thread(target=self._server.serve_forever, args=(0.01,))
        self.url = f"http://127.0.0.1:{self._server.server_port}/oidc"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_error):
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def auth(self, query):
        """Return the URL that leads the browser back."""
        code = secrets.token_urlsafe()
        self._logins[code] = (self.person, query)
        back = {"code": code, "state": query["state"]}
        return f"{query['redirect_uri']}?{urlencode(back)}"

    def token(self, form):
        person, query = self._logins.pop(form["code"])
        access_token = self.new_token(person["sub"])
        self._people[access_token] = person
        now = int(time.time())
        claims = {"iss": self.url, "aud": form["client_id"], "iat": now}
        claims |= {"sub": person["sub"], "exp": now + 3600}
        if "nonce" in query:
            claims["nonce"] = query["nonce"]
        return {
            "access_token": access_token,
            "expires_in": self.expires_in,
            "id_token": jwt.encode(claims, self._key, "RS256", {"kid": KEY_ID}),
            "token_type": "Bearer",
        }

    def me(self, access_token):
        return self._people[access_token]

    def jwks(self):
        key = jwt.algorithms.RSAAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": KEY_ID, "alg": "RS256"}]}

    def configuration(self):
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/auth",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/me",
            "jwks_uri": f"{self.url}/jwks",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        }


class _Server(ThreadingHTTPServer):
    oidc: OIDCServer


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self):
        oidc, url = self.server.oidc, urlsplit(self.path)
        match url.path.removeprefix("/oidc/"):
            case "auth":
                self.send_response(302)
                self.send_header("Location", oidc.auth(dict(parse_qsl(url.query))))
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "me":
                self.reply(oidc.me(self.headers["Authorization"].split()[1]))
            case "jwks":
                self.reply(oidc.jwks())
            case ".well-known/openid-configuration":
                self.reply(oidc.configuration())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.reply(self.server.oidc.token(dict(parse_qsl(body.decode()))))

    def reply(self, found):
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words):
        """Print nothing."""
