"""A stack's settings: typed, described, and refused as a whole when any of them cannot be used."""

from infra.settings.backup import Backup, Restore
from infra.settings.entry import Access, Gateway, Tls, Token
from infra.settings.loader import load_settings
from infra.settings.models import Api, Corpus, Health, Image, Limits, Registry, Settings
from infra.settings.problems import Problem, SettingsError
from infra.settings.store_host import StoreHost

__all__ = [
    "Access",
    "Api",
    "Backup",
    "Corpus",
    "Gateway",
    "Health",
    "Image",
    "Limits",
    "Problem",
    "Registry",
    "Restore",
    "Settings",
    "SettingsError",
    "StoreHost",
    "Tls",
    "Token",
    "load_settings",
]
