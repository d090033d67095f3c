"""Signing in by OpenID Connect: authorization code with state, nonce and PKCE (RFC 7636)."""

from __future__ import annotations

import time
import warnings
from typing import Any
from urllib.parse import urlsplit

from desk.page import ROLES
from desk.sessions import hash_of, same
from desk.settings import LOOPBACK, OidcSettings
from desk.state import State
from jobs.platform.errors import StillwatchError

#: Seconds that a person has to sign in at the provider.
FLOW_SECONDS = 600
#: Signatures that a client secret, or nobody, could have made are not taken.
_SIGNATURES = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512",
               "EdDSA", "Ed25519")  # fmt: skip


class SignInRefused(StillwatchError):
    """The provider, or what it said, does not let this person in."""


class Provider:
    def __init__(self, settings: OidcSettings, state: State) -> None:
        self._settings = settings
        self._state = state
        with warnings.catch_warnings():
            # It says on import that it would rather speak through another library.
            warnings.simplefilter("ignore")
            from authlib.integrations.starlette_client import OAuth
        self._client = OAuth().register(
            "desk",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=f"{settings.issuer}/.well-known/openid-configuration",
            client_kwargs={
                "scope": "openid profile",
                "code_challenge_method": "S256",
                "timeout": 10.0,
            },
        )

    async def begin(self, back: str, browser: str, onward: str) -> str:
        """The provider's address to go to.

        Args:
            back: this desk's address that the provider sends people back to.
            browser: a secret in this browser's cookie, which has to come back with the answer.
            onward: the page to show afterwards.
        """
        await self._metadata()
        made: dict[str, Any] = await self._client.create_authorization_url(back)
        with self._state.writing() as connection:
            connection.execute("delete from flows where at < ?", (time.time() - FLOW_SECONDS,))
            connection.execute(
                "insert into flows values (?, ?, ?, ?, ?, ?)",
                (hash_of(made["state"]), hash_of(browser), made["nonce"], made["code_verifier"],
                 onward, time.time()),
            )  # fmt: skip
        return str(made["url"])

    async def finish(self, back: str, browser: str, state: str, code: str) -> tuple[str, str, str]:
        """Name, role and the page to show, of who comes back from the provider.

        Raises:
            SignInRefused: this browser did not begin this, it took too long or was used before,
                or the provider's word is not good.
        """
        with self._state.writing() as connection:
            found = connection.execute(
                "delete from flows where id = ? returning browser, nonce, verifier, next, at",
                (hash_of(state),),
            ).fetchone()
        if found is None or found[4] < time.time() - FLOW_SECONDS:
            raise SignInRefused("This sign-in was used before or took too long: begin anew.")
        kept_browser, nonce, verifier, onward, _ = found
        if not same(kept_browser, hash_of(browser)):
            raise SignInRefused("This sign-in was begun in another browser: begin anew.")
        issuer = await self._metadata()
        try:
            token = await self._client.fetch_access_token(
                redirect_uri=back, code=code, code_verifier=verifier
            )
            claims = await self._client.parse_id_token(
                token,
                nonce=nonce,
                claims_options={
                    "iss": {"essential": True, "value": issuer},
                    "aud": {"essential": True, "value": self._settings.client_id},
                    "exp": {"essential": True},
                    "nonce": {"essential": True, "value": nonce},
                },
                leeway=60,
            )
        except Exception as error:
            raise SignInRefused(
                f"The provider's answer is not good ({type(error).__name__}): begin anew."
            ) from error
        if not claims:
            raise SignInRefused("The provider's answer says nobody's name: begin anew.")
        return self._name(claims), self._role(claims), str(onward)

    async def _metadata(self) -> str:
        """The issuer, once what the provider says of itself is held to the settings."""
        try:
            said = await self._client.load_server_metadata()
        except Exception as error:
            raise SignInRefused(
                f"The sign-in provider does not answer ({type(error).__name__}): try again, or "
                "ask an administrator to look at STILLWATCH_DESK_OIDC_ISSUER."
            ) from error
        if str(said.get("issuer", "")).rstrip("/") != self._settings.issuer:
            said.clear()
            raise SignInRefused("The sign-in provider names another issuer than the settings.")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            parts = urlsplit(str(said.get(name, "")))
            plain = parts.scheme == "http" and parts.hostname in LOOPBACK
            if parts.scheme != "https" and not plain:
                said.clear()
                raise SignInRefused(f"The sign-in provider's {name} is not https.")
        offered = said.get("id_token_signing_alg_values_supported") or ["RS256"]
        said["id_token_signing_alg_values_supported"] = [
            name for name in offered if name in _SIGNATURES
        ] or ["RS256"]
        return str(said["issuer"])

    def _name(self, claims: dict[str, Any]) -> str:
        """A name that no local person can have, so that two are never taken for one."""
        name = claims.get(self._settings.name_claim)
        if not isinstance(name, str) or not 1 <= len(name) <= 128 or not name.isprintable():
            raise SignInRefused(f"The provider gives no usable {self._settings.name_claim}.")
        return f"oidc:{name}"

    def _role(self, claims: dict[str, Any]) -> str:
        said = claims.get(self._settings.role_claim)
        values = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        roles = [role for value, role in self._settings.roles if value in values]
        if not roles:
            raise SignInRefused(
                f"Your {self._settings.role_claim} give you no role here: ask an administrator."
            )
        return max(roles, key=ROLES.index)
