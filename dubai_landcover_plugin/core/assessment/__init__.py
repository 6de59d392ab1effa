"""Accuracy assessment of classified rasters: sampling, confusion matrix, accuracy and areas with confidence intervals.

Source: Olofsson et al. (2014), Good practices for estimating area and assessing accuracy of land change, Remote Sensing
of Environment 148, 42–57, https://doi.org/10.1016/j.rse.2014.02.015
"""
