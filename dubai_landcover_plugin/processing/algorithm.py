"""Base class of the provider's algorithms: their description, and running the engine."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import wraps
from html import escape, unescape
from typing import Any, Callable

import qgis.utils
from qgis.core import (
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingParameterDefinition,
)
from qgis.PyQt.QtGui import QIcon

from dubai_landcover_plugin.processing.documentation import help_url
from dubai_landcover_plugin.processing.feedback import FeedbackMonitor
from dubai_landcover_plugin.processing.running import running
from dubai_landcover_plugin.protocol.errors import LandCoverError, RunCancelled
from dubai_landcover_plugin.protocol.failures import explained
from dubai_landcover_plugin.protocol.requests.request import dumps
from dubai_landcover_plugin.protocol.resources import resource
from dubai_landcover_plugin.protocol.translation import direction, tr
from dubai_landcover_plugin.runner.run import run_task
from dubai_landcover_plugin.runner.settings import engine_interpreter

_TAGS = {"p": ("div", "margin-top: 12px; margin-bottom: 12px"), "li": ("li", ""), "b": ("span", "font-weight: bold")}
"""Tags of a help, with the tag and the style that stand for them in a dialog."""
_BEFORE_UNIT = re.compile(r"(?<=\d) (?=(%|m|m²|px|MB|GB)(?!\w))")
SET_UP_LINK = "landcover:setup"
"""Address that opens the window of the set-up, in messages of QGIS's windows."""


@dataclass(frozen=True)
class AlgorithmInfo:
    """Description of an algorithm for the toolbox, in English; it is translated when it is shown.

    Args:
        name: Id of the algorithm within the provider.
        title: Name in the toolbox.
        group: Group in the toolbox; in lower case it is the group's id.
        tags: Search terms, separated by commas.
        summary: One sentence for lists.
        help: HTML beside the dialog.
        page: Page of the documentation, with the id of a section where the page has several tools.
    """

    name: str
    title: str
    group: str
    tags: str
    summary: str
    help: str
    page: str = "qgis.md"


def _without_tags(text: str) -> str:
    """Return HTML as plain text, a line for each paragraph."""
    return unescape(re.sub(r"<[^>]+>", "", text.replace("</p>", "\n"))).strip()


def _themed(text: str) -> str:
    """Return HTML that is readable in every theme and language.

    QGIS gives paragraphs and bold text dark colours, which dark themes swallow. A paragraph that begins with a Latin
    name would be laid out from the left. Arabic has no italics: many fonts show boxes.
    """
    for tag, (name, style) in _TAGS.items():
        text = text.replace(f"<{tag}>", f'<{name} dir="{direction()}" style="{style}">')
        text = text.replace(f"</{tag}>", f"</{name}>")
    text = "</p>" + _BEFORE_UNIT.sub("\u00a0", text)  # QGIS puts it into a paragraph
    if direction() == "rtl":
        text = text.replace("<i>", "«").replace("</i>", "»")
    return text


