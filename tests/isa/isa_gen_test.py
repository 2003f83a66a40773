# SPDX-License-Identifier: Apache-2.0
"""The Python module python/gemel/isa_gen.py against the vectors that the C++ suite reads, too. Standard library only."""
import dataclasses
import importlib.util
import json
import pathlib
import sys
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
VECTORS = json.loads((ROOT / "tests/isa/vectors.gen.json").read_text(encoding="utf-8"))


def load_module():
    """By path, so that neither the package nor what it needs has to be installed."""
    spec = importlib.util.spec_from_file_location("isa_gen", ROOT / "python/gemel/isa_gen.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["isa_gen"] = module
    spec.loader.exec_module(module)
    return module


isa = load_module()


class IsaModule(unittest.TestCase):
    def test_decodes_and_encodes_the_vectors(self):
        self.assertGreaterEqual(len(VECTORS["legal"]), 100)
        for vector in VECTORS["legal"]:
            data = bytes.fromhex(vector["hex"])
            instruction = isa.decode(data)
            self.assertEqual(dataclasses.asdict(instruction), vector["fields"])
            self.assertEqual(instruction.opcode.name.lower(), vector["op"])
            self.assertEqual(isa.encode(instruction), data)

    def test_rejects_the_illegal_vectors(self):
        self.assertGreaterEqual(len(VECTORS["illegal"]), 300)
        for vector in VECTORS["illegal"]:
            with self.assertRaises(isa.IllegalInstruction, msg=str(vector)) as caught:
                isa.decode(bytes.fromhex(vector["hex"]))
            self.assertIn(vector["field"], str(caught.exception))

    def test_refuses_to_encode_what_does_not_fit(self):
        with self.assertRaisesRegex(isa.IllegalInstruction, r"blocks = 4096 is outside 1\.\.4095"):
            isa.encode(isa.Vector(blocks=4096))
        with self.assertRaisesRegex(isa.IllegalInstruction, "Load has no opcode"):
            isa.encode(isa.Load(opcode=isa.Opcode.STORE))

    def test_refuses_half_an_instruction(self):
        with self.assertRaisesRegex(isa.IllegalInstruction, "64 bytes, not 63"):
            isa.decode(bytes(63))

    def test_instructions_are_frozen(self):
        with self.assertRaises(dataclasses.FrozenInstanceError):
            isa.Halt().tag = 1


if __name__ == "__main__":
    unittest.main()
