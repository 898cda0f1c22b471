"""
Emulate the token endpoint, which several vendors have in the same shape.

Source: RFC 6749, sections 4.4 and 5.
"""

from collections.abc import Mapping

from django_piggy_verify.sandbox.answers import Answer, in_json
from django_piggy_verify.sandbox.emulator import Sandbox


def reply(sandbox: Sandbox, body: Mapping[str, object]) -> Answer:
    """
    Return the response of the token endpoint to the fields of a request.

    The vendors document no errors, so they follow the RFC.
    """
    if body.get("grant_type") != "client_credentials":
        return in_json(400, {"error": "unsupported_grant_type"})
    token = sandbox.grant(body.get("client_id"), body.get("client_secret"))
    if token is None:
        return in_json(401, {"error": "invalid_client"})
    lifetime = int(sandbox.grant_lifetime)
    return in_json(
        200, {"token_type": "Bearer", "expires_in": lifetime, "access_token": token}
    )
