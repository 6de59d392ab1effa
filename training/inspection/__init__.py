"""Inspection of labelled data: contents and problems."""
