"""The checkpoint file format, without tensors: archive, encoder, decoder.

`archive` writes and reads the zip file, `encode` turns objects into the pickle opcodes that stand
in it, `decode` turns opcodes back into objects by a closed list. All three know ndarrays only;
`minigrad.serialization` brings in tensors, files and devices.
"""
