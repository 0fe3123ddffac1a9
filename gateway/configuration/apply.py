"""Importing a document: every object is created, updated or found as it should be."""

from collections.abc import Mapping

from gateway import settings
from gateway.configuration import offers, people, policies, upstreams
from gateway.configuration.changes import Changes, Report
from gateway.configuration.document import Document
from gateway.configuration.secrets import Secrets
from gateway.crypto import Sealer
from gateway.db import Session

REASON = "import"


def apply(
    session: Session,
    sealer: Sealer,
    document: Document,
    environment: Mapping[str, str] | None = None,
) -> Report:
    """Bring the database to what the document says, all of it or nothing.

    Applying the same document again changes nothing. Objects that the document does not
    mention are left alone.
    """
    changes = Changes()
    secrets = Secrets(sealer, settings.environment() if environment is None else environment)
    for number, policy in enumerate(document.policies):
        policies.import_policy(session, changes, policy, f"policies[{number}]")
    _import_catalog(session, changes, secrets, document)
    for number, user in enumerate(document.users):
        people.import_user(session, changes, secrets, user, f"users[{number}]")
    changes.mark(session, REASON)
    return changes.report()


def _import_catalog(
    session: Session, changes: Changes, secrets: Secrets, document: Document
) -> None:
    """Links need backends, and keys may be tied to models: hence the order."""
    for tag in document.capability_tags:
        offers.import_tag(session, changes, tag)
    providers = [
        upstreams.import_provider(session, changes, provider, f"providers[{number}]")
        for number, provider in enumerate(document.providers)
    ]
    for number, model in enumerate(document.models):
        offers.import_model(session, changes, model, f"models[{number}]")
    if document.models:
        offers.check_names(session)
        offers.check_targets(session, document.models)
    for number, (row, provider) in enumerate(zip(providers, document.providers, strict=True)):
        for index, key in enumerate(provider.keys):
            path = f"providers[{number}].keys[{index}]"
            upstreams.import_provider_key(session, changes, secrets, row, (key, path))
