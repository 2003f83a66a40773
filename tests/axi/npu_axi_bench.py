# SPDX-License-Identifier: Apache-2.0
"""The chip behind AXI, `gemel_npu_axi` of an export, between cocotbext-axi's models: an AXI4-Lite master at its registers, AXI4 slaves at its
masters. The slaves check bursts (4 KiB, sizes, WLAST); npu_axi_rules.sv beside the chip checks that what waits stays. Run by npu_axi_test.py, in the
folder of the export; AXI_BENCH says what else it must know."""

import json
import os
import random
import re
from pathlib import Path

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge, Timer
from cocotbext.axi import AxiBus, AxiLiteBus, AxiLiteMaster, AxiReadBus, AxiResp, AxiSlaveRead, AxiSlaveWrite, AxiWriteBus

SETTINGS = json.loads(os.environ["AXI_BENCH"])
FOLDER = Path(SETTINGS["folder"])
# Registers (isa.toml).
CONTROL, STATUS, BASE_LOW, BASE_HIGH, BYTES, ENABLE = 0x000, 0x004, 0x008, 0x00C, 0x010, 0x014
ERROR_CODE, CYCLES_LOW, VERSION, COUNTERS, END = 0x018, 0x028, 0x030, 0x100, 0x240
READ_ERROR, WRITE_ERROR, ABORTED = 5, 6, 10
STATUS_RUNNING, STATUS_DONE, STATUS_ERROR, STATUS_INTERRUPT = 1, 2, 4, 8
LIMIT = {"timeout_time": SETTINGS["most_us"], "timeout_unit": "us"}  # of simulated time, for what would wait for ever


class Memory:
    """What cocotbext-axi's slaves read and write. Addresses in `fails`, and those behind its end, are answered with an error."""

    def __init__(self, size):
        self.bytes, self.fails, self.reads, self.writes = bytearray(size), range(0), 0, 0

    def refuse(self, address, length):
        if address + length > len(self.bytes) or (address < self.fails.stop and address + length > self.fails.start):
            raise ValueError("an error response is wanted")

    async def read(self, address, length):
        self.refuse(address, length)
        self.reads += length
        return self.bytes[address : address + length]

    async def write(self, address, data):
        self.refuse(address, len(data))
        self.writes += len(data)
        self.bytes[address : address + len(data)] = data


class Workload:
    """Of bench/ in the export."""

    def __init__(self):
        header = (FOLDER / "bench/workload.svh").read_text()

        def number(name):
            return int(re.search(rf" {name} = (?:64'sd)?(\d+);", header).group(1))

        def hexadecimal(name):
            return int(re.search(rf" {name} = \d+'h([0-9a-f]+);", header).group(1), 16)

        self.bus, self.words, self.cycles = number("BusBytes"), number("MemoryWords"), number("Cycles")
        self.base, self.bytes = hexadecimal("ProgramBase"), hexadecimal("ProgramBytes")
        expected = bytes(int(line, 16) for line in (FOLDER / "bench/expected.hex").read_text().splitlines() if not line.startswith("//"))
        self.outputs = [  # address, bytes
            (int(address, 16), expected[int(first) : int(first) + int(count)])
            for address, first, count in re.findall(r'  compare\(".*", 64\'h([0-9a-f]+), (\d+), (\d+), ', header)
        ]
        assert self.outputs and sum(len(data) for _, data in self.outputs) == len(expected)

    def fill(self, memory):
        at = 0
        for line in (FOLDER / "bench/memory.hex").read_text().splitlines():
            if line.startswith("@"):
                at = int(line[1:], 16) * self.bus
            elif line and not line.startswith("//"):
                memory.bytes[at : at + self.bus] = bytes.fromhex(line)[::-1]
                at += self.bus


