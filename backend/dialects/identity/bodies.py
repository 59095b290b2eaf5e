"""What a token request says. What Keystone has and this cloud does not is let through here and refused by name later.

Source: Keystone, auth/schema.py: further keys are let pass, an id goes before a name, and a name needs its domain.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from backend.cloud.errors import Invalid
from backend.dialects.openstack import DOMAIN_ID, DOMAIN_NAME

Text = Annotated[str, Field(max_length=4096)]


class _Sent(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", defer_build=True)


class _Named(_Sent):
    """What is named by an id or by a name."""

    id: Text | None = None
    name: Text | None = None

    @model_validator(mode="after")
    def _is_named(self) -> _Named:
        if self.id is None and self.name is None:
            raise ValueError("id or name must be present")
        return self


class DomainSent(_Named):
    @property
    def is_known(self) -> bool:
        """Whether it is the only domain that there is. Its name is compared as Keystone's database does it."""
        return self.id == DOMAIN_ID if self.id is not None else str(self.name).lower() == DOMAIN_NAME.lower()


class _InDomain(_Named):
    domain: DomainSent | None = None

    def is_in_known_domain(self, kind: str) -> bool:
        """An id needs no domain. Raises Invalid for a name without one."""
        if self.id is not None:
            return True
        if self.domain is None:
            raise Invalid(kind, f'needs a domain beside its name: {{"id": "{DOMAIN_ID}"}}')
        return self.domain.is_known


class UserSent(_InDomain):
    password: Text


class ProjectSent(_InDomain):
    pass


class PasswordSent(_Sent):
    user: UserSent


class TokenSent(_Sent):
    id: Text


class IdentitySent(_Sent):
    methods: Annotated[list[Text], Field(min_length=1, max_length=8)]
    password: PasswordSent | None = None
    token: TokenSent | None = None


class ScopeSent(_Sent):
    project: ProjectSent | None = None
    domain: Any = None
    system: Any = None
    trust: Annotated[Any, Field(alias="OS-TRUST:trust")] = None
    unscoped: Any = None

    @model_validator(mode="after")
    def _is_one(self) -> ScopeSent:
        if len(self.model_fields_set) != 1:
            raise ValueError('must have exactly one of project, domain, system and unscoped, or be "unscoped"')
        return self

    @property
    def is_unscoped(self) -> bool:
        return "unscoped" in self.model_fields_set


class AuthSent(_Sent):
    identity: IdentitySent
    scope: ScopeSent | Literal["unscoped"] | None = None


class TokenRequest(_Sent):
    auth: AuthSent
