<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>
<qgis version="3.22.16-landcover" styleCategories="Symbology">
 <pipe>
  <provider>
   <resampling enabled="false" maxOversampling="2" zoomedInResamplingMethod="nearestNeighbour" zoomedOutResamplingMethod="nearestNeighbour"/>
  </provider>
  <rasterrenderer type="paletted" band="1" alphaBand="-1" opacity="1" nodataColor="">
   <colorPalette>
   </colorPalette>
  </rasterrenderer>
  <resamplingStage>resamplingFilter</resamplingStage>
 </pipe>
</qgis>