class Chip:
    def __init__(self, dut, random_):
        self.dut, self.random = dut, random_
        self.workload = Workload()
        self.memory = Memory(self.workload.words * self.workload.bus)
        self.workload.fill(self.memory)
        cocotb.start_soon(Clock(dut.aclk, 2, unit="ns").start())
        active_low = {"reset": dut.aresetn, "reset_active_level": False}
        self.registers = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axi"), dut.aclk, **active_low)
        self.fetch = AxiSlaveRead(AxiReadBus.from_prefix(dut, "m_axi_fetch"), dut.aclk, target=self.memory, **active_low)
        self.load = AxiSlaveRead(AxiReadBus.from_prefix(dut, "m_axi_load"), dut.aclk, target=self.memory, **active_low)
        self.store = AxiSlaveWrite(AxiWriteBus.from_prefix(dut, "m_axi_store"), dut.aclk, target=self.memory, **active_low)
        self.slave_channels = {
            "fetch_ar": self.fetch.ar_channel, "fetch_r": self.fetch.r_channel, "load_ar": self.load.ar_channel, "load_r": self.load.r_channel,
            "store_aw": self.store.aw_channel, "store_w": self.store.w_channel, "store_b": self.store.b_channel,
        }
        write, read = self.registers.write_if, self.registers.read_if
        self.register_channels = {
            "csr_aw": write.aw_channel, "csr_w": write.w_channel, "csr_b": write.b_channel, "csr_ar": read.ar_channel, "csr_r": read.r_channel,
        }
        for channel in (*self.slave_channels.values(), *self.register_channels.values()):
            channel.log.setLevel("WARNING")
        for model in (self.fetch, self.load, self.store):
            model.log.setLevel("ERROR")  # each burst would be a line; and errors are wanted
        write.log.setLevel("WARNING")
        read.log.setLevel("WARNING")

    async def reset(self):
        """Begins and ends wherever it likes between the clock's edges."""
        await Timer(300, unit="ps")
        self.dut.aresetn.value = 0
        await ClockCycles(self.dut.aclk, 3)
        await Timer(self.random.randrange(100, 1900, 200), unit="ps")
        self.dut.aresetn.value = 1
        await RisingEdge(self.dut.aclk)

    def stall(self, channels, percent):
        """Each of them stands still in so many of the cycles, at random. The rest of a burst of stalls is as random."""
        for name in channels:
            source = random.Random(self.random.randrange(2**32))

            def pauses(source=source):
                while True:
                    yield source.randrange(100) < percent

            {**self.slave_channels, **self.register_channels}[name].set_pause_generator(pauses())

    async def write(self, offset, value):
        answer = await self.registers.write(offset, value.to_bytes(4, "little"))
        assert answer.resp == AxiResp.OKAY, f"register 0x{offset:03x}: {answer.resp.name}"

    async def read(self, offset):
        answer = await self.registers.read(offset, 4)
        assert answer.resp == AxiResp.OKAY, f"register 0x{offset:03x}: {answer.resp.name}"
        return int.from_bytes(answer.data, "little")

    async def start(self):
        await self.write(BASE_LOW, self.workload.base & 0xFFFFFFFF)
        await self.write(BASE_HIGH, self.workload.base >> 32)
        await self.write(BYTES, self.workload.bytes)
        await self.write(ENABLE, 1)
        await self.write(CONTROL, 1)

    async def finish(self):
        """To the interrupt."""
        while int(self.dut.irq.value) == 0:
            await ClockCycles(self.dut.aclk, 10)
            self.keeps_rules()

    def keeps_rules(self):
        broken = int(self.dut.rules.broken.value)
        assert broken == 0, f"{broken} rules of AXI are broken; the lines `BROKEN` say which"

    async def check(self):
        assert await self.read(STATUS) == STATUS_DONE | STATUS_INTERRUPT
        assert await self.read(ERROR_CODE) == 0
        for address, expected in self.workload.outputs:
            got = bytes(self.memory.bytes[address : address + len(expected)])
            wrong = [i for i in range(len(expected)) if got[i] != expected[i]]
            assert not wrong, f"output at 0x{address:x}: {len(wrong)} of {len(expected)} bytes are wrong, the first at {wrong[0]}"

    async def end(self):
        await ClockCycles(self.dut.aclk, 4)
        self.keeps_rules()
        for name in self.slave_channels:
            assert int(getattr(self.dut.rules, name).value) > 0, f"nothing has moved on {name}"


def generator(dut):
    seed = int(os.environ.get("GEMEL_SEED") or random.SystemRandom().randrange(2**31))
    dut._log.info("GEMEL_SEED=%d", seed)
    return random.Random(seed)


