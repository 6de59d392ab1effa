<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<!-- Mends a text of QGIS's own Arabic catalogue. Compile: lrelease qgis_ar.ts -->
<TS version="2.1" language="ar">
<context>
    <name>QObject</name>
    <message>
        <source>%1 [optional]</source>
        <translation>%1 [اختياري]</translation>
    </message>
</context>
</TS>
