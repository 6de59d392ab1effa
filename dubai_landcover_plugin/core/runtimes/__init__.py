"""What computes the network: PyTorch or OpenVINO, behind one interface; which one, is chosen by trying."""