async def new_chip(dut):
    dut.aresetn.value = 0
    await Timer(1, unit="ns")  # before that the chip's valids are X, which the models do not take
    chip = Chip(dut, generator(dut))
    await chip.reset()
    return chip


@cocotb.test(skip="registers" not in SETTINGS["tests"], **LIMIT)
async def registers(dut):
    """Whole registers and parts of them, words that are none, one by one and many at once; without stalls, then with stalls of every channel."""
    chip = await new_chip(dut)
    for stalls in (False, True):
        if stalls:
            chip.stall(chip.register_channels, 50)
        assert await chip.read(VERSION) == SETTINGS["version"]
        values = {}
        for offset in (BASE_LOW, BASE_HIGH, BYTES):
            values[offset] = chip.random.randrange(2**32)
            await chip.write(offset, values[offset])
            assert await chip.read(offset) == values[offset]
        # Bytes of a register: its others stay. Two accesses of different lengths and places, one behind the other.
        for _ in range(60):
            offset = chip.random.choice(list(values))
            first = chip.random.randrange(4)
            data = chip.random.randbytes(chip.random.randrange(1, 5 - first))
            answer = await chip.registers.write(offset + first, data)
            assert answer.resp == AxiResp.OKAY
            whole = bytearray(values[offset].to_bytes(4, "little"))
            whole[first : first + len(data)] = data
            values[offset] = int.from_bytes(whole, "little")
            other = chip.random.choice(list(values))
            assert await chip.read(other) == values[other], f"0x{other:03x} after 0x{offset:03x}"
        await chip.registers.write(ENABLE, b"\xff\xff\xff\xff")
        assert await chip.read(ENABLE) == 1
        await chip.registers.write(ENABLE + 1, b"\x00")  # not the byte with the bit
        assert await chip.read(ENABLE) == 1
        await chip.registers.write(ENABLE, b"\x00")
        assert await chip.read(ENABLE) == 0
        # Writes and reads that overtake nothing of their own channel, all under way at once.
        writes, reads = [], []
        for i in range(40):
            offset = BASE_LOW + 4 * (i % 3)
            values[offset] = chip.random.randrange(2**32)
            writes.append(chip.registers.init_write(offset, values[offset].to_bytes(4, "little")))
            reads.append(chip.registers.init_read(VERSION if i % 2 else CYCLES_LOW, 4))
        for event in writes:
            await event.wait()
            assert event.data.resp == AxiResp.OKAY
        for i, event in enumerate(reads):
            await event.wait()
            assert event.data.resp == AxiResp.OKAY
            assert int.from_bytes(event.data.data, "little") == (SETTINGS["version"] if i % 2 else 0)
        for offset, value in values.items():
            assert await chip.read(offset) == value
        # What is no register, or not for that: SLVERR, nothing written, zeros read.
        readable = {o for o in range(STATUS, 0x034, 4)} | {o for o in range(COUNTERS, END, 4)}
        writable = {CONTROL, BASE_LOW, BASE_HIGH, BYTES, ENABLE}
        offsets = sorted({*range(0, 0x104, 4), *range(0x238, 0x250, 4), *chip.random.sample(range(0x104, 0x1000, 4), 30), 0xFFC})
        for offset in offsets:
            answer = await chip.registers.read(offset, 4)
            assert answer.resp == (AxiResp.OKAY if offset in readable else AxiResp.SLVERR), f"read of 0x{offset:03x}: {answer.resp.name}"
            if offset not in readable:
                assert answer.data == bytes(4)
            if offset not in writable:
                data = chip.random.randbytes(4 if offset % 8 else 1)
                answer = await chip.registers.write(offset, data)
                assert answer.resp == AxiResp.SLVERR, f"write of 0x{offset:03x}: {answer.resp.name}"
        for offset, value in values.items():
            assert await chip.read(offset) == value
        assert await chip.read(STATUS) == 0
        chip.keeps_rules()


