"""What a reload does to the daemon's parts: settings are checked first, then put in place at once.

Parts that look at `Live` for every frame need nothing; the others are told here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from edge_daemon.prefilter import Prefilter
from edge_daemon.prefilter.plan import Spending
from edge_daemon.reload import Commit
from edge_daemon.service.admission import Admission
from edge_daemon.service.stages import Stages
from edge_daemon.service.texts import Describes
from edge_daemon.service.warming import MakeDescriber, warm
from edge_daemon.settings import Settings
from edge_daemon.uplink import Uplink


class Reconfiguring:
    """Puts new settings into a running daemon.

    Args:
        settings: Those in force.
        describer: What finds texts by them.
        make_describer: Makes another, for other settings.
        prefilter: Gets new settings; its memory of tiles stays.
        admission: Its clients' rules are read anew.
        stages: Likewise, and the rate controller.
        uplink: How its backlog is sent.
        check: Raises what is wrong with settings.
    """

    def __init__(
        self,
        settings: Settings,
        describer: Describes,
        make_describer: MakeDescriber,
        prefilter: Prefilter,
        admission: Admission,
        stages: Stages,
        uplink: Uplink,
        check: Callable[[Settings], None],
    ) -> None:
        self._semantic = settings.semantic
        self._describer = describer
        self._make_describer = make_describer
        self._prefilter = prefilter
        self._admission = admission
        self._stages = stages
        self._uplink = uplink
        self._check = check

    def prepare(self, settings: Settings) -> Commit:
        """Does what may fail; in a thread.

        Args:
            settings: Those that will be in force.

        Returns:
            What puts them in force, on the event loop.

        Raises:
            EdgeError: They contradict each other, the bundle, or what is installed.
        """
        self._check(settings)
        manifest = self._prefilter.bundle.manifest
        Spending.of(settings.prefilter, manifest.recommended, manifest.dense)
        describer = self._describer
        if settings.semantic != self._semantic:
            describer = self._make_describer(settings.semantic, self._prefilter.bundle)
            warm(describer)

        def commit() -> None:
            self._semantic, self._describer = settings.semantic, describer
            self._prefilter.retune(settings.prefilter, settings.prompt, settings.video)
            self._admission.reconfigure(settings)
            self._stages.reconfigure(settings, describer)
            self._uplink.tune(settings.uplink)
            logging.getLogger().setLevel(settings.log.level.upper())

        return commit
