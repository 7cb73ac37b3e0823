"""The sync service: all its RPCs in one servicer."""

from services.sync.handlers.collections import CollectionHandlers
from services.sync.handlers.imports import ImportHandlers
from services.sync.handlers.inbox import InboxHandlers
from services.sync.handlers.publishing import PublishingHandlers
from services.sync.handlers.records import RecordHandlers
from services.sync.handlers.reviews import ReviewHandlers


class SyncServicer(
    CollectionHandlers,
    RecordHandlers,
    ImportHandlers,
    InboxHandlers,
    ReviewHandlers,
    PublishingHandlers,
):
    """Answers for the records of the caller's tenant."""