@cocotb.test(skip="program" not in SETTINGS["tests"], **LIMIT)
async def program(dut):
    """The whole workload, at the pace of memory's model."""
    chip = await new_chip(dut)
    await chip.start()
    assert await chip.read(STATUS) & STATUS_RUNNING
    await chip.finish()
    await chip.check()
    cycles = await chip.read(CYCLES_LOW)
    dut._log.info("%d cycles; with Gemel's memory %d", cycles, chip.workload.cycles)
    assert abs(cycles - chip.workload.cycles) < chip.workload.cycles // 2
    await chip.end()


@cocotb.test(skip="stalls" not in SETTINGS["tests"], **LIMIT)
async def stalls(dut):
    """The workload with each channel standing still alone, then with all of them, registers read all the while, and again on the same chip."""
    chip = await new_chip(dut)
    for channels, percent in [*([[name], 75] for name in chip.slave_channels), [list(chip.slave_channels), 50], [list(chip.slave_channels), 20]]:
        for name in chip.slave_channels:
            chip.slave_channels[name].clear_pause_generator()
            chip.slave_channels[name].pause = False
        chip.stall(channels, percent)
        chip.stall(chip.register_channels, 30)
        chip.workload.fill(chip.memory)
        for address, expected in chip.workload.outputs:
            chip.memory.bytes[address : address + len(expected)] = bytes(value ^ 0xFF for value in expected)
        await chip.start()
        while int(dut.irq.value) == 0:
            assert await chip.read(VERSION) == SETTINGS["version"]
            await ClockCycles(dut.aclk, chip.random.randrange(1, 40))
            chip.keeps_rules()
        await chip.check()
        dut._log.info("%s: %d cycles", "all channels" if len(channels) > 1 else channels[0], await chip.read(CYCLES_LOW))
        await chip.write(CONTROL, 2)
        assert int(dut.irq.value) == 0
    await chip.end()


@cocotb.test(skip="errors" not in SETTINGS["tests"], **LIMIT)
async def errors(dut):
    """Error responses: to a program's instructions, to what it loads, to what it stores; an abort; and a program that runs well after each of them."""
    chip = await new_chip(dut)
    output, expected = chip.workload.outputs[0]
    program_ = range(chip.workload.base, chip.workload.base + chip.workload.bytes)
    await chip.start()
    await chip.finish()
    await chip.check()
    loaded = SETTINGS["loaded"]
    for fails, code in ((program_, READ_ERROR), (range(loaded, loaded + 1), READ_ERROR), (range(output, output + 1), WRITE_ERROR)):
        chip.stall(chip.slave_channels, 30)
        chip.memory.fails = fails
        await chip.start()
        await chip.finish()
        assert await chip.read(STATUS) == STATUS_DONE | STATUS_ERROR | STATUS_INTERRUPT
        assert await chip.read(ERROR_CODE) == code, f"error {await chip.read(ERROR_CODE)} for {fails}, must be {code}"
        chip.memory.fails = range(0)
        chip.memory.bytes[output : output + len(expected)] = bytes(len(expected))
        await chip.start()  # from done, without a reset
        await chip.finish()
        await chip.check()
    await chip.start()
    await ClockCycles(dut.aclk, 60)
    await chip.write(CONTROL, 4)
    await chip.finish()
    assert await chip.read(ERROR_CODE) == ABORTED
    await chip.start()
    await chip.finish()
    await chip.check()
    await chip.end()


@cocotb.test(skip="reset" not in SETTINGS["tests"], **LIMIT)
async def reset(dut):
    """A reset in the middle of a program, for the chip and what is around it."""
    chip = await new_chip(dut)
    for _ in range(3):
        await chip.start()
        await ClockCycles(dut.aclk, chip.random.randrange(20, 200))
        await FallingEdge(dut.aclk)
        await chip.reset()
        for name in ("m_axi_fetch_arvalid", "m_axi_load_arvalid", "m_axi_store_awvalid", "m_axi_store_wvalid", "s_axi_bvalid", "s_axi_rvalid", "irq"):
            assert int(getattr(dut, name).value) == 0, f"{name} after a reset"
        assert await chip.read(STATUS) == 0
        assert await chip.read(BYTES) == 0
    chip.workload.fill(chip.memory)
    await chip.start()
    await chip.finish()
    await chip.check()
    await chip.end()
