"""The commands of ``landcover``, a file each: arguments become a request, outcomes text or JSON."""
