"""Registers the Processing provider, the panel, the settings page and the menu in QGIS, and unregisters them."""

from __future__ import annotations

import sys
from typing import Any

from qgis.core import QgsApplication, QgsProject
from qgis.PyQt.QtCore import QCoreApplication, Qt, QTranslator
from qgis.PyQt.QtGui import QDesktopServices, QIcon

from dubai_landcover_plugin.processing.documentation import help_url
from dubai_landcover_plugin.processing.inputs import proposed_image
from dubai_landcover_plugin.processing.running import stop_runs
from dubai_landcover_plugin.protocol.errors import LandCoverError
from dubai_landcover_plugin.protocol.resources import resource
from dubai_landcover_plugin.protocol.translation import tr, use_language
from dubai_landcover_plugin.provider import DubaiLandCoverProvider
from dubai_landcover_plugin.runner.administration import set_up_is_allowed
from dubai_landcover_plugin.runner.settings import engine_interpreter

try:
    from qgis.PyQt.QtGui import QAction  # Qt 6
except ImportError:
    from qgis.PyQt.QtWidgets import QAction  # Qt 5

MENU = "Dubai Land Cover"


class DubaiLandCoverPlugin:
    """The QGIS plugin.

    Args:
        iface: QGIS's ``QgisInterface``; None in ``qgis_process``.
    """

    def __init__(self, iface: Any) -> None:
        self._iface = iface
        self._provider: DubaiLandCoverProvider | None = None
        self._translator: QTranslator | None = None
        self._options_factory: Any = None
        self._actions: list[QAction] = []
        self._dock: Any = None
        self._models: Any = None
        self._link: Any = None

    def initProcessing(self) -> None:
        """Register the provider; ``qgis_process`` calls only this."""
        self._use_language()
        self._provider = DubaiLandCoverProvider()
        QgsApplication.processingRegistry().addProvider(self._provider)

    def initGui(self) -> None:
        """Register provider, settings page, menu and panel."""
        from dubai_landcover_plugin.gui.settings_page import SettingsPageFactory  # qgis_process has no GUI

        self.initProcessing()
        self._options_factory = SettingsPageFactory()
        self._iface.registerOptionsWidgetFactory(self._options_factory)
        self._add_panel()
        self._add_action(tr("Segment Land Cover…"), self._open_segmentation)
        self._add_action(tr("Try a sample image…"), self._try_sample_image)
        self._add_action(tr("Models…"), self._open_models_dialog)
        self._add_action(tr("Set up the engine…"), self._open_engine_dialog)
        self._add_action(tr("Help"), lambda: QDesktopServices.openUrl(help_url("index.md")))
        self._offer_set_up()

    def unload(self) -> None:
        """Cancel runs in progress and unregister everything."""
        self._stop_sample_image()
        stop_runs()
        self._close_engine_dialog()
        if self._link is not None:
            self._link.remove()
            self._link = None
            self._ask_if_uninstalled()
        for action in self._actions:
            self._iface.removePluginMenu(MENU, action)
            self._iface.removeToolBarIcon(action)
            action.deleteLater()
        self._actions.clear()
        if self._dock is not None:
            self._dock.close_session()
            self._iface.removeDockWidget(self._dock)
            self._dock.deleteLater()
            self._dock = None
        if self._models is not None:
            self._models.close()
            self._models.deleteLater()
            self._models = None
        if self._options_factory is not None:
            self._iface.unregisterOptionsWidgetFactory(self._options_factory)
            self._options_factory = None
        if self._provider is not None:
            QgsApplication.processingRegistry().removeProvider(self._provider)
            self._provider = None
        if self._translator is not None:
            QCoreApplication.removeTranslator(self._translator)
            self._translator = None

    def _add_panel(self) -> None:
        """Make the panel, hidden until the user or the last session shows it, and its toggle in menu and toolbar."""
        from dubai_landcover_plugin.gui.panel.dock import LandCoverDock  # qgis_process has no GUI

        self._dock = LandCoverDock(self._iface, self._iface.mainWindow())
        self._iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self._dock)
        self._dock.hide()
        action = QAction(QIcon(resource("icons/landcover.svg")), tr("Land Cover panel"), self._dock)
        action.setCheckable(True)
        self._dock.setToggleVisibilityAction(action)
        self._iface.addPluginToMenu(MENU, action)
        self._iface.addToolBarIcon(action)
        self._actions.append(action)

    def _add_action(self, text: str, called: Any) -> None:
        action = QAction(QIcon(resource("icons/landcover.svg")), text, self._iface.mainWindow())
        action.triggered.connect(called)
        self._iface.addPluginToMenu(MENU, action)
        self._actions.append(action)

    def _offer_set_up(self) -> None:
        """Offer the set-up in the message bar while there is no engine, or an old one, and follow links to it."""
        from dubai_landcover_plugin.gui.engine_dialog import is_update_due
        from dubai_landcover_plugin.gui.set_up_message import SetUpLink, offer_set_up, offer_update

        self._link = SetUpLink(self._open_engine_dialog)
        if not offer_set_up(self._iface.messageBar(), self._set_up_now) and set_up_is_allowed() and is_update_due():
            offer_update(self._iface.messageBar(), self._open_engine_dialog)

    def _set_up_now(self) -> None:
        from dubai_landcover_plugin.gui.engine_dialog import show_engine_dialog

        show_engine_dialog(self._iface.mainWindow()).set_up()

    def _ask_if_uninstalled(self) -> None:
        from dubai_landcover_plugin.gui.set_up_message import withdraw_offers
        from dubai_landcover_plugin.gui.uninstallation import ask_if_uninstalled

        withdraw_offers()
        ask_if_uninstalled(self._iface)

    def _open_segmentation(self) -> None:
        image = proposed_image(QgsProject.instance(), self._iface.activeLayer())
        self._open_algorithm("segmentlandcover", **({} if image is None else {"INPUT": image.id()}))

    @staticmethod
    def _open_algorithm(name: str, **values: Any) -> None:
        """Open the dialog of an algorithm with values that differ from the defaults."""
        import processing  # a plugin of QGIS that is loaded after this module

        processing.execAlgorithmDialog(f"dubailandcover:{name}", values)

    def _try_sample_image(self) -> None:
        from dubai_landcover_plugin.gui.sample_image import try_sample_image

        try:
            engine_interpreter()
        except LandCoverError:
            self._open_engine_dialog()
        else:
            try_sample_image(self._iface)

    @staticmethod
    def _stop_sample_image() -> None:
        module = sys.modules.get("dubai_landcover_plugin.gui.sample_image")  # qgis_process has no GUI
        if module is not None:
            module.stop_sample_image()

    def _open_models_dialog(self) -> None:
        from dubai_landcover_plugin.gui.models.dialog import ModelsDialog

        if self._models is None:
            self._models = ModelsDialog(self._iface, self._iface.mainWindow())
        self._models.refresh()
        self._models.show()
        self._models.raise_()

    def _open_engine_dialog(self) -> None:
        from dubai_landcover_plugin.gui.engine_dialog import show_engine_dialog

        show_engine_dialog(self._iface.mainWindow())

    @staticmethod
    def _close_engine_dialog() -> None:
        """Cancel a set-up in progress and remove its window, if there is one."""
        module = sys.modules.get("dubai_landcover_plugin.gui.engine_dialog")  # qgis_process has no GUI
        if module is not None:
            module.close_engine_dialog()

    def _use_language(self) -> None:
        """Take the language of QGIS.

        QGIS's own Arabic catalogue writes "1%" for "%1" where it marks optional parameters, which hides their names,
        and lacks texts of the dialogs; a catalogue with these texts alone, found before QGIS's, mends it.
        """
        locale = QgsApplication.locale()
        use_language(locale)
        translator = QTranslator()
        if translator.load(resource(f"translations/qgis_{locale[:2]}.qm")):
            QCoreApplication.installTranslator(translator)
            self._translator = translator