def _bounded(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a step of a run that raises every exception as ``QgsProcessingException``, with message and remedy.

    A cancelled step is no error: it says so in the log and returns no results, as QGIS's own algorithms do.
    """

    @wraps(step)
    def run(*arguments: Any) -> Any:
        try:
            return step(*arguments)
        except QgsProcessingException:
            raise
        except RunCancelled:
            arguments[-1].pushInfo(tr("Cancelled. Unfinished files were removed."))
            return {}
        except Exception as error:
            raise QgsProcessingException(str(explained(error))) from error

    return run


class LandCoverAlgorithm(QgsProcessingAlgorithm):
    """An algorithm that runs in the engine; subclasses set ``INFO``."""

    INFO: AlgorithmInfo

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Let the steps of a run raise nothing but ``QgsProcessingException``."""
        super().__init_subclass__(**arguments)
        for name in ("prepareAlgorithm", "processAlgorithm", "postProcessAlgorithm"):
            if name in vars(cls):
                setattr(cls, name, _bounded(vars(cls)[name]))

    def createInstance(self) -> QgsProcessingAlgorithm:
        """Return a new algorithm of the same class."""
        return type(self)()

    def name(self) -> str:
        """Return the algorithm's id."""
        return self.INFO.name

    def displayName(self) -> str:
        """Return the name in the toolbox."""
        return tr(self.INFO.title)

    def group(self) -> str:
        """Return the group in the toolbox."""
        return tr(self.INFO.group)

    def groupId(self) -> str:
        """Return the group's id."""
        return self.INFO.group.lower()

    def tags(self) -> list[str]:
        """Return the search terms."""
        return tr(self.INFO.tags).split(",")

    def shortDescription(self) -> str:
        """Return one sentence for lists."""
        return tr(self.INFO.summary)

    def shortHelpString(self) -> str:
        """Return the help beside the dialog; ``qgis_process`` prints it, so there it has no tags."""
        text = self.help_page()
        return _themed(text) if qgis.utils.iface is not None else _without_tags(text)

    def help_page(self) -> str:
        """Return the help as HTML."""
        return tr(self.INFO.help)

    def helpUrl(self) -> str:
        """Return the page that the button Help opens."""
        return help_url(self.INFO.page).toString()

    def icon(self) -> QIcon:
        """Return the provider's icon."""
        return QIcon(self.svgIconPath())

    def svgIconPath(self) -> str:
        """Return the icon as a file."""
        return resource("icons/landcover.svg")

    def canExecute(self) -> tuple[bool, str]:
        """Return whether there is an engine, and if not, how to get one: in QGIS's windows with a link."""
        try:
            engine_interpreter()
        except LandCoverError as error:
            if qgis.utils.iface is None:
                return False, str(error)
            return False, f'{escape(error.message)} <a href="{SET_UP_LINK}">{tr("Set up now")}</a>'
        return True, ""

    def hasHtmlOutputs(self) -> bool:
        """Return False: QGIS would say after every run that there is a page, also where none was written."""
        return False

    def add(
        self, parameter: QgsProcessingParameterDefinition, help_text: str, advanced: bool = False, created: bool = True
    ) -> None:
        """Add a parameter with its help.

        Args:
            parameter: The parameter; QGIS takes ownership.
            help_text: Text of the tooltip and the help panel.
            advanced: Whether it is listed among the advanced parameters.
            created: For an optional output: whether the dialog proposes to write it.
        """
        parameter.setHelp(help_text)
        if advanced:
            parameter.setFlags(parameter.flags() | QgsProcessingParameterDefinition.Flag.FlagAdvanced)
        if parameter.isDestination():
            parameter.setCreateByDefault(created)
        if not self.addParameter(parameter):
            raise QgsProcessingException(tr("The parameter {name} was refused by QGIS.", name=parameter.name()))

    def check(self, parameters: Mapping[str, Any], context: QgsProcessingContext) -> None:
        """Refuse parameters that the engine would refuse later; subclasses extend it.

        Raises:
            LandCoverError: naming the value, the limit and the remedy.
        """

    def checkParameterValues(self, parameters: dict[str, Any], context: QgsProcessingContext) -> tuple[bool, str]:
        """Return whether a run can start, and if not, why."""
        possible, text = self.canExecute()
        if not possible:
            return False, text
        try:
            self.check(parameters, context)
        except Exception as error:
            return False, str(explained(error))
        return super().checkParameterValues(parameters, context)

    def run_engine(self, task: str, request: Mapping[str, Any], feedback: QgsProcessingFeedback) -> dict[str, Any]:
        """Run a request in the engine and return its result.

        Raises:
            QgsProcessingException: with the engine's message and remedy.
            RunCancelled: if the user cancels.
        """
        hint = (
            tr("Request; 'landcover segment --request FILE' repeats it:")
            if task == "segment_raster"
            else tr("Request:")
        )
        try:
            interpreter = engine_interpreter()
            feedback.pushInfo(hint)
            feedback.pushCommandInfo(dumps(request))
            feedback.pushDebugInfo(
                tr("Engine: {path} (from {origin})", path=interpreter.path, origin=interpreter.origin)
            )
            with running(feedback):
                return run_task(interpreter.path, task, request, FeedbackMonitor(feedback))
        except RunCancelled:
            raise
        except LandCoverError as error:
            raise QgsProcessingException(str(error)) from error
