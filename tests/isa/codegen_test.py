# SPDX-License-Identifier: Apache-2.0
"""The generator itself: sources that contradict themselves are refused, and a changed source makes every output stale."""
import importlib.util
import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
SOURCE = (ROOT / "src/isa/isa.toml").read_text(encoding="utf-8")


def load_generator():
    spec = importlib.util.spec_from_file_location("codegen", ROOT / "src/isa/codegen.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["codegen"] = module
    spec.loader.exec_module(module)
    return module


codegen = load_generator()


def load(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "isa.toml"
        path.write_text(text, encoding="utf-8")
        return codegen.load(path)


class Generator(unittest.TestCase):
    def refuse(self, old, new, message):
        self.assertIn(old, SOURCE, "the test no longer fits isa.toml")
        with self.assertRaisesRegex(codegen.SourceError, message):
            load(SOURCE.replace(old, new, 1))

    def test_refuses_a_field_of_unknown_key(self):
        self.refuse('{name = "tag", bits = 16,', '{name = "tag", bits = 16, mni = 1,', "header.tag: unknown key `mni`")

    def test_refuses_bounds_that_do_not_fit(self):
        self.refuse('{name = "tag", bits = 16,', '{name = "tag", bits = 16, max = 65536,', r"header.tag: bounds 0\.\.65536 do not fit")

    def test_refuses_a_format_that_is_too_long(self):
        self.refuse('{name = "fill", bits = 8,', '{name = "fill", bits = 8, doc = ""},\n{name = "a", bits = 64, doc = ""},\n'
                    '{name = "b", bits = 64, doc = ""},\n{name = "c", bits = 64,', "load: .* bits do not fit an instruction of 512")

    def test_refuses_an_opcode_used_twice(self):
        self.refuse("value = 0x31", "value = 0x30", "opcodes must differ")

    def test_refuses_a_field_named_twice(self):
        self.refuse('{name = "fill", bits = 8,', '{name = "word_base", bits = 8,', "load: a field is named twice")

    def test_refuses_a_field_named_like_one_of_the_header(self):
        self.refuse('{name = "fill", bits = 8,', '{name = "chain", bits = 8,', "load: a field is named like one of the header's")

    def test_refuses_an_enum_that_does_not_name_all_values(self):
        self.refuse('enum = "buffer", max = 3', 'enum = "buffer", max = 6', "enum buffer does not name 0..6")

    def test_refuses_registers_that_overlap(self):
        self.refuse("offset = 0x004", "offset = 0x002", "csr.status: offset 0x002 overlaps")

    def test_refuses_addresses_of_another_width(self):
        self.refuse('{name = "act_base", bits = 18,', '{name = "act_base", bits = 17,',
                    "matrix.act_base: 17 bits, but word_address_bits is 18")
        self.refuse('{name = "address", bits = 40,', '{name = "address", bits = 39,',
                    "load.address: 39 bits, but memory_address_bits is 40")

    def test_bounds_become_constants(self):
        header = codegen.cpp(load(SOURCE.replace('{name = "act_height", bits = 14, min = 1,', '{name = "act_height", bits = 14, min = 2, max = 9000,', 1)))
        self.assertIn("inline constexpr int MatrixActHeightMin = 2;", header)
        self.assertIn("inline constexpr int MatrixActHeightMax = 9000;", header)
        self.assertIn("inline constexpr std::int64_t LoadStride1Max = 4294967295;", header)
        self.assertNotIn("LoadFillMin", header)  # 0 is the rule

    def test_every_output_follows_the_source(self):
        before = codegen.outputs(load(SOURCE))
        after = codegen.outputs(load(SOURCE.replace('{name = "fill", bits = 8,', '{name = "fill", bits = 7,', 1)))
        self.assertEqual(len(before), 5)
        for name, text in before.items():
            self.assertNotEqual(text, after[name], name)

    def test_is_deterministic(self):
        self.assertEqual(codegen.outputs(load(SOURCE)), codegen.outputs(load(SOURCE)))


if __name__ == "__main__":
    unittest.main()
