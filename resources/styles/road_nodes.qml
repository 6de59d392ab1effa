<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis styleCategories="Symbology" version="3.22">
<renderer-v2 type="RuleRenderer" symbollevels="0" forceraster="0" enableorderby="0">
 <rules key="{4b1c5b5e-8a0c-4a53-9a38-0a8a3f1f0000}">
  <rule key="{4b1c5b5e-8a0c-4a53-9a38-0a8a3f1f0001}" symbol="0" label="Junction" filter="&quot;degree&quot; &gt; 2"/>
  <rule key="{4b1c5b5e-8a0c-4a53-9a38-0a8a3f1f0002}" symbol="1" label="End" filter="&quot;degree&quot; = 1"/>
  <rule key="{4b1c5b5e-8a0c-4a53-9a38-0a8a3f1f0003}" symbol="2" label="Ring" filter="ELSE"/>
 </rules>
 <symbols>
  <symbol type="marker" name="0" alpha="1" clip_to_extent="1" force_rhr="0">
   <layer class="SimpleMarker" enabled="1" pass="0" locked="0">
    <Option type="Map">
     <Option type="QString" name="name" value="circle"/>
     <Option type="QString" name="color" value="178,24,43,255"/>
     <Option type="QString" name="outline_color" value="35,35,35,255"/>
     <Option type="QString" name="outline_width" value="0.2"/>
     <Option type="QString" name="size" value="1.6"/>
     <Option type="QString" name="size_unit" value="MM"/>
    </Option>
   </layer>
  </symbol>
  <symbol type="marker" name="1" alpha="1" clip_to_extent="1" force_rhr="0">
   <layer class="SimpleMarker" enabled="1" pass="0" locked="0">
    <Option type="Map">
     <Option type="QString" name="name" value="circle"/>
     <Option type="QString" name="color" value="255,255,255,255"/>
     <Option type="QString" name="outline_color" value="35,35,35,255"/>
     <Option type="QString" name="outline_width" value="0.2"/>
     <Option type="QString" name="size" value="1.4"/>
     <Option type="QString" name="size_unit" value="MM"/>
    </Option>
   </layer>
  </symbol>
  <symbol type="marker" name="2" alpha="1" clip_to_extent="1" force_rhr="0">
   <layer class="SimpleMarker" enabled="1" pass="0" locked="0">
    <Option type="Map">
     <Option type="QString" name="name" value="circle"/>
     <Option type="QString" name="color" value="150,150,150,255"/>
     <Option type="QString" name="outline_color" value="35,35,35,255"/>
     <Option type="QString" name="outline_width" value="0.2"/>
     <Option type="QString" name="size" value="1.2"/>
     <Option type="QString" name="size_unit" value="MM"/>
    </Option>
   </layer>
  </symbol>
 </symbols>
</renderer-v2>
</qgis>
