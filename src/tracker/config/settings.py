"""Every setting, declared once: name, type, default, what it means."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Generic
from zoneinfo import ZoneInfo

from tracker.config.kinds import (
    MISSING_OR_PATH,
    MISSING_OR_TEXT,
    NETWORKS,
    ORIGINS,
    PATH,
    PERMISSIONS,
    SHARE,
    SWITCH,
    TEXT,
    TIMEZONE,
    WORDS,
    T,
    choice,
    seconds,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from ipaddress import IPv4Network, IPv6Network

    from tracker.config.kinds import Kind
    from tracker.permissions import Permission

_PORT = whole(0, 65535, "a port")


class DeliveryMethod(StrEnum):
    """Whose definitions delivery metrics follow."""

    FOUR_KEYS = "four_keys"
    DEVLAKE = "devlake"
    DATADOG = "datadog"


class LogLevel(StrEnum):
    """The minimum level of the lines to log."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """The format of log lines; `AUTO` is text on a terminal and JSON anywhere else."""

    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """The declaration of one setting.

    `name` is its key in a configuration file; `variable` and `flag` follow from it. The value of a
    `secret` setting is never printed.
    """

    name: str
    kind: Kind[T]
    default: T
    help: str
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return self.name.upper()

    @property
    def flag(self) -> str:
        """The flag of `tracker serv` that sets it."""
        return "--" + self.name.replace("_", "-")


def _setting(kind: Kind[T], help_: str, default: T, *, secret: bool = False) -> T:
    declared: T = field(
        default=default, repr=not secret, metadata={"kind": kind, "help": help_, "secret": secret}
    )
    return declared


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one server."""

    host: str = _setting(
        TEXT,
        "Address to listen on; `localhost` is the loopback interface, `::` every interface, IPv6 and IPv4.",
        "localhost",
    )
    grpc_port: int = _setting(_PORT, "Port of the gRPC API; 0 selects a free one.", 8765)
    http_port: int = _setting(
        _PORT, "Port of the REST API, its documentation and the probes; 0 selects a free one.", 8080
    )
    metrics_port: int = _setting(_PORT, "Port of `/metrics`; 0 selects a free one.", 8081)
    database_path: Path = _setting(
        PATH,
        "File of the embedded store; created with its folder if missing.",
        Path("data/tracker.db"),
    )
    mongo_uri: str | None = _setting(
        MISSING_OR_TEXT,
        "URI of a MongoDB database, for several servers; replaces the embedded store.",
        None,
        secret=True,
    )
    auth_anonymous_permissions: frozenset[Permission] | None = _setting(
        PERMISSIONS,
        "What callers without credentials may do, such as `event:read,lock:read`; empty: nothing; `all`:"
        " everything but manage access, delete by policies, and read the audit log and states of Terraform;"
        " `loopback`: everything, and others than this machine can't call.",
        None,
    )
    auth_jobs_file: Path | None = _setting(
        MISSING_OR_PATH, "TOML file with the rules for CI jobs, by which their id tokens are accepted.", None
    )
    auth_admin_password: str | None = _setting(
        MISSING_OR_TEXT, "First password of the user `admin`, who is created with it.", None, secret=True
    )
    auth_session_ttl: float = _setting(
        seconds(60, 2_592_000), "How long people stay logged in.", default=43_200.0
    )
    auth_own_token_max_days: int = _setting(
        whole(0, 3_650),
        "For how many days tokens are valid at most that users and tokens make for themselves; 0: they make"
        " none.",
        365,
    )
    auth_public_url: str = _setting(
        TEXT, "Address under which people reach this server, such as `https://tracker.example.com`.", ""
    )
    auth_cookie_secure: bool = _setting(
        SWITCH,
        "Whether cookies are for https alone, where neither `TLS_CERT` nor `AUTH_PUBLIC_URL` makes them so:"
        " on or off.",
        default=False,
    )
    auth_oidc_issuer: str = _setting(
        TEXT,
        "OpenID Connect provider at which people log in, such as `https://id.example.com`.",
        "",
    )
    auth_oidc_client_id: str = _setting(TEXT, "Id of this server as a client of the provider.", "")
    auth_oidc_client_secret: str | None = _setting(
        MISSING_OR_TEXT, "Secret of that client.", None, secret=True
    )
    auth_oidc_scopes: str = _setting(TEXT, "Scopes to ask for.", "openid profile email")
    auth_oidc_groups_claim: str = _setting(TEXT, "Claim with the groups of a user.", "groups")
    auth_oidc_username_claim: str = _setting(TEXT, "Claim with the name of a user.", "preferred_username")
    auth_oidc_user_provisioning: bool = _setting(
        SWITCH, "Whether users of the provider are created when they first log in: on or off.", default=True
    )
    auth_oidc_team_sync: bool = _setting(
        SWITCH, "Whether groups decide who is in teams that name groups: on or off.", default=True
    )
    auth_oidc_button_label: str = _setting(TEXT, "Label of the link to the provider.", "Single Sign-On")
    auth_proxy_user_header: str = _setting(
        TEXT, "Header in which trusted proxies name the user, such as `X-Forwarded-User`.", ""
    )
    auth_proxy_groups_header: str = _setting(
        TEXT, "Header in which they name the groups of the user, with commas.", "X-Forwarded-Groups"
    )
    tls_cert: Path | None = _setting(
        MISSING_OR_PATH, "PEM file with the certificate of this server, and those that vouch for it.", None
    )
    tls_key: Path | None = _setting(MISSING_OR_PATH, "PEM file with the key of that certificate.", None)
    tls_client_ca: Path | None = _setting(
        MISSING_OR_PATH,
        "PEM file with authorities: only clients with a certificate of theirs are let in.",
        None,
    )
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = _setting(
        NETWORKS,
        "Addresses of proxies, such as `10.0.0.0/8`, whose `X-Forwarded-For` says who calls.",
        (),
    )
    webhook_allowed_networks: tuple[IPv4Network | IPv6Network, ...] = _setting(
        NETWORKS,
        "Networks that are not public, such as `10.0.0.0/8`, to which webhooks may send too.",
        (),
    )
    github_webhook_secret: str | None = _setting(
        MISSING_OR_TEXT,
        "Secret with which GitHub signs webhooks; without it, none are received.",
        None,
        secret=True,
    )
    integration_gitlab_secret_token: str | None = _setting(
        MISSING_OR_TEXT,
        "Secret token of GitLab's webhooks; without it, none are received.",
        None,
        secret=True,
    )
    integration_gitlab_signing_token: str | None = _setting(
        MISSING_OR_TEXT,
        "Signing token (`whsec_…`) of GitLab's webhooks, instead of the secret token.",
        None,
        secret=True,
    )
    integration_pagerduty_secret: str | None = _setting(
        MISSING_OR_TEXT,
        "Secret with which PagerDuty signs webhooks; without it, none are received.",
        None,
        secret=True,
    )
    integration_terraform_token: str | None = _setting(
        MISSING_OR_TEXT,
        "Token with which HCP Terraform signs notifications; without it, none are received.",
        None,
        secret=True,
    )
    integration_flux_hmac_key: str | None = _setting(
        MISSING_OR_TEXT,
        "Key with which Flux signs; with it, messages that are not signed are refused.",
        None,
        secret=True,
    )
    slack_signing_secret: str | None = _setting(
        MISSING_OR_TEXT,
        "Signing secret of the Slack app whose buttons are answered; without it, messages have none.",
        None,
        secret=True,
    )
    slack_users: tuple[str, ...] = _setting(
        WORDS,
        "Users of Tracker by the ids of members of Slack, such as `U024BE7LH=alice`, with whose permissions"
        " these use buttons.",
        (),
    )
    integration_environments: tuple[str, ...] = _setting(
        WORDS,
        "Environments by other names, which webhooks of products have for them, in any case.",
        ("staging=preproduction",),
    )
    intake_mapping: Path | None = _setting(
        MISSING_OR_PATH,
        "TOML file with rules of your own for what becomes of messages of other products.",
        None,
    )
    dogstatsd_address: str = _setting(
        TEXT,
        "Where events of DogStatsD are received: `udp://127.0.0.1:8125` or `unix:///run/tracker/dogstatsd.sock`."
        " Datagrams have no credentials, so that callers without them must be allowed `event:write`.",
        "",
    )
    allowed_hosts: tuple[str, ...] = _setting(
        WORDS,
        "Names under which clients call this server, such as `tracker.example.com,*.internal`; addresses and"
        " `localhost` need not be named.",
        (),
    )
    cors_allowed_origins: tuple[str, ...] = _setting(
        ORIGINS,
        "Origins of other sites whose pages may call the API, such as `https://portal.example.com`.",
        (),
    )
    log_level: LogLevel = _setting(
        choice(LogLevel, {"warn": LogLevel.WARNING}),
        "Minimum log level: debug, info, warning or error.",
        LogLevel.INFO,
    )
    log_format: LogFormat = _setting(
        choice(LogFormat),
        "Log format: `json`, `text`, or `auto`, which is text on a terminal, else JSON.",
        LogFormat.AUTO,
    )
    timezone: ZoneInfo = _setting(
        TIMEZONE, "Time zone (IANA name) in which days begin and end.", ZoneInfo("UTC")
    )
    locks_auto: bool = _setting(
        SWITCH, "Whether deployments and operations under way take a lock: on or off.", default=True
    )
    locks_auto_ttl: float = _setting(
        seconds(0, 604_800),
        "How long such a lock lasts after the last update of its event; 0: until released.",
        14_400.0,
    )
    call_timeout: float = _setting(
        seconds(0.001, 600), "Longest time a call may take, whatever its client allows.", 30.0
    )
    unsent_answers_mib: int = _setting(
        whole(16, 1_000_000),
        "Memory, in MiB, for answers that are not yet sent; beyond it, calls get 429.",
        default=64,
    )
    shutdown_drain: float = _setting(
        seconds(0, 300),
        "How long a stopping server still accepts calls, while `/readyz` answers 503.",
        0.0,
    )
    shutdown_grace: float = _setting(
        seconds(0, 300), "How long a stopping server then waits for calls under way.", 25.0
    )
    rate_limit_enabled: bool = _setting(
        SWITCH, "Whether the number of calls of each caller is limited: on or off.", default=True
    )
    rate_limit_requests_per_second: int = _setting(
        whole(1, 1_000_000), "Calls a second that a caller may make, on each server.", default=100
    )
    rate_limit_burst: int = _setting(
        whole(1, 1_000_000), "Calls that a caller may make at once, before that rate applies.", default=200
    )
    locks_per_principal: int = _setting(
        whole(1, 1_000_000), "Locks that a principal may hold; callers without credentials any.", default=100
    )
    terraform_state_mib: int = _setting(
        whole(1, 256), "Largest state of Terraform that is stored, in MiB.", default=32
    )
    terraform_versions_kept: int = _setting(
        whole(1, 1_000), "Versions of a state of Terraform that are kept.", default=50
    )
    changes_kept: int = _setting(
        whole(1_000, 1_000_000_000),
        "Minimum number of changes kept, from which watches and consumers continue.",
        100_000,
    )
    freezes_enforced: bool = _setting(
        SWITCH,
        "Whether deployments and operations are refused that begin in a hard freeze window: on or off.",
        default=False,
    )
    deployment_approvals: tuple[str, ...] = _setting(
        WORDS,
        "How many persons must approve a deployment, by environment, such as `production=2`.",
        (),
    )
    deployment_approval_ttl: float = _setting(
        seconds(60, 31_536_000), "How long an approval holds.", 86_400.0
    )
    deployment_order: tuple[str, ...] = _setting(
        WORDS,
        "Environments in the order in which a version must be deployed to them, such as"
        " `integration,preproduction,production`.",
        (),
    )
    deployment_rules: str = _setting(
        TEXT,
        "Further rules, as `title: query; title: query`: nothing is deployed while one finds an event.",
        "",
    )
    why_window: float = _setting(
        seconds(60, 2_592_000), "How long before an incident its cause is looked for.", 86_400.0
    )
    why_threshold: float = _setting(
        SHARE, "Probability from which a change is named as the suspected cause of an incident.", 0.7
    )
    why_weights: tuple[str, ...] = _setting(
        WORDS,
        "How much features of changes count in that, such as `age=-1.2,size=0.5`; others as by default.",
        (),
    )
    delivery_method: str = _setting(
        choice(DeliveryMethod),
        "Method of delivery metrics that name none: four_keys, devlake or datadog.",
        DeliveryMethod.DEVLAKE,
    )
    delivery_environments: tuple[str, ...] = _setting(
        WORDS,
        "Environments whose deployments count in delivery metrics that name none; empty: all.",
        ("production",),
    )
    delivery_records: int = _setting(
        whole(1_000, 10_000_000),
        "Most deployments, incidents and pushes that one call measures, with some 0.6 kB of memory each.",
        default=700_000,
    )
    version_schemes: tuple[str, ...] = _setting(
        WORDS,
        "How versions of services are ordered, such as `shop-*=semver,api=pep440`: semver, pep440, calver, or"
        " order (of deployment, the default).",
        (),
    )
    audit_key_file: Path | None = _setting(
        MISSING_OR_PATH,
        "File of the key that signs the audit log, created if missing; not set: beside `DATABASE_PATH`; with"
        " MongoDB a key for as long as the server runs.",
        None,
    )
    audit_kept_days: int = _setting(
        whole(0, 36_500), "How long entries of the audit log are kept, in days; 0: forever.", 400
    )
    retention_every: float = _setting(
        seconds(1, 604_800), "Time between two rounds of the active retention policies.", 3_600.0
    )
    retention_rate: int = _setting(
        whole(1, 1_000_000), "Events that retention policies delete at most a second.", 500
    )
    retention_export_dir: Path | None = _setting(
        MISSING_OR_PATH,
        "Folder that events are written to before retention policies with `export` delete them.",
        None,
    )
    max_service_labels: int = _setting(
        whole(0, 1_000_000),
        "Maximum number of values of the label `service` in metrics; the rest count as `other`.",
        1000,
    )
    jira_domain: str = _setting(TEXT, "For `/config.js`: Jira domain.", default="your-domain.atlassian.net")
    jira_project_key: str = _setting(TEXT, "Jira project key.", default="")
    slack_workspace: str = _setting(TEXT, "Slack workspace.", default="your-workspace")
    slack_events_channel: str = _setting(TEXT, "Slack channel.", default="")
    demo_mode: bool = _setting(SWITCH, "Demo mode: on or off.", default=False)
    buy_me_coffee_url: str = _setting(
        TEXT, "Address for donations.", default="https://buymeacoffee.com/jplanckeel"
    )
    homer_url: str = _setting(TEXT, "Homer dashboard.", default="")
    clarity_project_id: str = _setting(TEXT, "Clarity project.", default="")


SETTINGS: Mapping[str, Setting[object]] = {
    f.name: Setting(f.name, default=f.default, **f.metadata) for f in fields(Settings)
}
"""Every setting by name, in the order of declaration."""
