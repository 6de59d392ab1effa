"""QGIS styles (QML) of a road network: lines with a light casing, junctions and ends as points."""

from __future__ import annotations

_DOCUMENT = """<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis styleCategories="Symbology" version="3.22">
{renderer}
</qgis>
"""
_LINE = """<layer class="SimpleLine" enabled="1" pass="{level}" locked="0">
    <Option type="Map">
     <Option type="QString" name="line_color" value="{colour}"/>
     <Option type="QString" name="line_style" value="solid"/>
     <Option type="QString" name="line_width" value="{width}"/>
     <Option type="QString" name="line_width_unit" value="MM"/>
     <Option type="QString" name="capstyle" value="round"/>
     <Option type="QString" name="joinstyle" value="round"/>
    </Option>
   </layer>"""
_MARKER = """<symbol type="marker" name="{name}" alpha="1" clip_to_extent="1" force_rhr="0">
   <layer class="SimpleMarker" enabled="1" pass="0" locked="0">
    <Option type="Map">
     <Option type="QString" name="name" value="circle"/>
     <Option type="QString" name="color" value="{colour}"/>
     <Option type="QString" name="outline_color" value="35,35,35,255"/>
     <Option type="QString" name="outline_width" value="0.2"/>
     <Option type="QString" name="size" value="{size}"/>
     <Option type="QString" name="size_unit" value="MM"/>
    </Option>
   </layer>
  </symbol>"""

# Symbol levels: the casings of all lines (0) are drawn below all lines (1).
LINE_STYLE = _DOCUMENT.format(
    renderer=f"""<renderer-v2 type="singleSymbol" symbollevels="1" forceraster="0" enableorderby="0">
 <symbols>
  <symbol type="line" name="0" alpha="1" clip_to_extent="1" force_rhr="0">
   {_LINE.format(level=0, colour="255,255,255,220", width="1.1")}
   {_LINE.format(level=1, colour="217,72,1,255", width="0.6")}
  </symbol>
 </symbols>
</renderer-v2>"""
)
"""QML style of the lines."""

NODE_STYLE = _DOCUMENT.format(
    renderer=f"""<renderer-v2 type="RuleRenderer" symbollevels="0" forceraster="0" enableorderby="0">
 <rules key="{{4b1c5b5e-8a0c-4a53-9a38-0a8a3f1f0000}}">
  <rule key="{{4b1c5b5e-8a0c-4a53-9a38-0a8a3f1f0001}}" symbol="0" label="Junction" filter="&quot;degree&quot; &gt; 2"/>
  <rule key="{{4b1c5b5e-8a0c-4a53-9a38-0a8a3f1f0002}}" symbol="1" label="End" filter="&quot;degree&quot; = 1"/>
  <rule key="{{4b1c5b5e-8a0c-4a53-9a38-0a8a3f1f0003}}" symbol="2" label="Ring" filter="ELSE"/>
 </rules>
 <symbols>
  {_MARKER.format(name=0, colour="178,24,43,255", size="1.6")}
  {_MARKER.format(name=1, colour="255,255,255,255", size="1.4")}
  {_MARKER.format(name=2, colour="150,150,150,255", size="1.2")}
 </symbols>
</renderer-v2>"""
)
"""QML style of the nodes."""
