# SPDX-License-Identifier: Apache-2.0
"""Gemel's Python side: workload files, safetensors, the integer reference, areas. Needs NumPy and PyYAML, nothing else."""
