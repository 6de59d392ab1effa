<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis styleCategories="Symbology" version="3.22">
<renderer-v2 type="singleSymbol" symbollevels="1" forceraster="0" enableorderby="0">
 <symbols>
  <symbol type="line" name="0" alpha="1" clip_to_extent="1" force_rhr="0">
   <layer class="SimpleLine" enabled="1" pass="0" locked="0">
    <Option type="Map">
     <Option type="QString" name="line_color" value="255,255,255,220"/>
     <Option type="QString" name="line_style" value="solid"/>
     <Option type="QString" name="line_width" value="1.1"/>
     <Option type="QString" name="line_width_unit" value="MM"/>
     <Option type="QString" name="capstyle" value="round"/>
     <Option type="QString" name="joinstyle" value="round"/>
    </Option>
   </layer>
   <layer class="SimpleLine" enabled="1" pass="1" locked="0">
    <Option type="Map">
     <Option type="QString" name="line_color" value="217,72,1,255"/>
     <Option type="QString" name="line_style" value="solid"/>
     <Option type="QString" name="line_width" value="0.6"/>
     <Option type="QString" name="line_width_unit" value="MM"/>
     <Option type="QString" name="capstyle" value="round"/>
     <Option type="QString" name="joinstyle" value="round"/>
    </Option>
   </layer>
  </symbol>
 </symbols>
</renderer-v2>
</qgis>
