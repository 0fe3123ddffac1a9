"""A configuration that uses every kind of object, and how tests import it."""

from gateway.configuration import files
from gateway.configuration.apply import apply
from gateway.configuration.changes import Report
from gateway.crypto import Sealer
from gateway.db import Database

FILE = b"""
capability_tags:
  - {code: vision, name: Sees}
policies:
  - name: default
  - name: strict
    models: [chat-large]
    rate_limit: 60
    rate_limit_window_seconds: 60
    cost_quota_daily_usd: 2.50
    available_time_ranges: [{start: "22:00", end: "06:00"}]
    timezone: Europe/Berlin
    per_model: {chat-large: {rate_limit: 10}}
providers:
  - code: vendor
    adapter: openai
    headers: {x-team: ours}
    cost_multiplier: 0.85
    backends:
      - {slug: vendor-eu, base_url: "https://eu.vendor.test/v1", region: eu, weight: 3}
      - {slug: vendor-us, base_url: "https://us.vendor.test/v1", limits: {first_byte_seconds: 90}}
    keys:
      - {name: main, secret: {env: VENDOR_KEY}, backends: [vendor-eu], cost_multiplier: "0.5"}
      - {name: spare, secret: literal-secret, weight: 2, models: [chat-large]}
models:
  - slug: chat-large
    aliases: [large]
    context_window: 128000
    parameters: {temperature: 0.7}
    tags: [vision, tools]
    backends: [vendor-eu, {backend: vendor-us, upstream_model: big, weight: 2}]
    prices: {input: 2.50, cached_input: "1.25", output: 10}
  - {slug: gpt-4o-mini, backends: [vendor-us], prices: known}
users:
  - email: ada@example.test
    name: Ada
    role: manager
    policy: strict
    limit_usd: 12.345678901
    password: correct horse
    apps:
      - {name: search, limit_usd: 3, models: [chat-large], ip_allow: [10.0.0.0/8]}
    keys:
      - {name: laptop}
      - name: server
        key: sk-a-literal-key-0123456789
        app: search
        valid_until: 2030-01-01T00:00:00Z
  - {account: grace, policy: default}
"""
ENVIRONMENT = {"VENDOR_KEY": "vendor-secret"}
SEALER = Sealer("a key for tests")


def imported(database: Database, data: bytes = FILE) -> Report:
    with database.transaction() as session:
        return apply(session, SEALER, files.decode(data, "yaml"), ENVIRONMENT)


def outcomes(report: Report) -> dict[str, str]:
    return {f"{entry.kind} {entry.name}": str(entry.outcome) for entry in report.entries}
