"""The one method by which a plugin says whether it is well. It is asked before a version takes
calls from another; a plugin that does not have it counts as well once it is connected.

Request and response are empty; a failure says why not, with any code but UNIMPLEMENTED.
"""

SERVICE = "storeplugin.plugin.v1.Plugin"
METHOD = "Check"
PATH = f"/{SERVICE}/{METHOD}"
