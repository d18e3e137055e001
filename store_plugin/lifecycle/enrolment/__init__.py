"""How a plugin that was started becomes one that the hub knows: token, certificate, renewal."""

from store_plugin.lifecycle.enrolment.authority import Authority
from store_plugin.lifecycle.enrolment.listener import plugin_listener
from store_plugin.lifecycle.enrolment.server import EnrolmentServer
from store_plugin.lifecycle.enrolment.service import MayRun, enabled_in
from store_plugin.lifecycle.enrolment.tokens import EnrolmentTokens

__all__ = ["Authority", "EnrolmentServer", "EnrolmentTokens", "MayRun", "enabled_in", "plugin_listener"]
