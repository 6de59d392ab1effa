<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<!-- Mends and adds texts of the plugin's dialogs that QGIS's and Qt's own Arabic catalogues have wrong or lack.
     Compile: lrelease qgis_ar.ts -->
<TS version="2.1" language="ar">
<context>
    <name>QObject</name>
    <message>
        <source>%1 [optional]</source>
        <translation>%1 [اختياري]</translation>
    </message>
</context>
<context>
    <name>QgsProcessingParametersWidgetBase</name>
    <message>
        <source>Advanced Parameters</source>
        <translation>معلمات متقدمة</translation>
    </message>
</context>
<context>
    <name>QgsProcessingMultipleInputPanelWidget</name>
    <message>
        <source>%1 inputs selected</source>
        <translation>عدد المدخلات المحددة: %1</translation>
    </message>
</context>
<context>
    <name>QgsProcessingMultipleLayerPanelWidget</name>
    <message>
        <source>%1 inputs selected</source>
        <translation>عدد المدخلات المحددة: %1</translation>
    </message>
</context>
<context>
    <name>QPlatformTheme</name>
    <message>
        <source>OK</source>
        <translation>موافق</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>إلغاء</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>إغلاق</translation>
    </message>
    <message>
        <source>Help</source>
        <translation>مساعدة</translation>
    </message>
    <message>
        <source>&amp;Yes</source>
        <translation>نعم</translation>
    </message>
    <message>
        <source>&amp;No</source>
        <translation>لا</translation>
    </message>
</context>
</TS>
