"""Networks in files that other programs run: torch.export, ONNX and TorchScript."""
